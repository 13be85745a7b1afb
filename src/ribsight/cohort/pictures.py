"""What a radiograph looks like, small and without its exposure: for telling copies of one film."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from ribsight.cohort.cache import PixelCache
from ribsight.radiographs import Preprocessing
from ribsight.radiographs.preprocess import equalised

SIDE = 128
"""Of the network pixels that pictures are made of, and of `Picture.fine`."""
SMALL = Preprocessing(SIDE)
FREQUENCIES = 10
ORIENTATIONS = (
    "as it is",
    "mirrored top to bottom",
    "mirrored left to right",
    "turned by 180 degrees",
    "mirrored along a diagonal",
    "turned left by 90 degrees",
    "turned right by 90 degrees",
    "mirrored along the other diagonal",
)
"""Names of what `oriented` does with 0, 1, ..., 7."""

_COARSE_SIDE = 64
# Reach of the local contrast, as shares of the picture's side.
_COARSE_REACH, _FINE_REACH = 0.06, 0.03
_RANGE_PERCENT = (0.5, 99.5)
# Rows and columns at the edge that span less of the range than this hold nothing.
_EMPTY = 0.06
_REMEMBERED = 4096


@dataclass(frozen=True, eq=False)
class Picture:
    """One radiograph's local contrast, stretched to a square.

    Attributes:
        coarse: (64, 64) float32, around 0.
        fine: (128, 128) float32, around 0.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]


class Pictures:
    """The pictures of a cohort's radiographs, made from its pixel cache when they are asked for.

    A radiograph has one picture, and a second one without its empty borders if it has any: a copy
    may have lost or won some.
    """

    def __init__(self, cache: PixelCache, sizes: NDArray[np.int64]) -> None:
        """Take the cache of `SMALL` network pixels, and (N, 2) stored width and height."""
        self._cache = cache
        self._sizes = sizes
        self.of = lru_cache(maxsize=_REMEMBERED)(self._of)

    def __len__(self) -> int:
        return len(self._cache)

    def _of(self, index: int) -> tuple[Picture, ...]:
        return tuple(_picture(one) for one in self._contents(index))

    def descriptors(self, index: int) -> NDArray[np.float32]:
        """Return (V, F, F) low frequencies of the coarse pictures of one radiograph."""
        coarse = np.stack([one.coarse for one in self.of(index)])
        low: NDArray[np.float32] = dctn(coarse, axes=(1, 2), norm="ortho")
        low = low[:, :FREQUENCIES, :FREQUENCIES].copy()
        low[:, 0, 0] = 0
        length = np.sqrt((low**2).sum(axis=(1, 2), keepdims=True))
        return np.asarray(low / np.maximum(length, 1e-6), np.float32)

    def _contents(self, index: int) -> Iterator[NDArray[np.float32]]:
        network, affine = self._cache.pixels(index), self._cache.affine(index)
        width, height = self._sizes[index]
        x, y = int(affine.offset_x), int(affine.offset_y)
        across, down = round(affine.scale_x * width), round(affine.scale_y * height)
        pixels = network[y : y + down, x : x + across].astype(np.float32)
        low, high = np.percentile(pixels, _RANGE_PERCENT)
        samples = ((pixels - low) / max(high - low, 1.0)).clip(0, 1).astype(np.float32)
        yield samples
        inside = _without_empty_borders(samples)
        if inside.shape != samples.shape:
            yield inside


def oriented(picture: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return (S, S) pixels turned or mirrored as `ORIENTATIONS` says."""
    if orientation & 4:
        picture = picture.T
    if orientation & 2:
        picture = picture[:, ::-1]
    if orientation & 1:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def oriented_frequencies(low: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return (..., F, F) frequencies of the pictures that `oriented` would give."""
    sign = (-1.0) ** np.arange(low.shape[-1], dtype=np.float32)
    if orientation & 4:
        low = np.swapaxes(low, -1, -2)
    if orientation & 2:
        low = low * sign
    if orientation & 1:
        low = low * sign[:, None]
    return np.ascontiguousarray(low, dtype=np.float32)


def _picture(samples: NDArray[np.float32]) -> Picture:
    shrinks = min(samples.shape) >= SIDE
    kernel = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = np.asarray(cv2.resize(samples, (SIDE, SIDE), interpolation=kernel), np.float32)
    coarse = equalised(square, _COARSE_REACH * SIDE) - np.float32(0.5)
    half = cv2.resize(coarse, (_COARSE_SIDE, _COARSE_SIDE), interpolation=cv2.INTER_AREA)
    fine = equalised(square, _FINE_REACH * SIDE) - np.float32(0.5)
    return Picture(np.asarray(half, np.float32), np.asarray(fine, np.float32))


def _without_empty_borders(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.flatnonzero(np.ptp(samples, axis=1) > _EMPTY)
    columns = np.flatnonzero(np.ptp(samples, axis=0) > _EMPTY)
    height, width = samples.shape
    if len(rows) < height // 2 or len(columns) < width // 2:
        return samples
    return samples[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
