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
    by_image = np.ascontiguousarray(weights.T)
    sums = np.zeros((len(weights), len(edges)))
    between = _segment_sums(by_image, ranked.negative_image[: edges[-1]], edges)
    np.cumsum(between, axis=1, out=sums[:, 1:])
    ends = np.append(ranked.starts, len(ranked.positive_image))
    gained = _segment_sums(by_image, ranked.positive_image, ends, ranked.positive_share)
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
    by_image: Floats, image: Ints, edges: Ints, share: Floats | None = None
) -> Floats:
    """Return (R, E - 1) sums over items between edges of (N, R) `by_image[image]` times `share`.

    A sparse product: each item adds one row of weights of all resamples, which lies in one piece.
    """
    from scipy.sparse import csr_array

    if len(edges) < 2 or not len(image):
        return np.zeros((by_image.shape[1], max(0, len(edges) - 1)))
    data = np.ones(len(image)) if share is None else share
    items = csr_array((data, image, edges), shape=(len(edges) - 1, len(by_image)))
    return np.ascontiguousarray((items @ by_image).T)
