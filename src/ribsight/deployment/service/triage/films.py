"""Received files -> what the page shows of them: samples it can window, and a few words."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.radiograph import Radiograph

LONGEST_SIDE = 2048
"""Pixels that are sent along the longer side at most."""

_TOP = 65535
_KEPT_BYTES = 96 << 20


@dataclass(frozen=True)
class Film:
    """The pixels of an image as they are sent.

    Attributes:
        width: of what is sent.
        height: likewise.
        stored: width and height of the stored image.
        scale: stored pixels per sent pixel; the sent image covers the stored one exactly.
        window: samples that are black and white at first.
        samples: little-endian 16-bit samples, row by row, upright as stored, bone bright.
        accession: of the order, as the header says; "" if it does not.
        study_date: YYYYMMDD, likewise.
        view: likewise.
    """

    width: int
    height: int
    stored: tuple[int, int]
    scale: float
    window: tuple[int, int]
    samples: bytes
    accession: str
    study_date: str
    view: str


class Films:
    """Reads films in a guarded child, and keeps the last ones for who asks again."""

    def __init__(self) -> None:
        """Start no child before the first film."""
        self._reader = GuardedReader()
        self._kept: OrderedDict[str, Film] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the child."""
        self._reader.close()

    def film(self, image: str, path: Path) -> Film:
        """Return the film of an image.

        Raises:
            UnreadableImageError: the file gives no pixels.
        """
        with self._lock:
            if image in self._kept:
                self._kept.move_to_end(image)
                return self._kept[image]
        film = film_of(self._reader.read(path, _called(image), wide=True))
        with self._lock:
            self._kept[image] = film
            while sum(len(one.samples) for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return film

    def radiograph(self, image: str, path: Path) -> Radiograph:
        """Return an image as a detector sees it. Raises UnreadableImageError likewise."""
        return self._reader.read(path, _called(image))


def _called(image: str) -> str:
    return f"image {image[:12]}"


def film_of(radiograph: Radiograph) -> Film:
    """Return what is sent of a radiograph: reduced to `LONGEST_SIDE` by averaging, if need be."""
    stored = radiograph.pixels
    height, width = stored.shape
    scale = max(max(width, height) / LONGEST_SIDE, 1.0)
    sent = _sixteen_bits(stored)
    if scale > 1:
        size = max(round(width / scale), 1), max(round(height / scale), 1)
        sent = np.asarray(cv2.resize(sent, size, interpolation=cv2.INTER_AREA), np.uint16)
    about = radiograph.identifiers
    return Film(
        width=sent.shape[1],
        height=sent.shape[0],
        stored=(width, height),
        scale=scale,
        window=radiograph.window or (0, _TOP),
        samples=sent.astype("<u2").tobytes(),
        accession=about.accession_number or "",
        study_date=about.study_date or "",
        view=str(radiograph.view or ""),
    )


def _sixteen_bits(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint16]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return pixels.astype(np.uint16, copy=False)
