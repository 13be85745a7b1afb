"""What ROC, FROC, AFROC and precision-recall share: positive items ranked against negative ones.

The items differ (images; lesions and false marks; lesions and normal images), the sums do not. A
figure needs them only at the scores of positive items: between two of those it cannot rise. So a
resample costs one pass over the negative items and a handful of numbers per positive one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Gathered weights of about this many items stay in the processor's cache.
_ITEMS_AT_ONCE = 250_000


@dataclass(frozen=True, eq=False)
class Ranked:
    """P positive and Q negative items on N images, highest score first.

    Attributes:
        thresholds: (T,) distinct scores of positive items, falling.
        positive_image: (P,) image of each positive item.
        positive_share: (P,) what an item counts, times its image's weight.
        starts: (T,) first positive item of each threshold.
        negative_image: (Q,) image of each negative item.
        edges: (E,) rising numbers of negative items, from 0, at which sums are needed.
        above: (T,) index into `edges`: the items that score above each threshold.
        through: (T,) likewise the items that score at or above it.
    """

    thresholds: Floats
    positive_image: Ints
    positive_share: Floats
    starts: Ints
    negative_image: Ints
    edges: Ints
    above: Ints
    through: Ints


@dataclass(frozen=True, eq=False)
class Passed:
    """Weighted sums at each of T thresholds, in R resamples.

    Attributes:
        gained: (R, T) weight of the positive items at exactly that threshold.
        true: (R, T) weight of the positive items at or above.
        above: (R, T) weight of the negative items above.
        through: (R, T) weight of the negative items at or above.
        positives: (R,) weight of all positive items.
        negatives: (R,) weight of all negative items.
    """

    gained: Floats
    true: Floats
    above: Floats
    through: Floats
    positives: Floats
    negatives: Floats


def rank(
    positive_scores: Floats,
    positive_image: Ints,
    negative_scores: Floats,
    negative_image: Ints,
    share: Floats | None = None,
) -> Ranked:
    """Sort the items; scores may be -inf (never marked) but not NaN.

    Args:
        positive_scores: (P,) scores.
        positive_image: (P,) index of the image whose weight the item takes.
        negative_scores: (Q,) scores.
        negative_image: (Q,) likewise.
        share: (P,) what a positive item counts; 1 if not given.
    """
    order = np.argsort(-positive_scores, kind="stable")
    falling = positive_scores[order]
    starts = np.flatnonzero(np.append(True, falling[1:] != falling[:-1])[: len(falling)])
    against = np.argsort(-negative_scores, kind="stable")
    rising = -negative_scores[against]
    above = np.searchsorted(rising, -falling[starts], side="left")
    through = np.searchsorted(rising, -falling[starts], side="right")
    edges = np.unique(np.concatenate([[0], above, through]))
    return Ranked(
        thresholds=falling[starts],
        positive_image=positive_image[order],
        positive_share=(np.ones(len(falling)) if share is None else share[order]),
        starts=starts,
        negative_image=negative_image[against],
        edges=edges,
        above=np.searchsorted(edges, above),
        through=np.searchsorted(edges, through),
    )


def passed(ranked: Ranked, weights: Floats) -> Passed:
    """Return the sums when image n counts `weights[r, n]` times; `weights` is (R, N)."""
    edges = ranked.edges
    sums = np.zeros((len(weights), len(edges)))
    _segment_sums(weights, ranked.negative_image[: edges[-1]], edges[:-1], out=sums[:, 1:])
    np.cumsum(sums, axis=1, out=sums)
    gained = np.zeros((len(weights), len(ranked.starts)))
    _segment_sums(
        weights, ranked.positive_image, ranked.starts, gained, share=ranked.positive_share
    )
    true = np.cumsum(gained, axis=1)
    n_images = weights.shape[1]
    return Passed(
        gained=gained,
        true=true,
        above=sums[:, ranked.above],
        through=sums[:, ranked.through],
        positives=true[:, -1] if true.shape[1] else np.zeros(len(weights)),
        negatives=weights @ np.bincount(ranked.negative_image, minlength=n_images).astype(float),
    )


def area(sums: Passed) -> Floats:
    """Return (R,) probability that a positive item outscores a negative one, ties as 1/2.

    sum_t gained_t (negatives - (above_t + through_t) / 2) / (positives x negatives); NaN where
    there is no item of one kind.
    """
    beaten = sums.negatives[:, None] - (sums.above + sums.through) / 2
    return ratio((sums.gained * beaten).sum(axis=1), sums.positives * sums.negatives)


def corners(sums: Passed) -> tuple[Floats, Floats]:
    """Return (R, 2 T + 2) corner points of the curve: negatives passed, positives passed.

    Straight lines between them are the whole curve: along each threshold's negatives alone, then
    through the threshold itself, at last to the end of all negatives.
    """
    rows, count = sums.true.shape
    x, y = np.zeros((rows, 2 * count + 2)), np.zeros((rows, 2 * count + 2))
    x[:, 1:-1:2], x[:, 2::2], x[:, -1] = sums.above, sums.through, sums.negatives
    y[:, 3:-1:2], y[:, 2::2] = sums.true[:, :-1], sums.true
    y[:, -1] = y[:, -2]
    return x, y


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    quotient: Floats = numerator / np.where(denominator == 0, np.nan, denominator)
    return quotient


def _segment_sums(
    weights: Floats, image: Ints, starts: Ints, out: Floats, share: Floats | None = None
) -> None:
    """Write (R, T) sums of `weights[:, image]` (times `share`) over the segments from `starts`."""
    if not len(starts) or not len(image):
        return
    if share is not None and bool((share == 1).all()):
        share = None
    rows = max(1, _ITEMS_AT_ONCE // len(image))
    for start in range(0, len(weights), rows):
        gathered = np.take(weights[start : start + rows], image, axis=1)
        if share is not None:
            gathered *= share
        np.add.reduceat(gathered, starts, axis=1, out=out[start : start + rows])
