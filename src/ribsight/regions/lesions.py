"""Which regions of several readers are one lesion, and how many readers make it one that counts."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ribsight.regions.region import Box

SAME_LESION_IOU = 0.2
"""Boxes of two readers with this IoU or more, or with a centre in the other, are one lesion."""


class Rule(StrEnum):
    """How several readers become one."""

    UNION = "union"
    MAJORITY = "majority"
    ALL = "all"
    WEIGHTED = "weighted"


def same_lesions(boxes: Sequence[Box], readers: Sequence[str]) -> list[list[int]]:
    """Join overlapping boxes of different readers, and whatever those overlap.

    Args:
        boxes: of one category on one image.
        readers: who drew each.

    Returns:
        Indices of each lesion's boxes, lesions in the order of their first box.

    >>> same_lesions([(0, 0, 4, 4), (9, 9, 12, 12), (1, 1, 5, 5)], ["a", "a", "b"])
    [[0, 2], [1]]
    """
    lesion = list(range(len(boxes)))
    for i, one in enumerate(boxes):
        for j, other in enumerate(boxes[:i]):
            if readers[i] == readers[j]:
                continue
            if (
                box_iou(one, other) >= SAME_LESION_IOU
                or _centre_inside(one, other)
                or _centre_inside(other, one)
            ):
                old, new = lesion[i], lesion[j]
                lesion = [new if number == old else number for number in lesion]
    return [
        [index for index, own in enumerate(lesion) if own == number]
        for number in dict.fromkeys(lesion)
    ]


def readers_needed(rule: Rule, readers: int) -> int:
    """Return how many of those who looked must have drawn a lesion for it to count."""
    return {Rule.UNION: 1, Rule.ALL: readers}.get(rule, readers // 2 + 1)


def median_box(boxes: Sequence[Box]) -> Box:
    """Return the box of a lesion: the median of each of its readers' corners."""
    x0, y0, x1, y1 = np.median(np.array(boxes, dtype=np.float64), axis=0).tolist()
    return x0, y0, x1, y1


def box_iou(one: Box, other: Box) -> float:
    """Return intersection over union of two boxes.

    >>> box_iou((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def _centre_inside(one: Box, other: Box) -> bool:
    x, y = (one[0] + one[2]) / 2, (one[1] + one[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]
