"""The film as everybody can see it: a colour copy with boxes drawn, and a panel that says the rest.

The film keeps its top-left corner, so stored pixels are those of the picture divided by `scale`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ribsight.deployment.results.said import NumberedMark
from ribsight.findings import Certainty

CONFIDENT_COLOUR = (240, 163, 10)
DOUBTFUL_COLOUR = (86, 180, 233)
_PLAIN_COLOUR = (255, 255, 255)
_BLACK = (0, 0, 0)
Box = tuple[int, int, int, int]
"""Pixels of the film: first column, first row, last column, last row."""


def colour_of(certainty: Certainty | None) -> tuple[int, int, int]:
    """Return the colour of a box; solid and dotted lines tell certainty apart without it."""
    match certainty:
        case Certainty.CONFIDENT:
            return CONFIDENT_COLOUR
        case Certainty.DOUBTFUL:
            return DOUBTFUL_COLOUR
        case None:
            return _PLAIN_COLOUR


@dataclass(frozen=True, eq=False)
class Film:
    """A film ready to be drawn on.

    Attributes:
        pixels: (h, w) greys, or (h, w, 3) colours, as displayed.
        width: of the image in stored pixels.
        height: of the image in stored pixels.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Pixels of the film for each stored one, along x and y."""
        height, width = self.pixels.shape[:2]
        return width / self.width, height / self.height

    @property
    def _side(self) -> int:
        height, width = self.pixels.shape[:2]
        return int(max(height, width))

    @property
    def line(self) -> int:
        """Width of a line that is seen on a film of this size."""
        return max(2, round(self._side / 700))

    @property
    def letters(self) -> int:
        """Height of letters that are read on a film of this size."""
        return min(max(14, round(self._side / 50)), 44)


def film_of(pixels: NDArray[np.unsignedinteger], bits: int, longest_side: int) -> Film:
    """Return the film of (H, W) presentation values of `bits`, reduced where it is too long."""
    height, width = pixels.shape
    factor = min(1.0, longest_side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    grey = (pixels >> (bits - 8)).astype(np.uint8)
    if factor < 1:
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Film(grey, width, height)


def draw_boxes(film: Film, marks: Sequence[NumberedMark]) -> Image.Image:
    """Return the film with each mark's box, solid where confident, dotted where doubtful, numbered.

    Lines run outside the box: what lies in it stays as it was.
    """
    picture = Image.fromarray(film.pixels).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for one in reversed(marks):  # so that the first is on top
        box = box_on_film(one, film)
        colour = colour_of(one.mark.certainty)
        is_dotted = one.mark.certainty is Certainty.DOUBTFUL
        for fill, more in ((_BLACK, 1), (colour, 0)):
            for part in _outline(_around(box, film), film.line, dotted=is_dotted):
                x0, y0, x1, y1 = part
                pen.rectangle((x0 - more, y0 - more, x1 + more, y1 + more), fill=fill)
        _number(pen, one.number, box, film, colour)
    return picture


def box_on_film(one: NumberedMark, film: Film) -> Box:
    """Return the pixels of the film that a mark's box covers."""
    x0, y0, x1, y1 = np.array(one.mark.box) * np.tile(film.scale, 2)
    left, top = int(np.floor(x0)), int(np.floor(y0))
    return left, top, max(int(np.ceil(x1)) - 1, left), max(int(np.ceil(y1)) - 1, top)


def _around(box: Box, film: Film) -> Box:
    """Return what a line around a box fills, which stays on the film."""
    height, width = film.pixels.shape[:2]
    line = film.line
    left, top = max(box[0] - line, 0), max(box[1] - line, 0)
    right, bottom = min(box[2] + line, width - 1), min(box[3] + line, height - 1)
    return left, top, max(right, left + line), max(bottom, top + line)


def _outline(box: Box, line: int, *, dotted: bool) -> Iterator[Box]:
    """Yield the rectangles that make up a line just inside the edges of `box`."""
    x0, y0, x1, y1 = box
    inner = line - 1
    rows = ((x0, y0, x1, y0 + inner), (x0, y1 - inner, x1, y1))
    columns = ((x0, y0, x0 + inner, y1), (x1 - inner, y0, x1, y1))
    if not dotted:
        yield from rows
        yield from columns
        return
    for left, top, right, bottom in rows:
        for start in _dots(left, right, line):
            yield start, top, min(start + 2 * line - 1, right), bottom
    for left, top, right, bottom in columns:
        for start in _dots(top, bottom, line):
            yield left, start, right, min(start + 2 * line - 1, bottom)


def _dots(first: int, last: int, line: int) -> list[int]:
    """Return where dots begin, so that one stands at either end."""
    length = last - first + 1 - 2 * line
    count = max(round(length / (5 * line)), 1)
    return [first + round(length * at / count) for at in range(count + 1)]


def _number(
    pen: ImageDraw.ImageDraw,
    number: int,
    box: Box,
    film: Film,
    colour: tuple[int, int, int],
) -> None:
    size, gap = film.letters, film.line + 3
    height, width = film.pixels.shape[:2]
    above = box[1] - gap - 1.2 * size
    y = above if above >= 0 else min(box[3] + gap, height - 1.2 * size)
    x = min(max(box[0] - gap, 2), width - size)
    pen.text((x, y), str(number), fill=colour, font_size=size, stroke_width=2, stroke_fill=_BLACK)
