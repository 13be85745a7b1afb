"""Which mark hits which region: one pure function from arrays to rows."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.hits import Marks, Pairs, fits_ignored, fitting_pairs
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth


class Outcome(IntEnum):
    """What became of a mark."""

    FALSE = 0
    HIT = 1
    DUPLICATE = 2
    LEFT_OUT = 3


@dataclass(frozen=True, eq=False)
class MatchTable:
    """One row a mark, highest score first; statistics need nothing else of the marks.

    Attributes:
        image: (M,) index into the truth's images.
        score: (M,) falling.
        x: (M,) location in stored pixels.
        y: (M,) location in stored pixels.
        region: (M,) index into the truth's regions: the one hit, for a duplicate the nearest of
            those already hit, for other marks -1.
        outcome: (M,) `Outcome` codes; LEFT_OUT fits an ignore region and nothing else.
        overlap: (M,) IoU with that region, NaN without a region or a box.
        protocol: the rules it was made by.
    """

    image: NDArray[np.int64]
    score: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    region: NDArray[np.int64]
    outcome: NDArray[np.int8]
    overlap: NDArray[np.float64]
    protocol: Protocol

    def __len__(self) -> int:
        return len(self.score)


def match(truth: Truth, reading: Reading, protocol: Protocol) -> MatchTable:
    """Assign marks to regions, image by image.

    Under `greedy`, a mark that fits several regions hits the one, not yet hit, that it fits best:
    the nearest centre, or the highest IoU. Equal scores go by fit, then by x, then by y, so the
    order of rows never matters. Marks on images that `Truth.located` excludes are left out.

    Args:
        truth: N images with L regions.
        reading: M marks on them.
        protocol: hit rule, assignment and ignore regions; duplicates are labelled here, and
            counted by the figures.

    Raises:
        RibsightError: the hit rule needs boxes, sizes or spacing that are not known.
    """
    marks = _counted_marks(truth, reading, protocol)
    pairs = fitting_pairs(truth, marks, protocol)
    outcome = np.full(len(marks.score), Outcome.FALSE, dtype=np.int8)
    outcome[pairs.mark] = Outcome.DUPLICATE
    if protocol.ignore_regions == "left_out" and len(truth.ignored_image):
        outcome[fits_ignored(truth, marks, protocol)] = Outcome.LEFT_OUT

    best = np.full(len(marks.score), np.inf)
    np.minimum.at(best, pairs.mark, pairs.rank)
    at = marks.xy[pairs.mark]
    order = np.lexsort(
        (pairs.rank, pairs.mark, at[:, 1], at[:, 0], best[pairs.mark], -marks.score[pairs.mark])
    )
    # Reversed, so that the region that fits best is written last and stays.
    fitted = np.full(len(marks.score), -1, dtype=np.int64)
    fitted[pairs.mark[order[::-1]]] = np.arange(len(pairs.mark))[order[::-1]]
    for mark, pair in _assign(pairs, order, marks, protocol).items():
        fitted[mark] = pair
        outcome[mark] = Outcome.HIT

    related = (outcome == Outcome.HIT) | (outcome == Outcome.DUPLICATE)
    region = np.full(len(marks.score), -1, dtype=np.int64)
    region[related] = pairs.region[fitted[related]]
    overlap = np.full(len(marks.score), np.nan)
    overlap[related] = pairs.iou[fitted[related]]
    return MatchTable(
        image=marks.image,
        score=marks.score,
        x=marks.xy[:, 0],
        y=marks.xy[:, 1],
        region=region,
        outcome=outcome,
        overlap=overlap,
        protocol=protocol,
    )


def _counted_marks(truth: Truth, reading: Reading, protocol: Protocol) -> Marks:
    """Return the marks on located images, only the first `most_marks` of each, highest first."""
    image, (x, y) = reading.mark_image, reading.mark_xy.T
    kept = truth.located[image]
    if protocol.most_marks is not None:
        by_image = np.lexsort((y, x, -reading.mark_scores, image))
        place = np.arange(len(image)) - np.searchsorted(image[by_image], image[by_image])
        kept[by_image] &= place < protocol.most_marks
    order = np.lexsort((y, x, image, -reading.mark_scores))
    order = order[kept[order]]
    boxes = reading.mark_boxes
    if not len(boxes):
        boxes = np.full((len(image), 4), np.nan)
    return Marks(image[order], reading.mark_xy[order], reading.mark_scores[order], boxes[order])


def _assign(
    pairs: Pairs, order: NDArray[np.int64], marks: Marks, protocol: Protocol
) -> dict[int, int]:
    """Return the pair by which each hitting mark hits; `order` is by falling score, then fit."""
    match protocol.assignment:
        case "greedy":
            return _greedy(pairs, order.tolist())
        case "best":
            _, first = np.unique(pairs.mark[order], return_index=True)
            return _greedy(pairs, order[np.sort(first)].tolist())
        case "optimal":
            return _optimal(pairs, marks.image, protocol)


def _greedy(pairs: Pairs, order: list[int]) -> dict[int, int]:
    """Give each mark, in turn, the first of its regions that no earlier mark has taken."""
    chosen: dict[int, int] = {}
    taken: set[int] = set()
    mark, region = pairs.mark.tolist(), pairs.region.tolist()
    for pair in order:
        if mark[pair] not in chosen and region[pair] not in taken:
            chosen[mark[pair]] = pair
            taken.add(region[pair])
    return chosen


def _optimal(pairs: Pairs, image: NDArray[np.int64], protocol: Protocol) -> dict[int, int]:
    """Return, image by image, the one-to-one pairs with the highest sum of 1 + quality."""
    from scipy.optimize import linear_sum_assignment

    quality = -pairs.rank if protocol.hit_rule == "iou" else 1 / (1 + pairs.rank)
    owner = image[pairs.mark]
    by_image = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[by_image], prepend=-1))
    chosen: dict[int, int] = {}
    for rows in np.split(by_image, starts)[1:]:
        own_marks, mark = np.unique(pairs.mark[rows], return_inverse=True)
        own_regions, region = np.unique(pairs.region[rows], return_inverse=True)
        value = np.zeros((len(own_marks), len(own_regions)))
        value[mark, region] = 1 + quality[rows]
        pair_at = np.full(value.shape, -1, dtype=np.int64)
        pair_at[mark, region] = rows
        for i, j in zip(*linear_sum_assignment(value, maximize=True), strict=True):
            if pair_at[i, j] >= 0:
                chosen[int(own_marks[i])] = int(pair_at[i, j])
    return chosen
