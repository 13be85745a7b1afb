"""Do image scores mean what they say as probabilities: reliability, calibration error, Brier score.

Brier, Monthly Weather Review 78 (1950); expected calibration error over bins of equally many
images: Naeini, Cooper, Hauskrecht, AAAI 2015, and Nguyen and O'Connor, EMNLP 2015.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.ranking import ratio

BINS = 10


@dataclass(frozen=True, eq=False)
class Calibrated:
    """K images sorted into B bins by score; made once for any number of resamples.

    Attributes:
        image: (K,) index of each image among the N that have weights.
        positive: (K,) truth, 0 or 1.
        score: (K,) probability said.
        bin: (K,) index of each image's bin.
        edges: (B + 1,) scores between the bins.
    """

    image: NDArray[np.int64]
    positive: Floats
    score: Floats
    bin: NDArray[np.int64]
    edges: Floats


@dataclass(frozen=True, eq=False)
class Bins:
    """(R, B) of each resample and bin: weight, mean score said, share positive (NaN if empty)."""

    weight: Floats
    said: Floats
    true: Floats


def calibrated(
    scores: Floats, positive: NDArray[np.bool_], image: NDArray[np.int64], bins: int = BINS
) -> Calibrated | None:
    """Return (K,) images in bins of equally many, or None if a score is no probability.

    Equal scores share a bin, so there may be fewer bins than asked for.
    """
    if not len(scores) or scores.min() < 0 or scores.max() > 1:
        return None
    inner = np.unique(np.quantile(scores, np.arange(1, bins) / bins))
    place = np.searchsorted(inner, scores, side="right")
    used, place = np.unique(place, return_inverse=True)
    edges = np.concatenate([[0.0], inner[used[1:] - 1], [1.0]])
    return Calibrated(image, positive.astype(np.float64), scores, place.astype(np.int64), edges)


def brier(images: Calibrated, weights: Floats) -> Floats:
    """Return (R,) mean squared distance between score and truth: 0 is perfect."""
    missed = (images.score - images.positive) ** 2
    weights = weights[:, images.image]
    return ratio(weights @ missed, weights.sum(axis=1))


def reliability(images: Calibrated, weights: Floats) -> Bins:
    """Return what is said and what is true in every bin, with (R, N) weights."""
    member = np.zeros((len(images.score), len(images.edges) - 1))
    member[np.arange(len(member)), images.bin] = 1
    weights = weights[:, images.image]
    weight = weights @ member
    said = ratio(weights @ (member * images.score[:, None]), weight)
    true = ratio(weights @ (member * images.positive[:, None]), weight)
    return Bins(weight, said, true)


def calibration_error(bins: Bins) -> Floats:
    """Return (R,) mean over images of |share positive - mean score| of their bin.

    It is above 0 even for a perfectly calibrated detector, by chance alone, and more so in a
    resample; hence its interval is the basic one (see `bootstrap.basic_interval`).
    """
    apart = np.nan_to_num(np.abs(bins.said - bins.true)) * bins.weight
    return ratio(apart.sum(axis=1), bins.weight.sum(axis=1))
