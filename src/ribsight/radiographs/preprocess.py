"""Stored pixels -> the square the network sees, with the exact way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.radiographs.field import Field, collimated_field
from ribsight.radiographs.orientation import turned
from ribsight.radiographs.radiograph import MIN_SIDE, Orientation, Pixels, Radiograph

_WINDOW_PERCENT = (0.1, 99.9)
_BORDER_SHARE = 0.05
_CROP_MARGIN = 0.01
_FAINT = 0.015
_BAND_ROWS = 64
_WORDS = {"orientation": ("as_stored", "from_header"), "crop": ("none", "collimation")}


@dataclass(frozen=True)
class Affine:
    """network = scale * stored + offset, after x and y of stored are exchanged if `transposed`.

    Coordinates are x, y in pixels with their origin at the top-left corner of the top-left pixel,
    so the centre of that pixel is (0.5, 0.5) on both sides. A negative scale mirrors.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    transposed: bool = False

    def to_network(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (P, 2) x, y in stored pixels to network pixels."""
        points = points[..., ::-1] if self.transposed else points
        return points * (self.scale_x, self.scale_y) + (self.offset_x, self.offset_y)

    def to_stored(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (P, 2) x, y in network pixels to stored pixels."""
        points = (points - (self.offset_x, self.offset_y)) / (self.scale_x, self.scale_y)
        return points[..., ::-1] if self.transposed else points

    def boxes_to_network(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (B, 4) x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, and keep them so."""
        return _boxes(self.to_network(boxes.reshape(-1, 2, 2)))

    def boxes_to_stored(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (B, 4) boxes the other way."""
        return _boxes(self.to_stored(boxes.reshape(-1, 2, 2)))


def _boxes(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sort(corners, axis=1).reshape(-1, 4)


@dataclass(frozen=True)
class Preprocessing:
    """How stored pixels become network pixels.

    Attributes:
        size: side of the square the network sees, in pixels.
        bits: 8 or 16, of the samples the network sees.
        local_contrast: reach, in network pixels, within which brightness and contrast are made
            equal; 0 leaves intensities as they are.
        orientation: `as_stored`, or `from_header` to turn and mirror what the file says is not
            upright with the patient's left on the right. A file's word may be wrong.
        crop: `none`, or `collimation` to cut off the border that a collimator left.

    Raises:
        RibsightError: a size below 32, other bits, a negative reach, or another word.
    """

    VERSION: ClassVar[int] = 1
    """Counts up whenever the same file would give other network pixels."""

    size: int
    bits: int = 8
    local_contrast: int = 0
    orientation: Literal["as_stored", "from_header"] = "as_stored"
    crop: Literal["none", "collimation"] = "none"

    def __post_init__(self) -> None:
        if self.size < 32:
            raise RibsightError(f"a network side of {self.size} pixels is too small: 32 or more")
        if self.bits not in (8, 16):
            raise RibsightError(f"network samples have 8 or 16 bits, not {self.bits}")
        if self.local_contrast < 0:
            raise RibsightError(
                f"a reach of {self.local_contrast} pixels makes no sense: 0 or more"
            )
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise RibsightError(f"{name} is {' or '.join(words)}, not {getattr(self, name)!r}")

    @property
    def key(self) -> str:
        """A name for everything that decides the network pixels of a file: `v1-320-8`."""
        name = f"v{self.VERSION}-{self.size}-{self.bits}"
        name += f"-c{self.local_contrast}" if self.local_contrast else ""
        name += "-upright" if self.orientation == "from_header" else ""
        return name + ("-cropped" if self.crop == "collimation" else "")

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The type of the network's samples."""
        return np.dtype(np.uint8) if self.bits == 8 else np.dtype(np.uint16)


def preprocess(radiograph: Radiograph, preprocessing: Preprocessing) -> tuple[Pixels, Affine]:
    """Cut and turn if asked to, scale intensities, resize so that the longer side fits, and centre.

    The rest of the square is zero.

    8-bit samples keep their values (times 257 for 16 bits). Of 16-bit samples the range between
    the 0.1 and 99.9 percentiles inside a border of 5 % becomes the full range of the output.
    Then, if asked for, `equalised`.

    Returns:
        (size, size) samples of `preprocessing.dtype`, and the affine from stored pixels to them.
    """
    size = preprocessing.size
    orientation = Orientation()
    if preprocessing.orientation == "from_header":
        orientation = radiograph.orientation
    rows, columns = radiograph.pixels.shape
    field = (0, rows, 0, columns)
    if preprocessing.crop == "collimation":
        field = _open_field(radiograph)
    first_row, end_row, first_column, end_column = field
    part = turned(radiograph.pixels[first_row:end_row, first_column:end_column], orientation)
    height, width = part.shape
    factor = size / max(width, height)
    out_w, out_h = max(round(width * factor), 1), max(round(height * factor), 1)
    offset_x, offset_y = (size - out_w) // 2, (size - out_h) // 2
    top = float(np.iinfo(preprocessing.dtype).max)
    samples = _resize(_intensities(part, radiograph.bits, top), out_w, out_h)
    if preprocessing.local_contrast:
        samples = top * equalised(samples / top, preprocessing.local_contrast)
    network = np.zeros((size, size), dtype=preprocessing.dtype)
    inside = (slice(offset_y, offset_y + out_h), slice(offset_x, offset_x + out_w))
    network[inside] = np.rint(samples).clip(0, top)
    first_x, first_y = first_column, first_row
    if orientation.transposed:
        first_x, first_y = first_y, first_x
    scale_x, shift_x = _along(out_w, width, offset_x, first_x, mirrored=orientation.mirrored_x)
    scale_y, shift_y = _along(out_h, height, offset_y, first_y, mirrored=orientation.mirrored_y)
    return network, Affine(scale_x, scale_y, shift_x, shift_y, orientation.transposed)


def _along(
    out: int, length: int, offset: int, first: int, *, mirrored: bool
) -> tuple[float, float]:
    """Return scale and offset along one axis, from stored pixels of which `first` is kept."""
    scale = out / length
    if mirrored:
        return -scale, offset + scale * (length + first)
    return scale, offset - scale * first


def _open_field(radiograph: Radiograph) -> Field:
    """Return the collimated field with a small margin; the whole where it would be tiny."""
    height, width = radiograph.pixels.shape
    top, bottom, left, right = radiograph.field or collimated_field(radiograph.pixels)
    y, x = int(height * _CROP_MARGIN), int(width * _CROP_MARGIN)
    top, bottom = max(top - y, 0), min(bottom + y, height)
    left, right = max(left - x, 0), min(right + x, width)
    if min(bottom - top, right - left) < MIN_SIDE:
        return 0, height, 0, width
    return top, bottom, left, right


def equalised(samples: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """Return samples with the same mean and contrast everywhere.

    0.5 + (x - mean) / (6 (deviation + 0.015)), clipped to [0, 1]; the mean is a Gaussian one of
    `reach` pixels, the deviation one of 1.5 times that. A step of a broken cortex is as high over
    the liver as over the lung; what is less than 1.5 % of the range stays faint. (Local contrast
    normalisation: Jarrett et al., ICCV 2009.)

    Args:
        samples: (H, W) in [0, 1].
        reach: pixels, standard deviation of the Gaussian.
    """
    centred = samples - cv2.GaussianBlur(samples, (0, 0), reach)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(centred**2, (0, 0), 1.5 * reach), 0))
    result: NDArray[np.float32] = 0.5 + centred / (6 * (deviation + np.float32(_FAINT)))
    return result.clip(0, 1)


def _intensities(stored: Pixels, bits: int, top: float) -> NDArray[np.float32]:
    pixels = np.empty(stored.shape, np.float32)
    if bits == 8:
        return np.multiply(stored, np.float32(top / 255), out=pixels)
    low, high = _window(stored)
    if high <= low:
        pixels[:] = 0
        return pixels
    # Band by band, which stays in the processor's cache from one step to the next.
    for first in range(0, len(stored), _BAND_ROWS):
        band = pixels[first : first + _BAND_ROWS]
        np.subtract(stored[first : first + _BAND_ROWS], np.float32(low), out=band)
        band *= np.float32(top / (high - low))
        np.clip(band, 0, np.float32(top), out=band)
    return pixels


def _window(pixels: Pixels) -> tuple[float, float]:
    # Burnt-in letters and collimator edges sit at the border and would widen the window.
    height, width = pixels.shape
    y, x = int(height * _BORDER_SHARE), int(width * _BORDER_SHARE)
    low, high = percentiles(pixels[y : height - y, x : width - x], _WINDOW_PERCENT)
    return low, high


def percentiles(pixels: Pixels, percent: Sequence[float]) -> list[float]:
    """Return percentiles of (H, W) samples as `np.percentile` gives them, by counting.

    Millions of samples take no more than 65,536 values, so none needs to be sorted.
    """
    values = int(np.iinfo(pixels.dtype).max) + 1
    counts = np.zeros(values, np.int64)
    # OpenCV counts in single precision, which is exact up to 2^24.
    rows = max(1, (1 << 24) // pixels.shape[1])
    for first in range(0, len(pixels), rows):
        part: NDArray[np.uint16] = np.ascontiguousarray(pixels[first : first + rows])
        found = cv2.calcHist([part], [0], None, [values], [0, values])
        counts += found.ravel().astype(np.int64)
    upto = np.cumsum(counts)
    return [_percentile(upto, one) for one in percent]


def _percentile(upto: NDArray[np.int64], percent: float) -> float:
    """Interpolate between the two samples around a rank, given how many are at or below each."""
    rank = (int(upto[-1]) - 1) * (percent / 100)
    first = int(np.floor(rank))
    below, above = np.searchsorted(upto, (first, min(first + 1, int(upto[-1]) - 1)), side="right")
    share, step = rank - first, float(above - below)
    # As numpy does, so that no rounding differs.
    return float(below) + step * share if share < 0.5 else float(above) - step * (1 - share)


def _resize(samples: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    if samples.shape == (height, width):
        return samples
    shrinks = width < samples.shape[1]
    kernel = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(samples, (width, height), interpolation=kernel), np.float32)


def eight_bit(radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return the stored image as (H, W) 8-bit samples, for looking at."""
    return (
        np.rint(_intensities(radiograph.pixels, radiograph.bits, 255.0))
        .clip(0, 255)
        .astype(np.uint8)
    )
