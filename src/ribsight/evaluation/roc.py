"""Image-level discrimination: the ROC curve and the area under it, plain and bootstrapped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats, linear_rows, running_sums, tie_ends
from ribsight.evaluation.ranking import Passed, Ranked, area, corners, passed, rank, ratio


@dataclass(frozen=True, eq=False)
class RocCurve:
    """(T,) thresholds falling from infinity, and what calling `score >= threshold` gives."""

    thresholds: Floats
    false_positive_rate: Floats
    sensitivity: Floats


def roc_curve(scores: Floats, positive: NDArray[np.bool_]) -> RocCurve:
    """Return the ROC curve of (N,) image scores; equal scores are one threshold.

    Raises:
        RibsightError: no positive or no negative image, or a score that is not finite.
    """
    _check(scores, positive)
    order, ends = _ranked(scores)
    true, false = _passed(order, ends, positive, np.ones((1, len(scores))))
    return RocCurve(
        thresholds=np.append(np.inf, scores[order][ends]),
        false_positive_rate=false[0] / false[0, -1],
        sensitivity=true[0] / true[0, -1],
    )


def auroc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive image scores above a negative one, ties as 1/2.

    AUROC = 1 / (P Q) sum_p sum_q psi(s_p, s_q), with psi = 1, 1/2, 0 for s_p >, =, < s_q: the
    Mann-Whitney statistic (Hanley and McNeil, Radiology 1982).

    Raises:
        RibsightError: no positive or no negative image, or a score that is not finite.

    >>> auroc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    _check(scores, positive)
    return float(auroc_weighted(scores, positive, np.ones((1, len(scores))))[0])


def auroc_weighted(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return (R,) AUROC when image n counts `weights[r, n]` times.

    A replicate without a positive or without a negative image is NaN: it has no AUROC.

    Args:
        scores: (N,) finite image scores.
        positive: (N,) truth.
        weights: (R, N) resample counts.
    """
    return area(passed(rank_images(scores, positive), weights))


def roc_weighted(
    scores: Floats, positive: NDArray[np.bool_], weights: Floats, rates: Floats
) -> Floats:
    """Return (R, P) sensitivity at false-positive `rates`, straight lines between thresholds.

    Arguments and NaN replicates as in `auroc_weighted`.
    """
    return roc_read(passed(rank_images(scores, positive), weights), rates)


def rank_images(scores: Floats, positive: NDArray[np.bool_]) -> Ranked:
    """Return the (N,) images ranked, those with the finding against those without."""
    image = np.arange(len(scores))
    return rank(scores[positive], image[positive], scores[~positive], image[~positive])


def roc_read(sums: Passed, rates: Floats) -> Floats:
    """Return (R, P) share of positive items passed at shares `rates` of the negative ones."""
    x, y = corners(sums)
    x, y = ratio(x, sums.negatives[:, None]), ratio(y, sums.positives[:, None])
    read = linear_rows(x, y, rates)
    read[(sums.positives == 0) | (sums.negatives == 0)] = np.nan
    return read


def _ranked(scores: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(-scores, kind="stable")
    return order, tie_ends(scores[order])


def _passed(
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    positive: NDArray[np.bool_],
    weights: Floats,
) -> tuple[Floats, Floats]:
    """Return (R, T + 1) weight of positive, and of negative, images passed at each threshold."""
    true = running_sums(weights, order, positive[order], ends)
    false = running_sums(weights, order, ~positive[order], ends)
    return true, false


def _check(scores: Floats, positive: NDArray[np.bool_]) -> None:
    if not np.isfinite(scores).all():
        raise RibsightError("AUROC is not defined: an image score is not a finite number")
    if not positive.any():
        raise RibsightError("AUROC is not defined: no image is positive")
    if positive.all():
        raise RibsightError("AUROC is not defined: no image is negative")
