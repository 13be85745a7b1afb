"""Stored pixels -> the square the network sees, with the exact way back."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.radiographs.radiograph import Pixels, Radiograph

_WINDOW_PERCENT = (0.1, 99.9)
_BORDER_SHARE = 0.05
_FAINT = 0.015


@dataclass(frozen=True)
class Affine:
    """network = scale * stored + offset.

    Coordinates are x, y in pixels with their origin at the top-left corner of the top-left pixel,
    so the centre of that pixel is (0.5, 0.5) on both sides.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float

    def to_network(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (P, 2) x, y in stored pixels to network pixels."""
        return points * (self.scale_x, self.scale_y) + (self.offset_x, self.offset_y)

    def to_stored(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (P, 2) x, y in network pixels to stored pixels."""
        return (points - (self.offset_x, self.offset_y)) / (self.scale_x, self.scale_y)


@dataclass(frozen=True)
class Preprocessing:
    """How stored pixels become network pixels.

    Attributes:
        size: side of the square the network sees, in pixels.
        bits: 8 or 16, of the samples the network sees.
        local_contrast: reach, in network pixels, within which brightness and contrast are made
            equal; 0 leaves intensities as they are.

    Raises:
        RibsightError: a size below 32, other bits, or a negative reach.
    """

    VERSION: ClassVar[int] = 1
    """Counts up whenever the same file would give other network pixels."""

    size: int
    bits: int = 8
    local_contrast: int = 0

    def __post_init__(self) -> None:
        if self.size < 32:
            raise RibsightError(f"a network side of {self.size} pixels is too small: 32 or more")
        if self.bits not in (8, 16):
            raise RibsightError(f"network samples have 8 or 16 bits, not {self.bits}")
        if self.local_contrast < 0:
            raise RibsightError(
                f"a reach of {self.local_contrast} pixels makes no sense: 0 or more"
            )

    @property
    def key(self) -> str:
        """A name for everything that decides the network pixels of a file: `v1-320-8`."""
        name = f"v{self.VERSION}-{self.size}-{self.bits}"
        return f"{name}-c{self.local_contrast}" if self.local_contrast else name

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The type of the network's samples."""
        return np.dtype(np.uint8) if self.bits == 8 else np.dtype(np.uint16)


def preprocess(radiograph: Radiograph, preprocessing: Preprocessing) -> tuple[Pixels, Affine]:
    """Scale intensities, resize so that the longer side fits, centre, and pad with zeros.

    8-bit samples keep their values (times 257 for 16 bits). Of 16-bit samples the range between
    the 0.1 and 99.9 percentiles inside a border of 5 % becomes the full range of the output.
    Then, if asked for, `equalised`.

    Returns:
        (size, size) samples of `preprocessing.dtype`, and the affine from stored pixels to them.
    """
    size = preprocessing.size
    height, width = radiograph.pixels.shape
    factor = size / max(width, height)
    out_w, out_h = max(round(width * factor), 1), max(round(height * factor), 1)
    offset_x, offset_y = (size - out_w) // 2, (size - out_h) // 2
    top = float(np.iinfo(preprocessing.dtype).max)
    samples = _resize(_intensities(radiograph, top), out_w, out_h)
    if preprocessing.local_contrast:
        samples = top * equalised(samples / top, preprocessing.local_contrast)
    network = np.zeros((size, size), dtype=preprocessing.dtype)
    inside = (slice(offset_y, offset_y + out_h), slice(offset_x, offset_x + out_w))
    network[inside] = np.rint(samples).clip(0, top)
    return network, Affine(out_w / width, out_h / height, float(offset_x), float(offset_y))


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


def _intensities(radiograph: Radiograph, top: float) -> NDArray[np.float32]:
    pixels = radiograph.pixels.astype(np.float32)
    if radiograph.bits == 8:
        return pixels * np.float32(top / 255)
    low, high = _window(radiograph.pixels)
    if high <= low:
        return np.zeros_like(pixels)
    scaled = (pixels - np.float32(low)) * np.float32(top / (high - low))
    return scaled.clip(0, np.float32(top))


def _window(pixels: Pixels) -> tuple[float, float]:
    # Burnt-in letters and collimator edges sit at the border and would widen the window.
    height, width = pixels.shape
    y, x = int(height * _BORDER_SHARE), int(width * _BORDER_SHARE)
    low, high = np.percentile(pixels[y : height - y, x : width - x], _WINDOW_PERCENT)
    return float(low), float(high)


def _resize(samples: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    if samples.shape == (height, width):
        return samples
    shrinks = width < samples.shape[1]
    kernel = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(samples, (width, height), interpolation=kernel), np.float32)


def eight_bit(radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return the stored image as (H, W) 8-bit samples, for looking at."""
    return np.rint(_intensities(radiograph, 255.0)).clip(0, 255).astype(np.uint8)
