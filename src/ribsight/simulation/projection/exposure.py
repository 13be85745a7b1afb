"""Lengths in materials -> what the detector collects: spectrum, scatter, blur, quantum noise.

Beer-Lambert over the bins of a tabulated spectrum; the table is written by
tools/tabulate_attenuation.py from spekpy's spectra and xraydb's cross sections.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ribsight.simulation.projection.raster import Lengths

Signal = NDArray[np.float32]
"""(H, W) energy absorbed by the detector; 1 in the open field."""


@dataclass(frozen=True)
class Technique:
    """How a film is exposed.

    Attributes:
        kilovolts: tube voltage, one of the tabulated (70, 85, 100, 120).
        quanta: detected quanta per mm^2 in the open field, after quantum efficiency.
        scatter: scattered over primary signal behind the whole chest, after the grid.
        blur: mm, standard deviation of focal spot and screen together.
        dark_noise: standard deviation of the electronics' noise in a pixel, open field = 1.

    """

    kilovolts: int = 120
    quanta: float = 1.2e6
    scatter: float = 0.35
    blur: float = 0.18
    dark_noise: float = 2e-5


@dataclass(frozen=True, eq=False)
class Exposure:
    """A film before processing.

    Attributes:
        mean: (H, W) expected signal.
        noise: (H, W) standard deviation of the signal.
        signal: (H, W) one draw.

    """

    mean: Signal
    noise: Signal
    signal: Signal


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A tabulated spectrum.

    Attributes:
        weights: (B,) share of the open field's signal in each bin.
        attenuation: (B, M) 1/mm.
        materials: names of the M materials.

    """

    weights: NDArray[np.float32]
    attenuation: NDArray[np.float32]
    materials: tuple[str, ...]


@cache
def spectrum(kilovolts: int) -> Spectrum:
    """Return the tabulated spectrum of a tube voltage.

    Raises:
        KeyError: it is not tabulated.

    """
    text = resources.files(__package__).joinpath("attenuation.json").read_text(encoding="utf-8")
    table = json.loads(text)
    row = table["spectra"][str(kilovolts)]
    return Spectrum(
        np.asarray(row["weights"], np.float32),
        np.asarray(row["attenuation"], np.float32),
        tuple(table["materials"]),
    )


def primary(lengths: Mapping[str, Lengths], kilovolts: int) -> Signal:
    """Return the unscattered signal behind `lengths` (mm, by material), (H, W)."""
    table = spectrum(kilovolts)
    columns = [table.materials.index(name) for name in lengths]
    stack = np.stack(list(lengths.values())).astype(np.float32, copy=False)
    out = np.empty(stack.shape[1:], np.float32)
    _transmit(out.ravel(), stack.reshape(len(columns), -1), table.weights,
              np.ascontiguousarray(table.attenuation[:, columns]))  # fmt: skip
    return out


def expose(
    lengths: Mapping[str, Lengths],
    pixel_spacing: float,
    technique: Technique,
    random: np.random.Generator,
) -> Exposure:
    """Expose a film.

    Args:
        lengths: mm of each material along the ray of every pixel, (H, W) each.
        pixel_spacing: mm at the detector.
        technique: tube, grid and detector.
        random: source of the noise.

    """
    direct = primary(lengths, technique.kilovolts)
    mean = blurred(direct, technique.blur / pixel_spacing)
    # Scatter comes from some centimetres around; behind thick parts there is relatively more.
    reach = 45.0 / pixel_spacing
    mean += technique.scatter * _smooth(np.minimum(direct, 0.2), reach)
    quanta = technique.quanta * pixel_spacing**2
    noise = np.sqrt(mean / np.float32(quanta) + np.float32(technique.dark_noise**2))
    draw = random.standard_normal(mean.shape, dtype=np.float32)
    # The screen spreads each quantum, so neighbours share some of the noise.
    signal = mean + noise * draw
    return Exposure(mean, noise, np.maximum(signal, np.float32(1e-6)))


def blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return (H, W) blurred by a Gaussian of `sigma` pixels; unchanged if that is nothing."""
    if sigma < 0.15:
        return image.copy()
    return cv2.GaussianBlur(image, (0, 0), sigma)  # type: ignore[return-value]


def _smooth(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return a wide blur, computed on an eighth of the pixels of each side."""
    height, width = image.shape
    size = (max(width // 8, 1), max(height // 8, 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 8, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


@njit(cache=True, nogil=True, fastmath=True)
def _transmit(out, lengths, weights, attenuation):  # type: ignore[no-untyped-def]
    for pixel in range(out.shape[0]):
        total = np.float32(0.0)
        for energy in range(weights.shape[0]):
            depth = np.float32(0.0)
            for material in range(lengths.shape[0]):
                depth += attenuation[energy, material] * lengths[material, pixel]
            total += weights[energy] * np.exp(-depth)
        out[pixel] = total
