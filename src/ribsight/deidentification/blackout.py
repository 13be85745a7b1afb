"""Boxes of a picture painted black."""

from collections.abc import Sequence

from ribsight.deidentification.dataset import LOOKED_AT, state_painted
from ribsight.deidentification.opening import Film, open_film
from ribsight.deidentification.pixels import CleanPixels, plain_pixels
from ribsight.deidentification.writing import file_content
from ribsight.radiographs.attributes import UnusableDicomError
from ribsight.radiographs.quiet import silent_pydicom

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in stored pixels; right and bottom are outside."""


def painted(film: Film, boxes: Sequence[Box]) -> CleanPixels:
    """Return a film's samples, uncompressed, with boxes as dark as its darkest pixel."""
    stored = film.stored.copy()
    if film.header.samples == 3:
        darkest = 0
    else:
        darkest = int(stored.max() if film.rendering.inverted else stored.min())
    for left, top, right, bottom in boxes:
        stored[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = darkest
    return plain_pixels(stored, film.dataset, film.header)


def paint_file(content: bytes, boxes: Sequence[Box]) -> bytes:
    """Return a de-identified file with the boxes painted over that a person chose, and says so.

    Raises:
        UnusableDicomError: it is damaged.
    """
    try:
        with silent_pydicom():
            film = open_film(content)
            pixels = painted(film, boxes)
            state_painted(film.dataset, LOOKED_AT)
            return file_content(film.dataset, pixels)
    except Exception as error:  # pydicom and decoders raise nearly anything on damaged bytes
        raise UnusableDicomError(f"is a damaged DICOM file ({type(error).__name__})") from None
