"""The variance of an AUROC, and of the difference of two, without resampling.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), by the mid-ranks of Sun and Xu, IEEE Signal
Processing Letters 21 (2014). Images of one patient are alike; given the groups, the variance is
that of Obuchowski, Biometrics 53 (1997): DeLong's where every image is a group of its own.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats

Groups = NDArray[np.int64]


@dataclass(frozen=True)
class DeLong:
    """An AUROC (or a difference of two) with its standard error, interval and p value.

    Attributes:
        value: AUROC, or AUROC of b minus that of a.
        standard_error: square root of the variance.
        low: lower bound of the interval, not below 0 for an AUROC; NaN if there is no interval.
        high: upper bound, not above 1 for an AUROC; NaN likewise.
        p: two-sided, of AUROC 0.5 or of no difference; None if the variance is 0.
    """

    value: float
    standard_error: float
    low: float
    high: float
    p: float | None


def delong(
    scores: Floats,
    positive: NDArray[np.bool_],
    groups: Groups | None = None,
    level: float = 0.95,
) -> DeLong:
    """Return the AUROC of (N,) scores with the plain interval, value +- 1.96 standard errors.

    Near 1 it holds the truth too seldom; `delong_logit` is the one to report.

    Args:
        scores: (N,) finite scores.
        positive: (N,) truth.
        groups: (N,) codes of what is alike; every image on its own if not given.
        level: of the interval.

    Raises:
        RibsightError: fewer than two groups with a positive or with a negative image: there is no
            variance.
    """
    areas, covariance = delong_covariance(scores[None], positive, groups)
    one = _normal(float(areas[0]), float(covariance[0, 0]), 0.5, level)
    return DeLong(one.value, one.standard_error, max(one.low, 0.0), min(one.high, 1.0), one.p)


def delong_logit(
    scores: Floats,
    positive: NDArray[np.bool_],
    groups: Groups | None = None,
    level: float = 0.95,
) -> DeLong:
    """Return the AUROC of (N,) scores with an interval that is symmetric on the scale of logits.

    expit(logit(A) +- 1.96 se / (A (1 - A))): within 0 and 1, and longer towards 1/2, as the
    sampling distribution is (Pepe, *The Statistical Evaluation of Medical Tests for
    Classification and Prediction*, 2003). A perfect AUROC has no variance and so no
    interval. Arguments and errors as `delong`.
    """
    areas, covariance = delong_covariance(scores[None], positive, groups)
    plain = _normal(float(areas[0]), float(covariance[0, 0]), 0.5, level)
    value, error = plain.value, plain.standard_error
    if error == 0 or not 0 < value < 1:
        return DeLong(value, error, math.nan, math.nan, plain.p)
    reach = NormalDist().inv_cdf((1 + level) / 2) * error / (value * (1 - value))
    centre = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-(centre + sign * reach))) for sign in (-1, 1))
    return DeLong(value, error, low, high, plain.p)


def delong_difference(
    a: Floats,
    b: Floats,
    positive: NDArray[np.bool_],
    groups: Groups | None = None,
    level: float = 0.95,
) -> DeLong:
    """Return AUROC of b minus AUROC of a on the same images, paired. Raises as `delong` does."""
    areas, covariance = delong_covariance(np.stack([a, b]), positive, groups)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return _normal(float(areas[1] - areas[0]), float(variance), 0.0, level)


def delong_covariance(
    scores: Floats, positive: NDArray[np.bool_], groups: Groups | None = None
) -> tuple[Floats, Floats]:
    """Return (K,) AUROCs of K models and their (K, K) covariance.

    With m positive and n negative images, V and W the shares of the other kind that each wins
    against, and sums over the images of each group:
    S10 = I10 / ((I10 - 1) m) sum (V - A)(V - A)', S01 likewise of W, S11 = I / (I - 1) sum (V -
    A)(W - A)', covariance = S10 / m + S01 / n + (S11 + S11') / (m n), where I10, I01 and I are the
    numbers of groups with a positive image, with a negative one, and of all.

    Args:
        scores: (K, N) finite scores of each model.
        positive: (N,) truth.
        groups: (N,) codes of what is alike; every image on its own if not given.

    Raises:
        RibsightError: fewer than two groups with a positive or with a negative image.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if groups is None:
        groups = np.arange(len(positive))
    with_positive, own_positive = np.unique(groups[positive], return_inverse=True)
    with_negative, own_negative = np.unique(groups[~positive], return_inverse=True)
    i10, i01 = len(with_positive), len(with_negative)
    if min(i10, i01) < 2:
        what = "images" if len(np.unique(groups)) == len(groups) else "groups"
        raise RibsightError(
            f"DeLong's variance is not defined: it needs two {what} of each kind, not {i10} with a "
            f"positive and {i01} with a negative image"
        )
    # Share of the other kind that each image wins against, ties as 1/2.
    wins, losses = np.zeros((len(scores), m)), np.zeros((len(scores), n))
    for row, own in enumerate(scores):
        together = _mid_ranks(own)
        wins[row] = (together[positive] - _mid_ranks(own[positive])) / n
        losses[row] = 1 - (together[~positive] - _mid_ranks(own[~positive])) / m
    areas = wins.mean(axis=1)
    above = _sums(wins - areas[:, None], own_positive, i10)
    below = _sums(losses - areas[:, None], own_negative, i01)
    covariance = i10 / (i10 - 1) * (above @ above.T) / m**2
    covariance = covariance + i01 / (i01 - 1) * (below @ below.T) / n**2
    _, here, there = np.intersect1d(with_positive, with_negative, return_indices=True)
    if len(here):
        total = len(np.union1d(with_positive, with_negative))
        across = total / (total - 1) * (above[:, here] @ below[:, there].T) / (m * n)
        covariance = covariance + across + across.T
    return areas, covariance


def _sums(values: Floats, own: NDArray[np.int64], count: int) -> Floats:
    """Return (K, count) sums of (K, P) values over the groups."""
    return np.stack([np.bincount(own, weights=row, minlength=count) for row in values])


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
