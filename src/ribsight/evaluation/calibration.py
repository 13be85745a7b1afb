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
_TAIL, _MOST_SCALE, _HALVINGS = 0.015, 1e4, 16


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


@dataclass(frozen=True)
class ErrorBounds:
    """What the calibration error may truly be: bounds, and the value as likely above as below."""

    low: float
    middle: float
    high: float


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
    resample; hence `error_bounds`.
    """
    return np.asarray(np.abs(gaps(bins)).sum(axis=1))


def gaps(bins: Bins) -> Floats:
    """Return (R, B) what each bin adds to the calibration error, above 0 if too little is said."""
    share = ratio(bins.weight, bins.weight.sum(axis=1)[:, None])
    return np.nan_to_num(bins.true - bins.said) * share


def error_bounds(plain: Floats, drawn: Floats, tail: float = _TAIL) -> ErrorBounds:
    """Return the bounds of the true calibration error, by inverting tests.

    The plug-in error of gaps g is sum |g + noise|, and its percentiles, or their mirror images,
    hold the truth far too seldom where gaps are small. So gaps of one shape u are tried at every
    size s: the bound is the s sum |u| at which an error as high (low) as the observed one would be
    seen in `tail` of the resamples' noise (Carpenter, Journal of the Royal Statistical Society B
    61, 1999). Of the shapes `plain`, and `plain` with the noise taken out of each gap, the wider
    bound counts.

    Args:
        plain: (B,) `gaps` of the data as they are.
        drawn: (R, B) of resamples.
        tail: probability beyond each bound. 0.015, not 0.025, because the shape is guessed: by
            simulation (`benchmarks/coverage.py`) that holds the truth in about 95 %.
    """
    noise = drawn - plain
    observed = float(np.abs(plain).sum())
    sure = np.sign(plain) * np.sqrt(np.maximum(plain**2 - noise.var(axis=0), 0))
    shapes = [one for one in (plain, sure) if np.abs(one).sum() > 0]
    if not shapes:
        return ErrorBounds(0.0, 0.0, 0.0)
    low, high = (
        [_size_at(share, shape, noise, observed) for shape in shapes] for share in (1 - tail, tail)
    )
    return ErrorBounds(min(low), _size_at(0.5, plain, noise, observed), max(high))


def _size_at(share: float, shape: Floats, noise: Floats, observed: float) -> float:
    """Return the error of gaps like `shape` under which `share` of errors stay <= observed."""

    def staying(scale: float) -> float:
        return float((np.abs(scale * shape + noise).sum(axis=1) <= observed + 1e-12).mean())

    low, high = 0.0, 1.0
    if staying(low) <= share:
        return 0.0
    while staying(high) > share and high < _MOST_SCALE:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if staying(middle) > share else (low, middle)
    return high * float(np.abs(shape).sum())
