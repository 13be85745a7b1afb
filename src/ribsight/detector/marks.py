"""Probability map -> marks: peaks with a score, a location and a box.

Pure functions on one (h, w) map; everything is in cells until `to_marks` carries it to stored
pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.detector.settings import STRIDE, MarkSettings
from ribsight.evaluation.predictions import Mark
from ribsight.radiographs.preprocess import Affine

_REACHED = 2


@dataclass(frozen=True, eq=False)
class Peaks:
    """Local maxima of one map, highest first: (n,) rows, columns and scores."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    scores: NDArray[np.float32]


def find_peaks(probability: NDArray[np.float32], settings: MarkSettings) -> Peaks:
    """Return the local maxima of a map, none within `settings.separation` of a higher one.

    A plateau counts once. With equal scores the upper, then the left cell comes first.

    Args:
        probability: (h, w) probabilities.
        settings: least score, separation and number.

    """
    radius = settings.separation * max(probability.shape)
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    disc = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2
    # Beyond the border nothing counts; OpenCV does this many times faster than SciPy.
    highest = cv2.dilate(probability, disc.astype(np.uint8))
    is_peak = (probability == highest) & (probability >= settings.minimum_score)
    rows, columns = np.nonzero(is_peak)
    order = np.argsort(-probability[rows, columns], kind="stable")
    kept: list[int] = []
    for index in order:
        if len(kept) == settings.most:
            break
        away = (rows[kept] - rows[index]) ** 2 + (columns[kept] - columns[index]) ** 2
        if np.all(away > radius**2):
            kept.append(int(index))
    return Peaks(rows[kept], columns[kept], probability[rows, columns][kept])


def box_around(
    probability: NDArray[np.float32], peaks: Peaks, index: int, level: float
) -> tuple[int, int, int, int]:
    """Return the box of the connected cells around a peak that stay above `level` of its score.

    Only cells that are nearer to it than to any other peak count (to the higher of two that are
    equally near): else a faint mark's box would run over into a brighter neighbour.

    Args:
        probability: (h, w) probabilities.
        peaks: of the map.
        index: which of them.
        level: share of the peak's score, in (0, 1).

    Returns:
        x0, y0, x1, y1 in cells; x1 and y1 are the right and lower edge of the last cell.
    """
    row, column = int(peaks.rows[index]), int(peaks.columns[index])
    above = (probability >= level * probability[row, column]).astype(np.uint8)
    left, top, width, height = _connected(above, row, column)
    # Its own cells lie in that box: nearness is asked of no others.
    part = above[top : top + height, left : left + width]
    rows = (np.arange(top, top + height) - peaks.rows[:, None]) ** 2
    columns = (np.arange(left, left + width) - peaks.columns[:, None]) ** 2
    own = np.argmin(rows[:, :, None] + columns[:, None, :], axis=0) == index
    x, y, width, height = _connected(
        (own & (part == _REACHED)).astype(np.uint8), row - top, column - left
    )
    return left + x, top + y, left + x + width, top + y + height


def _connected(cells: NDArray[np.uint8], row: int, column: int) -> tuple[int, int, int, int]:
    """Set the cells of 1 that are connected with one to `_REACHED`; return x, y, width, height."""
    _, _, _, (left, top, width, height) = cv2.floodFill(
        cells, None, (column, row), (_REACHED,), flags=4
    )
    return left, top, width, height


def to_marks(
    probability: NDArray[np.float32],
    settings: MarkSettings,
    affine: Affine,
    width: int,
    height: int,
) -> tuple[Mark, ...]:
    """Return the marks of one map in stored pixels, highest score first.

    A peak outside the radiograph (in the padding around it) is no mark.

    Args:
        probability: (h, w) probabilities at stride `STRIDE` of the network image.
        settings: how to read peaks and boxes.
        affine: stored pixels -> network pixels.
        width: of the stored image.
        height: of the stored image.

    """
    peaks = find_peaks(probability, settings)
    marks: list[Mark] = []
    found = zip(peaks.rows.tolist(), peaks.columns.tolist(), peaks.scores, strict=True)
    for index, (row, column, score) in enumerate(found):
        x0, y0, x1, y1 = box_around(probability, peaks, index, settings.box_level)
        cells = np.array([[column + 0.5, row + 0.5], [x0, y0], [x1, y1]], dtype=np.float64)
        stored = affine.to_stored(cells * STRIDE)
        x, y = stored[0]
        if not (0 <= x <= width and 0 <= y <= height):
            continue
        # A mirrored image exchanges first and last.
        corners = np.sort(np.clip(stored[1:], 0, [width, height]), axis=0)
        box = (
            float(corners[0, 0]),
            float(corners[0, 1]),
            float(corners[1, 0]),
            float(corners[1, 1]),
        )
        marks.append(Mark(x=float(x), y=float(y), box=box, score=float(score)))
    return tuple(marks)
