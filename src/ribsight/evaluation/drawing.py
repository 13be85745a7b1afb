"""One radiograph with truth dashed, marks solid or, where doubtful, dotted: told apart in grey."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.predictions import Mark
from ribsight.findings import Certainty

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

LONGEST_SIDE = 420
TRUTH_COLOUR = "#56B4E9"
MARK_COLOUR = "#F0A30A"
_DASH, _GAP = 6.0, 4.0
_DOT, _DOT_GAP = 3.0, 6.0
# Pictures are shown at about half their size, where smaller letters could not be read.
_TEXT = 20


def draw_example(
    pixels: NDArray[np.uint8],
    stored_size: tuple[float, float],
    outlines: Sequence[NDArray[np.float64]],
    marks: Sequence[Mark],
    *,
    longest_side: int = LONGEST_SIDE,
    window: tuple[float, float, float, float] | None = None,
) -> "Image":
    """Return the picture with outlines dashed and marks solid, reduced if it is too long.

    Args:
        pixels: (H, W) the whole radiograph at any scale.
        stored_size: width and height in stored pixels, in which all coordinates are.
        outlines: (P, 2) closed polygons.
        marks: each drawn as box, cross at the location, and its probability, or its score where
            that is not known; the box of a doubtful one is dotted.
        longest_side: of the picture, in pixels; a window is enlarged to it.
        window: x0, y0, x1, y1 in stored pixels of the part to show, with its own greys made to fill
            the range; what of it lies outside the radiograph is left away.
    """
    from PIL import Image, ImageDraw

    if window is not None:
        pixels, stored_size, (left, top) = _cut(pixels, stored_size, window)
        outlines = [outline - (left, top) for outline in outlines]
        moved = [_moved(mark, left, top) for mark in marks]
        marks = [one for one in moved if _inside(one, stored_size)]
    scale = longest_side / max(pixels.shape)
    scale = min(1.0, scale) if window is None else scale
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    filter_ = Image.Resampling.BOX if scale <= 1 else Image.Resampling.BICUBIC
    if window is not None:
        pixels = _stretched(pixels)
    picture = Image.fromarray(pixels).resize(size, filter_).convert("RGB")
    to_picture = np.array(size) / np.array(stored_size)
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        _draw_mark(pen, mark, to_picture, size)
    for outline in outlines:
        dashes = _dashes(outline * to_picture)
        # Dark beneath, so that a light line shows on bone as on air.
        for dash in dashes:
            pen.line(dash, fill="black", width=4)
        for dash in dashes:
            pen.line(dash, fill=TRUTH_COLOUR, width=2)
    return picture


def _cut(
    pixels: NDArray[np.uint8],
    stored_size: tuple[float, float],
    window: tuple[float, float, float, float],
) -> tuple[NDArray[np.uint8], tuple[float, float], tuple[float, float]]:
    """Return the window's pixels, its size and its top-left corner in stored pixels."""
    to_pixels = np.array(pixels.shape[::-1]) / np.array(stored_size)
    low = np.floor(np.maximum(np.array(window[:2]) * to_pixels, 0)).astype(int)
    high = np.ceil(np.minimum(np.array(window[2:]) * to_pixels, pixels.shape[::-1])).astype(int)
    low = np.minimum(low, np.array(pixels.shape[::-1]) - 1)
    high = np.maximum(high, low + 1)
    left, top = (low / to_pixels).tolist()
    width, height = ((high - low) / to_pixels).tolist()
    return pixels[low[1] : high[1], low[0] : high[0]], (width, height), (left, top)


def _stretched(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture with its 1st and 99th percentiles at black and white."""
    low, high = np.percentile(pixels, [1, 99])
    if high <= low:
        return pixels
    grey = (pixels.astype(np.float64) - low) / (high - low)
    return np.asarray(np.clip(grey, 0, 1) * 255, dtype=np.uint8)


def _moved(mark: Mark, left: float, top: float) -> Mark:
    x0, y0, x1, y1 = mark.box
    box = (x0 - left, y0 - top, x1 - left, y1 - top)
    return replace(mark, x=mark.x - left, y=mark.y - top, box=box)


def _inside(mark: Mark, size: tuple[float, float]) -> bool:
    return 0 <= mark.x <= size[0] and 0 <= mark.y <= size[1]


def _draw_mark(
    pen: "ImageDraw", mark: Mark, to_picture: NDArray[np.float64], size: tuple[int, int]
) -> None:
    x0, y0, x1, y1 = (float(v) for v in np.array(mark.box) * np.tile(to_picture, 2))
    x, y = (float(v) for v in np.array([mark.x, mark.y]) * to_picture)
    boxed = not np.isnan(x0)
    if not boxed:
        x0, y0, x1, y1 = x, y - 6, x, y + 6
    for colour, width in (("black", 4), (MARK_COLOUR, 2)):
        if boxed and mark.certainty is Certainty.DOUBTFUL:
            corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
            for dot in _dashes(corners, _DOT, _DOT_GAP):
                pen.line(dot, fill=colour, width=width)
        elif boxed:
            pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour, width=width)
        pen.line((x - 5, y, x + 5, y), fill=colour, width=width)
        pen.line((x, y - 5, x, y + 5), fill=colour, width=width)
    sure = mark.probability
    label = f"{mark.score:.2f}" if sure is None else f"{100 * sure:.0f} %"
    text_x = min(max(2.0, x0), size[0] - 2.2 * _TEXT)
    text_y = y0 - 1.2 * _TEXT if y0 >= 1.3 * _TEXT else min(y1 + 2, size[1] - 1.2 * _TEXT)
    pen.text(
        (text_x, text_y),
        label,
        fill=MARK_COLOUR,
        font_size=_TEXT,
        stroke_width=2,
        stroke_fill="black",
    )


def _dashes(
    outline: NDArray[np.float64], dash: float = _DASH, gap: float = _GAP
) -> list[list[tuple[float, float]]]:
    """Cut a closed polygon into dashes of equal length, corners kept."""
    closed = np.vstack([outline, outline[:1]])
    lengths = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    at_corner = np.concatenate([[0], np.cumsum(lengths)])
    dashes = []
    for start in np.arange(0, at_corner[-1], dash + gap):
        stop = min(start + dash, at_corner[-1])
        corners = at_corner[(at_corner > start) & (at_corner < stop)]
        along = np.concatenate([[start], corners, [stop]])
        xs = np.interp(along, at_corner, closed[:, 0])
        ys = np.interp(along, at_corner, closed[:, 1])
        dashes.append([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)])
    return dashes
