"""What is stored for a displayed grey, and what a correct reader shows of it again.

The path is that of PS3.3 and PS3.4 N.2: stored value, modality LUT (rescale), VOI LUT (a LUT or a
window), polarity. Machines store more than they show: black and white beyond the window lie at the
ends of the stored range, so that the picture is flat to whoever ignores the window.
"""

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.paper.header import Header, VoiFunction
from ribsight.simulation.paper.machines import Voi

_LUT_TOP = 65535
# A sigmoid never ends; from `low` to `high` it is followed this many quarter-widths to each side,
# which is a grey of 0.0025 and 0.9975.
_SIGMOID_REACH = 6.0


def stored_pixels(film: NDArray[np.float32], header: Header) -> NDArray[np.uint16]:
    """Return what the machine stores.

    Args:
        film: (H, W) greys as displayed, 0 black to 1 white (bone bright); others are clipped.
        header: says how.

    Returns:
        (H, W) uint16 of `header.bits_stored` bits.
    """
    grey = np.clip(np.asarray(film, dtype=np.float64), 0.0, 1.0)
    if header.photometric == "MONOCHROME1":
        grey = 1.0 - grey
    share = _shares_of_greys(grey, header)
    stored = np.round(header.low + share * (header.high - header.low))
    if header.voi is not Voi.NEITHER:
        stored = np.where(grey <= 0.0, 0, np.where(grey >= 1.0, header.top, stored))
    return stored.astype(np.uint16)


def shown(stored: NDArray[np.uint16], header: Header) -> NDArray[np.float32]:
    """Return the (H, W) greys, 0 black to 1 white, that a correct reader recovers.

    A LUT goes before a window and the first window before the others. Without either the whole
    range that can be stored is shown.
    """
    if header.voi in (Voi.LUT, Voi.WINDOWS_AND_LUT):
        entries = lut(header)
        index = np.clip(stored.astype(np.int64) - header.low, 0, len(entries) - 1)
        grey = entries[index] / _LUT_TOP
    elif header.voi is Voi.WINDOW:
        grey = _windowed(stored, header)
    else:
        grey = stored / header.top
    if header.photometric == "MONOCHROME1":
        grey = 1.0 - grey
    return grey.astype(np.float32)


def windows(header: Header) -> tuple[tuple[float, float], ...]:
    """Return the (centre, width) of every window of the file, in modality values."""
    if header.voi is Voi.WINDOWS_AND_LUT:
        centre, width = _window(header)
        return tuple((centre, round(width * share)) for share in (1.0, 0.75, 1.5))
    return (_window(header),) if header.voi is Voi.WINDOW else ()


def lut(header: Header) -> NDArray[np.uint16]:
    """Return the (high - low + 1,) entries of the VOI LUT, of 16 bits; the first is for `low`."""
    grey = _s_curve(np.linspace(0.0, 1.0, header.high - header.low + 1), header.lut_contrast)
    return np.round(grey * _LUT_TOP).astype(np.uint16)


def _window(header: Header) -> tuple[float, float]:
    slope, intercept = (
        (1.0, 0.0) if header.rescale is None else (header.rescale.slope, header.rescale.intercept)
    )
    centre = slope * (header.low + header.high) / 2 + intercept
    width = slope * (header.high - header.low)
    match header.voi_function:
        case VoiFunction.LINEAR_EXACT:
            return centre, width
        case VoiFunction.SIGMOID:
            return centre, 2 * width / _SIGMOID_REACH
        case _:
            return centre + 0.5, width + 1.0


def _windowed(stored: NDArray[np.uint16], header: Header) -> NDArray[np.float64]:
    values = stored.astype(np.float64)
    if header.rescale is not None:
        values = header.rescale.slope * values + header.rescale.intercept
    centre, width = _window(header)
    match header.voi_function:
        case VoiFunction.LINEAR_EXACT:
            grey = (values - centre) / width + 0.5
        case VoiFunction.SIGMOID:
            grey = 1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width))
        case _:
            grey = (values - (centre - 0.5)) / (width - 1.0) + 0.5
    return np.clip(grey, 0.0, 1.0)


def _shares_of_greys(grey: NDArray[np.float64], header: Header) -> NDArray[np.float64]:
    """Return where between `low` and `high` each grey is stored, 0 to 1."""
    if header.voi in (Voi.LUT, Voi.WINDOWS_AND_LUT):
        grid = np.linspace(0.0, 1.0, header.high - header.low + 1)
        return np.interp(grey, _s_curve(grid, header.lut_contrast), grid)
    if header.voi is Voi.WINDOW and header.voi_function is VoiFunction.SIGMOID:
        edge = 1.0 / (1.0 + np.exp(_SIGMOID_REACH))
        inside = np.clip(grey, edge, 1.0 - edge)
        return 0.5 + np.log(inside / (1.0 - inside)) / (2 * _SIGMOID_REACH)
    return grey


def _s_curve(share: NDArray[np.float64], contrast: float) -> NDArray[np.float64]:
    return (1.0 - contrast) * share + contrast * share**2 * (3.0 - 2.0 * share)
