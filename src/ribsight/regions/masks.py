"""Masks of annotation files -> polygons along the edges of their pixels."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ribsight.regions.annotations import Fault, UnusableError
from ribsight.regions.region import Polygon

MAX_PIXELS = 2**28

Mask = NDArray[np.bool_]


def mask_polygons(mask: Mask, offset: tuple[float, float] = (0.0, 0.0)) -> tuple[Polygon, ...]:
    """Return polygons that cover the mask's pixels exactly and do not overlap.

    They run along the edges of pixels, the pixel in row r, column c spanning [c, c + 1] x
    [r, r + 1]; so a box around them is the box of the mask, and their area its pixel count. A part
    with a hole is cut in two through the hole.

    Args:
        mask: (H, W).
        offset: x, y of the mask's top-left corner in the image.

    Raises:
        UnusableError: no pixel is set.
    """
    if not mask.any():
        raise UnusableError(Fault.NO_AREA, "its mask is empty")
    polygons = []
    waiting = [(mask, 0, 0)]
    while waiting:
        part, x, y = waiting.pop()
        labelled, _ = ndimage.label(part)
        for number, (rows, columns) in enumerate(ndimage.find_objects(labelled), 1):
            piece = labelled[rows, columns] == number
            left, top = x + columns.start, y + rows.start
            cut = _column_of_a_hole(piece)
            if cut is None:
                polygons.append(_trace(piece) + np.array([left + offset[0], top + offset[1]]))
            else:
                waiting += [(piece[:, :cut], left, top), (piece[:, cut:], left + cut, top)]
    return tuple(polygons)


def _column_of_a_hole(piece: Mask) -> int | None:
    around, count = ndimage.label(np.pad(~piece, 1, constant_values=True), np.ones((3, 3)))
    if count == 1:
        return None
    hole = int(next(one for one in range(1, count + 1) if one != around[0, 0]))
    return int(np.flatnonzero((around == hole).any(axis=0))[0]) - 1


def _trace(piece: Mask) -> Polygon:
    """Follow the pixel edges around one 4-connected part without holes, clockwise."""
    padded = np.pad(piece, 1)
    inside = padded[1:-1, 1:-1]
    ends: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    # Of each side of a pixel: the neighbour beyond it, and where the edge starts and ends.
    for beyond, start, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for row, column in np.argwhere(inside & ~beyond).tolist():
            ends[column + start[0], row + start[1]].append((column + end[0], row + end[1]))
    first = here = min(ends)
    came = (0, -1)
    corners: list[tuple[int, int]] = []
    while True:
        options = ends[here]
        right = (here[0] - came[1], here[1] + came[0])
        there = right if right in options else options[0]
        options.remove(there)
        step = (there[0] - here[0], there[1] - here[1])
        if step != came:
            corners.append(here)
        here, came = there, step
        if here == first and not ends[here]:
            return np.array(corners, dtype=np.float64)


def runs_mask(runs: Sequence[int], height: int, width: int, *, by_column: bool) -> Mask:
    """Return the mask of runs that alternate between outside and inside, beginning outside.

    Raises:
        UnusableError: the runs are not those of a mask of this size.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise UnusableError(Fault.REFERENCE, f"its mask has the size {width} x {height}")
    lengths = np.asarray(runs, dtype=np.int64)
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise UnusableError(
            Fault.REFERENCE,
            f"its runs are not those of a mask of {width} x {height} pixels",
        )
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape((width, height)).T if by_column else flat.reshape((height, width))


def coco_runs(text: str) -> list[int]:
    """Return the runs of COCO's compressed run-length string.

    Each number is written in groups of five bits, lowest first, from character '0' on; 0x20 says
    that another group follows and 0x10 of the last group is the sign. From the third run on, the
    difference to the run two before is written.

    Raises:
        UnusableError: it is no such string.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise UnusableError(Fault.REFERENCE, "its run-length string cannot be decoded")
        value |= (group & 0x1F) << shift
        shift += 5
        if not group & 0x20:
            if group & 0x10:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    if shift:
        raise UnusableError(Fault.REFERENCE, "its run-length string ends in the middle")
    return runs


def brush_mask(code: Sequence[int], height: int, width: int) -> Mask:
    """Return the mask of a Label Studio brush: RGBA pixels in the run-length code of rle-pack.

    The code is a stream of bits: 32 for the number of values, 5 for a value's size less one, four
    times 4 for the sizes less one of run lengths; then packets of 1 bit (run or literals), 2 bits
    (which size), the length less one in that size, and one value, or as many as the length says.
    Source: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack.

    Raises:
        UnusableError: it is no such code, or not of an image of this size.
    """
    if not 0 < height * width <= MAX_PIXELS // 4:
        raise UnusableError(Fault.REFERENCE, f"its brush has the size {width} x {height}")
    try:
        bits = _Bits(bytes(code))
        count = bits.read(32)
        if count != height * width * 4:
            raise UnusableError(
                Fault.REFERENCE,
                f"its brush has {count} values, not 4 for each of {width} x {height} pixels",
            )
        size = bits.read(5) + 1
        lengths = [bits.read(4) + 1 for _ in range(4)]
        values = np.zeros(count, dtype=np.uint32)
        place = 0
        while place < count:
            is_run = bits.read(1)
            length = bits.read(lengths[bits.read(2)]) + 1
            if is_run:
                values[place : place + length] = bits.read(size)
            else:
                for index in range(place, min(place + length, count)):
                    values[index] = bits.read(size)
            place += length
    except (TypeError, ValueError, EOFError) as error:
        raise UnusableError(Fault.REFERENCE, "its brush cannot be decoded") from error
    return values.reshape(height, width, 4)[:, :, 3] > 0


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def read(self, count: int) -> int:
        start, end = self._place // 8, (self._place + count + 7) // 8
        if end > len(self._content):
            raise EOFError
        self._place += count
        value = int.from_bytes(self._content[start:end])
        return value >> (end * 8 - self._place) & ((1 << count) - 1)
