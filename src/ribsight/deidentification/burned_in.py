"""Lines of characters in a picture: what a device, a digitizer or a viewer burnt into a film.

A classical search: small components that are brighter or darker than what surrounds them, sharp at
the edge, of even strokes, and in a row of their like. It cannot read: it finds that something is
written, not what. One or two letters, as markers of the side are, make no line.
`tools/measure_text_check.py` measures how well it does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.deidentification.text_lines import Box, Character, cover_rows, rows_of

_LARGEST_SIDE = 2048
_TALLEST = 0.08
_LEAST_HEIGHT = 5
# Of grey levels from 0 to 255, over what surrounds a stroke.
_LEAST_CONTRAST = 36.0
_FULL_CONTRAST = 90.0
_WIDEST_STROKE = 0.025
_LEAST_SHARPNESS = 0.45
_CROSSINGS_OF_A_LETTER = 1.7
_MOST_COMPONENTS = 20_000

_Grey = NDArray[np.float32]


@dataclass(frozen=True)
class TextBox:
    """One line that looks written.

    Attributes:
        box: left, top, right, bottom in stored pixels, with a margin; right and bottom outside.
        score: how many characters it looks like, at least 2.5.
    """

    box: Box
    score: float


def find_text(shown: NDArray[np.uint16]) -> tuple[TextBox, ...]:
    """Return the lines of text in a picture, upright or on their side, the surest first.

    Args:
        shown: (H, W) presentation values, 0 black to 65535 white.
    """
    grey: _Grey = (shown / 257).astype(np.float32)
    scale = min(1.0, _LARGEST_SIDE / max(grey.shape))
    if scale < 1:
        grey = np.asarray(
            cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
        )
    found: list[tuple[Box, float]] = []
    for picture in (grey, 255 - grey):
        boxes, characters = _components(picture)
        tallest = _tallest(grey)
        upright = [one for one in characters if one.height <= tallest]
        found.extend(cover_rows(rows_of(upright), boxes))
        turned = [one.turned() for one in characters if one.width <= tallest]
        found.extend(
            ((top, left, bottom, right), score)
            for (left, top, right, bottom), score in cover_rows(
                rows_of(turned), boxes[:, [1, 0, 3, 2]]
            )
        )
    height, width = shown.shape
    return tuple(
        TextBox(
            (
                max(0, int(left / scale)),
                max(0, int(top / scale)),
                min(width, int(np.ceil(right / scale))),
                min(height, int(np.ceil(bottom / scale))),
            ),
            round(score, 2),
        )
        for (left, top, right, bottom), score in _distinct(found)
    )


def _tallest(picture: _Grey) -> float:
    return max(12.0, _TALLEST * float(max(picture.shape)))


def _components(picture: _Grey) -> tuple[NDArray[np.int32], list[Character]]:
    """Return (N, 4) boxes brighter than their surroundings, and those that look like characters."""
    side = max(picture.shape)
    across = max(9, round(_WIDEST_STROKE * side) | 1)
    raised = np.asarray(
        cv2.morphologyEx(picture, cv2.MORPH_TOPHAT, np.ones((across, across), np.uint8)), np.float32
    )
    edges = np.asarray(
        cv2.morphologyEx(raised, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.float32
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (raised > _LEAST_CONTRAST).astype(np.uint8), connectivity=8
    )
    left, top, width, height, area = stats.T
    longest, shortest = np.maximum(width, height), np.minimum(width, height)
    # Letters that touch are one component, as long as their word.
    small = (longest >= _LEAST_HEIGHT) & (shortest <= _tallest(picture)) & (longest <= side / 3)
    small[0] = False  # the background
    likely = np.flatnonzero(small & (area >= 0.1 * width * height))[:_MOST_COMPONENTS]
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    characters = []
    for label in likely:
        window = np.s_[top[label] : boxes[label, 3], left[label] : boxes[label, 2]]
        character = _character(boxes[label], raised[window], edges[window], labels[window] == label)
        if character is not None:
            characters.append(character)
    return boxes[small].astype(np.int32), characters


def _character(
    box: NDArray[np.int32], raised: _Grey, edges: _Grey, own: NDArray[np.bool_]
) -> Character | None:
    """Return a component as a character, None if its strokes or edges are none of writing."""
    contrast = float(np.percentile(raised[own], 90))
    core = own & (raised > contrast / 2)
    distance = cv2.distanceTransform(np.pad(core, 1).astype(np.uint8), cv2.DIST_L2, 3)
    stroke = 2 * float(distance.max())
    boundary = core & (distance[1:-1, 1:-1] <= 1.5)
    if not boundary.any() or stroke > 0.5 * max(own.shape):
        return None
    sharpness = float(edges[boundary].mean()) / contrast
    if sharpness < _LEAST_SHARPNESS:
        return None
    evenness = 1 - min(1.0, float(raised[core].std()) / contrast)
    left, top, right, bottom = (int(one) for one in box)
    return Character(
        left, top, right, bottom, stroke, contrast,
        quality=min(1.0, sharpness) * evenness * min(1.0, contrast / _FULL_CONTRAST),
        letters=(_crossings(core), _crossings(core.T)),
    )  # fmt: skip


def _crossings(core: NDArray[np.bool_]) -> float:
    """Return how many letters a component holds: those that touch cross a row more often."""
    starts = np.diff(np.pad(core, ((0, 0), (1, 0))).astype(np.int8), axis=1) > 0
    return max(1.0, float(starts.sum(axis=1).mean()) / _CROSSINGS_OF_A_LETTER)


def _distinct(found: list[tuple[Box, float]]) -> Iterator[tuple[Box, float]]:
    """Yield boxes, the surest first, without those that lie mostly in a surer one."""
    kept: list[Box] = []
    for box, score in sorted(found, key=lambda one: -one[1]):
        if not any(_share_inside(box, other) > 0.7 for other in kept):
            kept.append(box)
            yield box, score


def _share_inside(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    area = max(1, (box[2] - box[0]) * (box[3] - box[1]))
    return max(0, width) * max(0, height) / area
