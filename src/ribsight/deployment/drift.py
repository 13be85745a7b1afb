"""Whether new images differ from reference images, column by column, with one error rate for all.

Each column is compared by one statistic: numbers by the Kolmogorov-Smirnov distance, categories by
the root of Pearson's chi-square per image. All labels "new" are permuted together, so that p values
hold whatever the distributions are and are adjusted for how columns hang together (the step-down
minP method: Westfall and Young, Resampling-Based Multiple Testing, 1993). Images of one patient are
alike; the statistic is divided by the root of the design effect that the reference shows
(Kish, Survey Sampling, 1965).

How far they differ is told by the population stability index, sum (p - q) ln(p / q) over bins: its
expected value without any drift is taken off, and its interval is that of a non-central chi-square
distribution (Yurdakul and Naranjo, Journal of Risk Model Validation 14, 2020, for the central one).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats

PERMUTATIONS = 1999
_LEVEL = 0.95
_BINS = 10
# About as many labels as fit into 100 MB as single-precision numbers.
_LABELS_AT_ONCE = 25_000_000


@dataclass(frozen=True, eq=False)
class Column:
    """One thing that is watched, on N reference images and then M new ones.

    Attributes:
        name: of the column.
        values: (N + M,) numbers, NaN where not known; or codes of categories 0 ... K - 1.
        categories: words for the codes; None for numbers.
    """

    name: str
    values: Floats
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Change:
    """How a column has changed.

    Attributes:
        name: of the column.
        distance: the statistic: 0 if nothing differs.
        p: of that alone.
        p_adjusted: of that among all columns.
        psi: population stability index, without what chance adds; 0.1 and 0.25 are usually called
            small and large.
        psi_low: lower bound of its 95 % interval.
        psi_high: upper bound.
        design_effect: how many times more variance than independent images have.
    """

    name: str
    distance: float
    p: float
    p_adjusted: float
    psi: float
    psi_low: float
    psi_high: float
    design_effect: float


def numbers_column(name: str, reference: Floats, new: Floats) -> Column:
    """Return a column of numbers."""
    return Column(name, np.concatenate([reference, new]).astype(np.float64))


def words_column(name: str, reference: Sequence[str], new: Sequence[str]) -> Column:
    """Return a column of categories."""
    words, codes = np.unique(np.array([*reference, *new]), return_inverse=True)
    return Column(name, codes.astype(np.float64), tuple(words.tolist()))


def is_constant(column: Column) -> bool:
    """Return whether all images have one value, so that there is nothing to compare."""
    return len(np.unique(np.nan_to_num(column.values, nan=-np.inf))) == 1


def changes(
    columns: Sequence[Column],
    groups: NDArray[np.int64],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[Change]:
    """Return how each column differs between the reference and new images.

    Args:
        columns: none of them constant, all of the same images.
        groups: (N,) codes of what belongs together among the reference images; new images are
            taken to be grouped likewise.
        permutations: of the labels.
        seed: of the permutations.
    """
    if not columns:
        return []
    first, total = len(groups), len(columns[0].values)
    effects = np.array([design_effect(one, groups) for one in columns])
    statistics = _permuted(columns, first, total, permutations, seed)
    # As if images were independent: the observed one counts less where groups are alike.
    statistics[0] /= np.sqrt(effects)
    plain, adjusted = _p_values(statistics)
    return [
        _change(column, first, effect, float(statistics[0, index] * np.sqrt(effect)),
                float(plain[index]), float(adjusted[index]))
        for index, (column, effect) in enumerate(zip(columns, effects.tolist(), strict=True))
    ]  # fmt: skip


def design_effect(column: Column, groups: NDArray[np.int64]) -> float:
    """Return the variance of the reference's mean rank, or shares, over that without groups."""
    reference = column.values[: len(groups)]
    if column.categories is None:
        ranked = np.unique(np.nan_to_num(reference, nan=-np.inf), return_inverse=True)[1]
        order = np.bincount(ranked)
        middle = np.cumsum(order) - order / 2
        parts = middle[ranked][:, None]
    else:
        parts = np.eye(len(column.categories))[reference.astype(np.int64)]
    residual = parts - parts.mean(axis=0)
    own = float((residual**2).sum())
    place = np.unique(groups, return_inverse=True)[1]
    count = int(place.max()) + 1
    if own == 0 or count == 1:
        return 1.0
    sums = np.zeros((count, residual.shape[1]))
    np.add.at(sums, place, residual)
    return max(1.0, count / (count - 1) * float((sums**2).sum()) / own)


def _permuted(
    columns: Sequence[Column], first: int, total: int, permutations: int, seed: int
) -> Floats:
    """Return (R + 1, columns) statistics, the observed ones in the first row."""
    random = np.random.default_rng(seed)
    labels = np.arange(total) >= first
    scales = [_Scale(one, first) for one in columns]
    rows = [np.array([[scale(labels[None]).item() for scale in scales]])]
    at_once = max(1, _LABELS_AT_ONCE // total)
    for start in range(0, permutations, at_once):
        count = min(at_once, permutations - start)
        drawn = random.permuted(np.tile(labels, (count, 1)), axis=1)
        rows.append(np.stack([scale(drawn) for scale in scales], axis=1))
    return np.concatenate(rows)


class _Scale:
    """The statistic of one column, made ready for many sets of labels."""

    def __init__(self, column: Column, first: int):
        values = np.nan_to_num(column.values, nan=-np.inf)
        self._first, self._total = first, len(values)
        self._is_numbers = column.categories is None
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))

    def __call__(self, labels: NDArray[np.bool_]) -> Floats:
        """Return (R,) the statistic for (R, N + M) labels, True for new."""
        new, total = self._total - self._first, self._total
        upto = np.cumsum(labels[:, self._order], axis=1, dtype=np.int32)[:, self._ends] / new
        everything = (self._ends + 1) / total
        if self._is_numbers:
            apart = np.abs(upto - everything).max(axis=1)
            return np.asarray(apart * total / self._first)
        share = np.diff(everything, prepend=0)
        apart = (np.diff(upto, prepend=0, axis=1) - share) * total / self._first
        return np.asarray(np.sqrt((apart**2 / share).sum(axis=1)))


def _p_values(statistics: Floats) -> tuple[Floats, Floats]:
    """Return p values of the first row, each alone and adjusted by step-down minP."""
    rows, columns = statistics.shape
    single = np.empty_like(statistics)
    for index in range(columns):
        ordered = np.sort(statistics[:, index])
        below = np.searchsorted(ordered, statistics[:, index] - 1e-12, side="left")
        single[:, index] = (rows - below) / rows
    order = np.argsort(single[0], kind="stable")
    # From the least to the most striking column: the smallest p among those still in the race.
    least = np.minimum.accumulate(single[:, order[::-1]], axis=1)[:, ::-1]
    stepped = (least <= single[0, order] + 1e-12).mean(axis=0)
    adjusted = np.empty(columns)
    adjusted[order] = np.maximum.accumulate(stepped)
    return single[0], adjusted


def _change(
    column: Column, first: int, effect: float, distance: float, p: float, p_adjusted: float
) -> Change:
    counts = binned(column, first)
    psi, low, high = stability(counts[0], counts[1], effect)
    return Change(column.name, distance, p, p_adjusted, psi, low, high, effect)


def binned(column: Column, first: int) -> NDArray[np.int64]:
    """Return (2, B) images of each bin, reference and new: categories, or the reference's tenths.

    Numbers that are not known have a bin of their own.
    """
    if column.categories is not None:
        codes, bins = column.values.astype(np.int64), len(column.categories)
    else:
        edges = bin_edges(column.values[:first])
        codes = 1 + np.searchsorted(edges, column.values, side="right")
        codes[np.isnan(column.values)] = 0
        bins = len(edges) + 2
    counts = np.stack(
        [np.bincount(part, minlength=bins) for part in (codes[:first], codes[first:])]
    )
    return counts[:, counts.sum(axis=0) > 0]


def bin_edges(reference: Floats) -> Floats:
    """Return the inner edges of bins that hold a tenth of the known reference values each."""
    known = reference[~np.isnan(reference)]
    if not len(known):
        return np.zeros(0)
    return np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))


def stability(
    reference: NDArray[np.int64], new: NDArray[np.int64], effect: float = 1.0
) -> tuple[float, float, float]:
    """Return the population stability index of (B,) counts without what chance adds, and bounds.

    Args:
        reference: images of each bin.
        new: likewise.
        effect: how many images are worth one.
    """
    bins = len(reference)
    if bins < 2:
        return 0.0, 0.0, 0.0
    p, q = ((one + 0.5) / (one.sum() + 0.5 * bins) for one in (reference, new))
    index = float(((q - p) * np.log(q / p)).sum())
    worth = 1 / (effect / reference.sum() + effect / new.sum())
    low, high = _noncentrality(index * worth, bins - 1)
    return max(0.0, index - (bins - 1) / worth), low / worth, high / worth


def _noncentrality(value: float, freedom: int) -> tuple[float, float]:
    """Return the bounds of the non-centrality of a chi-square variable that came out as `value`."""
    from scipy.optimize import brentq
    from scipy.stats import ncx2

    def bound(share: float) -> float:
        def surplus(centre: float) -> float:
            return float(ncx2.cdf(value, freedom, centre)) - share

        if surplus(0.0) <= 0:
            return 0.0
        return float(brentq(surplus, 0.0, 10 * value + 100))

    return bound((1 + _LEVEL) / 2), bound((1 - _LEVEL) / 2)
