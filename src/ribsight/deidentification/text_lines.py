"""Characters that stand beside each other -> lines of text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

_FEWEST_LETTERS = 3
_LEAST_SCORE = 2.5
_LEAST_ALIGNED = 0.6
_WIDEST = 8
_LEAST_HEIGHT = 5
_SIDE_MARGIN = 0.8
_MARGIN = 0.35


@dataclass(frozen=True)
class Character:
    """A component that looks like a character.

    Attributes:
        left, top, right, bottom: its box in pixels.
        stroke: its width in pixels.
        contrast: over its surroundings, in grey levels from 0 to 255.
        quality: from 0 to 1, how sharp and even it is.
        letters: how many touching letters it may be, read along rows and along columns.
    """

    left: int
    top: int
    right: int
    bottom: int
    stroke: float
    contrast: float
    quality: float
    letters: tuple[float, float]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    def turned(self) -> "Character":
        """Return it with rows and columns exchanged."""
        return replace(
            self, left=self.top, top=self.left, right=self.bottom, bottom=self.right,
            letters=self.letters[::-1],
        )  # fmt: skip


def rows_of(characters: Sequence[Character]) -> Iterator[tuple[list[Character], float]]:
    """Yield the rows of like characters that look like text, each with its score."""
    standing = sorted(
        (
            one
            for one in characters
            if one.height >= _LEAST_HEIGHT and one.width <= _WIDEST * one.height
        ),
        key=lambda one: one.left,
    )
    farthest = max((one.width + one.height for one in standing), default=0)
    group = list(range(len(standing)))
    for index, one in enumerate(standing):
        for later in range(index + 1, len(standing)):
            if standing[later].left - one.left > farthest:
                break
            if _are_neighbours(one, standing[later]):
                group[_root(group, later)] = _root(group, index)
    rows: dict[int, list[Character]] = {}
    for index, one in enumerate(standing):
        rows.setdefault(_root(group, index), []).append(one)
    for row in rows.values():
        score = _score(row)
        if score >= _LEAST_SCORE:
            yield row, score


def _root(group: list[int], index: int) -> int:
    while group[index] != index:
        group[index] = group[group[index]]
        index = group[index]
    return index


def _are_neighbours(one: Character, other: Character) -> bool:
    tall, short = max(one.height, other.height), min(one.height, other.height)
    gap = max(one.left, other.left) - min(one.right, other.right)
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return (
        tall <= 2.0 * short
        and -0.3 * short < gap <= tall
        and shared >= 0.6 * short
        and max(one.contrast, other.contrast) <= 2.0 * min(one.contrast, other.contrast)
        and max(one.stroke, other.stroke) <= 2.5 * min(one.stroke, other.stroke)
    )


def _score(row: list[Character]) -> float:
    """Return how many characters a row looks like; 0 if too few, or if they stand on no line."""
    height = float(np.median([one.height for one in row]))
    letters = [min(one.letters[0], max(1.0, one.width / (0.8 * height))) for one in row]
    if sum(letters) < _FEWEST_LETTERS:
        return 0.0
    tolerance = max(1.0, 0.15 * height)
    aligned = max(
        float((np.abs(edges - np.median(edges)) <= tolerance).mean())
        for edges in (
            np.array([one.bottom for one in row]),
            np.array([one.top for one in row]),
        )
    )
    if aligned < _LEAST_ALIGNED:
        return 0.0
    return aligned * sum(one.quality * count for one, count in zip(row, letters, strict=True))


def cover_rows(
    rows: Iterable[tuple[list[Character], float]], boxes: NDArray[np.int32]
) -> Iterator[tuple[Box, float]]:
    """Yield a box for each row that covers all of its line, and the row's score.

    Characters that were too faint or joined to count still belong to the line that they stand in.

    Args:
        rows: of characters.
        boxes: (N, 4) of all small components.
    """
    for row, score in rows:
        height = float(np.median([one.height for one in row]))
        top, bottom = min(one.top for one in row), max(one.bottom for one in row)
        left, right = min(one.left for one in row), max(one.right for one in row)
        heights = boxes[:, 3] - boxes[:, 1]
        shared = np.minimum(boxes[:, 3], bottom) - np.maximum(boxes[:, 1], top)
        beside = boxes[(shared >= 0.5 * heights) & (heights <= 1.6 * (bottom - top))]
        while True:
            reach = 1.5 * height
            near = beside[(beside[:, 0] <= right + reach) & (beside[:, 2] >= left - reach)]
            wider = (
                min([left, *near[:, 0].tolist()]),
                max([right, *near[:, 2].tolist()]),
            )
            if wider == (left, right):
                break
            left, right = wider
        up, side = round(_MARGIN * height) + 1, round(_SIDE_MARGIN * height) + 1
        yield (left - side, top - up, right + side, bottom + up), score
