"""Uncertainty: groups resampled with replacement, as counts, so that no image is copied."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats

# Replicates are worked on in parts of about this many weights (16 MB), whatever the number asked.
_WEIGHTS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A percentile interval over `used` replicates; `dropped` had no figure to give."""

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
    rows_at_once = max(1, _WEIGHTS_AT_ONCE // len(groups))
    for start in range(0, replicates, rows_at_once):
        rows = min(rows_at_once, replicates - start)
        drawn = generator.integers(n_groups, size=(rows, n_groups))
        drawn += n_groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_groups)
        yield counts.reshape(rows, n_groups)[:, groups].astype(np.float64)


def interval(values: Floats, level: float = 0.95) -> Interval:
    """Return the central percentile interval of (R,) replicate values, NaN ones dropped.

    >>> interval(np.append(np.arange(101.0), np.nan), level=0.5)
    Interval(low=25.0, high=75.0, used=101, dropped=1)
    """
    used = values[~np.isnan(values)]
    dropped = len(values) - len(used)
    if not len(used):
        return Interval(np.nan, np.nan, 0, dropped)
    low, high = np.quantile(used, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), len(used), dropped)


def band(values: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the pointwise interval (P,), (P,) of (R, P) replicate values, NaN rows dropped."""
    used = values[~np.isnan(values).any(axis=1)]
    if not len(used):
        empty = np.full(values.shape[1], np.nan)
        return empty, empty
    low, high = np.quantile(used, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def two_sided_p(differences: Floats) -> float:
    """Return the bootstrap p value of "no difference" from (R,) resampled differences.

    p = 2 min(1 + #{d <= 0}, 1 + #{d >= 0}) / (R + 1), at most 1, so never 0 (Davison and Hinkley
    1997, section 4.4; the interval excludes 0 at 95 % when p is below about 0.05).
    """
    used = differences[~np.isnan(differences)]
    tail = min((used <= 0).sum(), (used >= 0).sum())
    return float(min(1.0, 2 * (1 + tail) / (len(used) + 1)))
