"""The variance of an AUROC, and of the difference of two, without resampling.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), by the mid-ranks of Sun and Xu, IEEE Signal
Processing Letters 21 (2014). Images are taken as independent: with several images of a patient the
interval is too narrow, and the clustered bootstrap is the one to believe.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats


@dataclass(frozen=True)
class DeLong:
    """An AUROC (or a difference of two) with its standard error, interval and p value.

    Attributes:
        value: AUROC, or AUROC of b minus that of a.
        standard_error: square root of DeLong's variance.
        low: lower bound of the normal interval, not below 0 for an AUROC.
        high: upper bound, not above 1 for an AUROC.
        p: two-sided, of AUROC 0.5 or of no difference; None if the variance is 0.
    """

    value: float
    standard_error: float
    low: float
    high: float
    p: float | None


def delong(scores: Floats, positive: NDArray[np.bool_], level: float = 0.95) -> DeLong:
    """Return the AUROC of (N,) scores with DeLong's interval.

    Raises:
        RibsightError: fewer than two positive or two negative images: there is no variance.
    """
    areas, covariance = delong_covariance(scores[None], positive)
    one = _normal(float(areas[0]), float(covariance[0, 0]), 0.5, level)
    return DeLong(one.value, one.standard_error, max(one.low, 0.0), min(one.high, 1.0), one.p)


def delong_difference(
    a: Floats, b: Floats, positive: NDArray[np.bool_], level: float = 0.95
) -> DeLong:
    """Return AUROC of b minus AUROC of a on the same images, paired. Raises as `delong` does."""
    areas, covariance = delong_covariance(np.stack([a, b]), positive)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return _normal(float(areas[1] - areas[0]), float(variance), 0.0, level)


def delong_covariance(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return (K,) AUROCs of K models and their (K, K) covariance.

    Args:
        scores: (K, N) finite scores of each model.
        positive: (N,) truth.

    Raises:
        RibsightError: fewer than two positive or two negative images.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        raise RibsightError(
            f"DeLong's variance is not defined: it needs two images of each kind, not {m} positive "
            f"and {n} negative"
        )
    # Share of the other kind that each image wins against, ties as 1/2.
    wins, losses = np.zeros((len(scores), m)), np.zeros((len(scores), n))
    for row, own in enumerate(scores):
        together = _mid_ranks(own)
        wins[row] = (together[positive] - _mid_ranks(own[positive])) / n
        losses[row] = 1 - (together[~positive] - _mid_ranks(own[~positive])) / m
    covariance = np.cov(wins).reshape(len(scores), -1) / m
    covariance = covariance + np.cov(losses).reshape(len(scores), -1) / n
    return wins.mean(axis=1), covariance


def _mid_ranks(values: Floats) -> Floats:
    """Return (N,) ranks from 1, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[place]
    return ranks


def _normal(value: float, variance: float, null: float, level: float) -> DeLong:
    error = math.sqrt(max(variance, 0.0))
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    p = 2 * NormalDist().cdf(-abs(value - null) / error) if error > 0 else None
    return DeLong(value, error, value - reach, value + reach, p)
