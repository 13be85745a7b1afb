"""Uncertainty: groups resampled with replacement, as counts, so that no image is copied."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats

# Replicates are worked on in parts of about this many weights (2 MB), whatever the number asked,
# but never fewer than the rows that make a sparse product worth its start.
_WEIGHTS_AT_ONCE, _ROWS_AT_ONCE = 200_000, 32
_MOST_BLOCKS = 200
# With few groups one of them can pull so much that the correction leaves the replicates behind.
_MOST_PULL = 0.15


@dataclass(frozen=True)
class Interval:
    """An interval over `used` replicates; `dropped` had no figure to give."""

    low: float
    high: float
    used: int
    dropped: int


def cluster_weights(groups: NDArray[np.int64], replicates: int, seed: int) -> Floats:
    """Return (R, N) how often each image is drawn when whole groups are drawn.

    Each replicate draws G of the G groups with replacement; all images of a group share its
    count. Images of one patient are alike, so drawing images alone would give intervals that are
    too narrow.

    Args:
        groups: (N,) codes 0 ... G - 1.
        replicates: R, at least 1.
        seed: of `numpy.random.default_rng`.

    Raises:
        RibsightError: `replicates` is below 1.
    """
    return np.concatenate(list(weight_parts(groups, replicates, seed)))


def weight_parts(groups: NDArray[np.int64], replicates: int, seed: int) -> Iterator[Floats]:
    """Yield the rows of `cluster_weights` in parts that fit in memory."""
    if replicates < 1:
        raise RibsightError(f"a bootstrap needs at least 1 resample, not {replicates}")
    generator = np.random.default_rng(seed)
    n_groups = int(groups.max()) + 1
    rows_at_once = max(_ROWS_AT_ONCE, _WEIGHTS_AT_ONCE // len(groups))
    for start in range(0, replicates, rows_at_once):
        rows = min(rows_at_once, replicates - start)
        drawn = generator.integers(n_groups, size=(rows, n_groups))
        drawn += n_groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_groups)
        # In Fortran's order: the weights of one image in all resamples lie in one piece.
        yield np.asfortranarray(counts.reshape(rows, n_groups)[:, groups], dtype=np.float64)


def reach(level: float, groups: int | None = None) -> float:
    """Return how many standard errors an interval of a level reaches to each side.

    With G groups sqrt(G / (G - 1)) t, Student's with G - 1 degrees of freedom: resamples of few
    groups spread too little, and percentiles alone hold the truth too seldom (the expanded
    percentiles of Hesterberg, The American Statistician 69, 2015). Of many groups it is 1.96.

    >>> round(reach(0.95), 2), round(reach(0.95, 200), 2), round(reach(0.95, 20), 2)
    (1.96, 1.98, 2.15)
    """
    if groups is None or groups < 2:
        return NormalDist().inv_cdf((1 + level) / 2)
    from scipy.special import stdtrit

    return math.sqrt(groups / (groups - 1)) * float(stdtrit(groups - 1, (1 + level) / 2))


def tails(level: float, groups: int | None = None) -> tuple[float, float]:
    """Return the two shares of replicates between which the percentile interval lies."""
    if groups is None:
        return (1 - level) / 2, (1 + level) / 2
    share = NormalDist().cdf(reach(level, groups))
    return 1 - share, share


def interval(values: Floats, level: float = 0.95, groups: int | None = None) -> Interval:
    """Return the central percentile interval of (R,) replicate values, NaN ones dropped.

    With the number of groups that were resampled, widened as `reach` says.

    >>> interval(np.append(np.arange(101.0), np.nan), level=0.5)
    Interval(low=25.0, high=75.0, used=101, dropped=1)
    """
    used = values[~np.isnan(values)]
    dropped = len(values) - len(used)
    if not len(used):
        return Interval(np.nan, np.nan, 0, dropped)
    low, high = np.quantile(used, tails(level, groups))
    return Interval(float(low), float(high), len(used), dropped)


def bca_interval(
    value: float,
    values: Floats,
    left_out: Floats,
    level: float = 0.95,
    groups: int | None = None,
) -> Interval:
    """Return the bias-corrected and accelerated interval of (R,) replicate values, NaN dropped.

    Percentiles, moved by how lopsided the replicates lie around the value and by how its spread
    changes with it: near 1, where most AUROCs are, plain percentiles hold the truth too seldom.
    Efron, Journal of the American Statistical Association 82 (1987).

    Args:
        value: the figure of the data as they are.
        values: (R,) of the resamples.
        left_out: (B,) of the data without one block of groups (`jackknife_weights`).
        level: of the interval.
        groups: how many were resampled, to widen the interval as `reach` says; not if not given.
    """
    used = values[~np.isnan(values)]
    dropped = len(values) - len(used)
    if not len(used):
        return Interval(np.nan, np.nan, 0, dropped)
    normal = NormalDist()
    below = (np.sum(used < value) + np.sum(used == value) / 2) / len(used)
    edge = 0.5 / len(used)
    bias = normal.inv_cdf(float(np.clip(below, edge, 1 - edge)))
    apart = np.nanmean(left_out) - left_out if not np.isnan(left_out).all() else np.zeros(1)
    apart = apart[~np.isnan(apart)]
    spread = float(np.sum(apart**2))
    pull = float(np.sum(apart**3)) / (6 * spread**1.5) if spread > 1e-20 else 0.0
    pull = min(max(pull, -_MOST_PULL), _MOST_PULL)
    shares = []
    far = reach(level, groups)
    for end in (bias - far, bias + far):
        moved = end / (1 - pull * end)
        shares.append(normal.cdf(bias + moved))
    low, high = np.quantile(used, shares)
    return Interval(float(low), float(high), len(used), dropped)


def jackknife_weights(groups: NDArray[np.int64]) -> Floats:
    """Return (B, N) weights that leave out one group each, or one of 200 blocks of groups."""
    blocks = min(int(groups.max()) + 1, _MOST_BLOCKS)
    kept: Floats = (groups % blocks != np.arange(blocks)[:, None]).astype(np.float64)
    return kept


def band(values: Floats, level: float = 0.95, groups: int | None = None) -> tuple[Floats, Floats]:
    """Return the pointwise interval (P,), (P,) of (R, P) replicate values, NaN rows dropped."""
    used = values[~np.isnan(values).any(axis=1)]
    if not len(used):
        empty = np.full(values.shape[1], np.nan)
        return empty, empty
    low, high = np.quantile(used, tails(level, groups), axis=0)
    return low, high


def two_sided_p(differences: Floats) -> float:
    """Return the bootstrap p value of "no difference" from (R,) resampled differences.

    p = 2 min(1 + #{d <= 0}, 1 + #{d >= 0}) / (R + 1), at most 1, so never 0 (Davison and Hinkley
    1997, section 4.4; the interval excludes 0 at 95 % when p is below about 0.05).
    """
    used = differences[~np.isnan(differences)]
    tail = min((used <= 0).sum(), (used >= 0).sum())
    return float(min(1.0, 2 * (1 + tail) / (len(used) + 1)))
