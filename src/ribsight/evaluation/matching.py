"""Which mark hits which region: one pure function from arrays to rows."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth


class Outcome(IntEnum):
    """What became of a mark."""

    FALSE = 0
    HIT = 1
    DUPLICATE = 2


@dataclass(frozen=True, eq=False)
class MatchTable:
    """One row a mark, highest score first; statistics need nothing else of the marks.

    Attributes:
        image: (M,) index into the truth's images.
        score: (M,) falling.
        x: (M,) location in stored pixels.
        y: (M,) location in stored pixels.
        region: (M,) index into the truth's regions: the one hit, for a duplicate the nearest of
            those already hit, for a false mark -1.
        outcome: (M,) `Outcome` codes.
    """

    image: NDArray[np.int64]
    score: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    region: NDArray[np.int64]
    outcome: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.score)


def match(truth: Truth, reading: Reading, protocol: Protocol) -> MatchTable:
    """Assign marks to regions, image by image, by falling score.

    A mark inside several dilated boxes hits the one, not yet hit, whose centre is nearest. Equal
    scores go by distance to the nearest containing box's centre, then by x, then by y, so the
    order of rows never matters. Marks on images that `Truth.located` excludes are left out.

    Args:
        truth: N images with L regions.
        reading: M marks on them.
        protocol: the dilation; duplicates are labelled, and counted only by the FROC.
    """
    kept = truth.located[reading.mark_image]
    image, score = reading.mark_image[kept], reading.mark_scores[kept]
    xy = reading.mark_xy[kept]
    mark, region, distance = _inside_pairs(truth, image, xy, protocol.dilation)

    nearest = np.full(len(score), np.inf)
    np.minimum.at(nearest, mark, distance)
    order = np.lexsort((distance, mark, xy[mark, 1], xy[mark, 0], nearest[mark], -score[mark]))
    outcome = np.full(len(score), Outcome.FALSE, dtype=np.int8)
    outcome[mark] = Outcome.DUPLICATE
    hit_region = np.full(len(score), -1, dtype=np.int64)
    # Reversed, so that the nearest region is written last and stays.
    hit_region[mark[order[::-1]]] = region[order[::-1]]
    hits = _greedy(mark[order].tolist(), region[order].tolist())
    hit_region[list(hits)] = list(hits.values())
    outcome[list(hits)] = Outcome.HIT

    rows = np.lexsort((xy[:, 1], xy[:, 0], image, -score))
    return MatchTable(
        image=image[rows],
        score=score[rows],
        x=xy[rows, 0],
        y=xy[rows, 1],
        region=hit_region[rows],
        outcome=outcome[rows],
    )


def _greedy(marks: list[int], regions: list[int]) -> dict[int, int]:
    """Give each mark, in turn, the first of its regions that no earlier mark has taken."""
    region_of: dict[int, int] = {}
    taken: set[int] = set()
    for mark, region in zip(marks, regions, strict=True):
        if mark not in region_of and region not in taken:
            region_of[mark] = region
            taken.add(region)
    return region_of


def _inside_pairs(
    truth: Truth, image: NDArray[np.int64], xy: NDArray[np.float64], dilation: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return (mark, region, distance to the box's centre) of each mark in each dilated box.

    Pairs of a mark come in an order of its regions that depends on their boxes alone.
    """
    boxes = truth.region_boxes
    by_image = np.lexsort((*boxes.T[::-1], truth.region_image))
    regions_on = truth.lesions[image]
    first = np.searchsorted(truth.region_image[by_image], image)
    mark = np.repeat(np.arange(len(image)), regions_on)
    within = np.arange(len(mark)) - np.repeat(np.cumsum(regions_on) - regions_on, regions_on)
    region = by_image[np.repeat(first, regions_on) + within]

    margin = dilation * truth.sizes[image[mark]].max(axis=1, initial=0)[:, None]
    at, box = xy[mark], boxes[region]
    inside = ((at >= box[:, :2] - margin) & (at <= box[:, 2:] + margin)).all(axis=1)
    centre = (box[:, :2] + box[:, 2:]) / 2
    distance = np.linalg.norm(at - centre, axis=1)
    return mark[inside], region[inside], distance[inside]
