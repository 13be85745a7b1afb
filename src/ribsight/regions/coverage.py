"""Drawn regions -> maps: the exact share of every grid cell that polygons cover.

Rounding corners to cells shifts and erases small lesions; a fracture is often two or three cells
wide at stride 4. The signed-area accumulation used here is the one of font rasterisers: an edge
adds its height to every cell on its right, and the trapezoid it cuts off to its own cell.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ribsight.regions.region import Polygon


def coverage(polygons: Iterable[Polygon], height: int, width: int) -> NDArray[np.float32]:
    """Return the share of each cell that lies inside the polygons.

    Exact for simple polygons that do not overlap each other. Parts outside the grid are cut off.

    Args:
        polygons: (P, 2) vertices x, y in cells; the cell in row r, column c spans
            [c, c + 1] x [r, r + 1].
        height: rows of the grid.
        width: columns of the grid.

    Returns:
        (height, width) shares in [0, 1].

    >>> coverage([np.array([[0.5, 0.0], [2.0, 0.0], [2.0, 1.0], [0.5, 1.0]])], 1, 3).tolist()
    [[0.5, 1.0, 0.0]]
    """
    total = np.zeros((height, width), dtype=np.float64)
    for polygon in polygons:
        total += np.abs(_signed_coverage(polygon, height, width))
    return np.clip(total, 0.0, 1.0).astype(np.float32)


def _signed_coverage(polygon: Polygon, height: int, width: int) -> NDArray[np.float64]:
    start, end = _segments_within_cells(np.vstack([polygon, polygon[:1]]))
    middle_x, middle_y = (start + end).T / 2
    rise = end[:, 1] - start[:, 1]
    inside = (middle_y >= 0) & (middle_y < height) & (rise != 0)
    middle_x = np.clip(middle_x[inside], 0.0, width)
    row = middle_y[inside].astype(np.intp)
    column = np.minimum(middle_x.astype(np.intp), width)
    rise = rise[inside]
    own = rise * (1.0 - (middle_x - column))
    # Two spare columns take what lies at or beyond the right edge.
    change = np.zeros((height, width + 2), dtype=np.float64)
    np.add.at(change, (row, column), own)
    np.add.at(change, (row, column + 1), rise - own)
    return np.cumsum(change, axis=1)[:, :width]


def _segments_within_cells(
    ring: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut the edges of a closed ring at every grid line, so that no piece spans two cells."""
    starts, ends = [], []
    for begin, finish in pairwise(ring):
        cuts = [np.array([0.0, 1.0])]
        for axis in (0, 1):
            low, high = sorted((begin[axis], finish[axis]))
            lines = np.arange(np.floor(low) + 1, np.ceil(high))
            if lines.size:
                cuts.append((lines - begin[axis]) / (finish[axis] - begin[axis]))
        share = np.sort(np.concatenate(cuts))[:, None]
        points = begin + share * (finish - begin)
        starts.append(points[:-1])
        ends.append(points[1:])
    return np.concatenate(starts), np.concatenate(ends)
