"""What a clinical unit does to the raw signal before a reader sees it.

Logarithm, multi-scale contrast enhancement (Vuylsteke & Schoeters, SPIE 1994: a compressive power
on the bands of a Laplacian pyramid), and a window with soft ends.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.projection.exposure import Signal

Shown = NDArray[np.float32]
"""(H, W) in [0, 1], 1 is white: bone is bright."""


@dataclass(frozen=True)
class Processing:
    """A unit's look.

    Attributes:
        enhancement: exponent of the bands; 1 leaves them, less lifts faint structures.
        latitude: exponent of what is left at the coarsest level; less flattens the film.
        low, high: percentiles of the enhanced film inside the patient that become black and white.
        gamma: exponent of the shown values.

    """

    enhancement: float = 0.72
    latitude: float = 0.75
    low: float = 1.0
    high: float = 99.7
    gamma: float = 1.0


def develop(signal: Signal, settings: Processing) -> Shown:
    """Return the film as it is shown."""
    density = -np.log(signal)
    enhanced = _enhance(density, settings)
    # Air outside the patient decides nothing.
    patient = enhanced[density > 0.7]
    values = patient[::7] if patient.size > 1000 else enhanced.ravel()
    low, high = np.percentile(values, [settings.low, settings.high])
    shown = (enhanced - np.float32(low)) / np.float32(max(high - low, 1e-3))
    shown = _soft_ends(shown)
    return np.power(shown, np.float32(settings.gamma))


def _enhance(density: NDArray[np.float32], settings: Processing) -> NDArray[np.float32]:
    levels = max(int(np.log2(min(density.shape))) - 4, 1)
    bands = []
    current = density
    for _ in range(levels):
        lower = np.asarray(cv2.pyrDown(current), np.float32)
        bands.append(current - _up(lower, current.shape))
        current = lower
    middle = np.float32(current.mean())
    result = middle + (current - middle) * np.float32(settings.latitude)
    for depth, band in reversed(list(enumerate(bands))):
        # The finest band is mostly noise: clinical units leave it alone.
        power = 1.0 if depth == 0 else settings.enhancement
        result = _up(result, band.shape) + _compressed(band, power)
    return result.astype(np.float32)


def _up(image: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return cv2.pyrUp(image, dstsize=(shape[1], shape[0]))  # type: ignore[return-value]


def _compressed(band: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Return a power of the contrast that is linear below a hundredth, so noise stays noise."""
    if power == 1.0:
        return band
    knee, full = np.float32(0.02), np.float32(0.5)
    magnitude = np.abs(band)
    gain = np.power(np.maximum(magnitude, knee) / full, np.float32(power - 1))
    return band * gain


def _soft_ends(shown: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values in [0, 1]: straight in the middle, bent at both ends like a film's curve."""
    bent = 0.5 + 0.5 * np.tanh((shown - 0.5) * np.float32(2.2)) / np.float32(np.tanh(1.1))
    result: NDArray[np.float32] = np.clip(bent, 0.0, 1.0).astype(np.float32)
    return result
