"""Stored values -> presentation values: what a viewer shows, bone bright.

Every step is a function of one stored value, so the chain is computed once for all stored values
there can be (at most 65,536) and looked up for the pixels: PS3.3 C.11 and PS3.4 N.2 in this order,
modality, values of interest, polarity.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ribsight.radiographs.field import Field, collimated_field

Values: TypeAlias = NDArray[np.float64]
"""(L,) one number for each stored value there can be, ascending."""

_PERCENTILES = (0.005, 0.995)
_NOTHING_SEEN = 1 / 255
_LINEAR = ("linear", "percentiles")
_WHITE = 65535
_MARGIN_SHARE = 0.05
_BLOCK_ROWS = 64


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A DICOM lookup table; values before its first entry take that, values after its last that.

    Attributes:
        first: the value that the first entry is for.
        entries: (E,) what values become.
        top: the largest entry its bits allow.
    """

    first: int
    entries: NDArray[np.uint16]
    top: int

    @property
    def is_falling(self) -> bool:
        """Whether its last entry is smaller than its first."""
        return bool(self.entries[-1] < self.entries[0])

    def look_up(self, values: Values) -> Values:
        """Map values to entries."""
        index = np.rint(values - self.first).clip(0, len(self.entries) - 1)
        return self.entries[index.astype(np.intp)].astype(np.float64)


@dataclass(frozen=True)
class Rescale:
    """value = slope * stored + intercept."""

    slope: float
    intercept: float


@dataclass(frozen=True)
class Window:
    """The range of values to show, PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    center: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"

    def __str__(self) -> str:
        return f"{self.function.lower()} {self.center:g}/{self.width:g}"

    @property
    def is_valid(self) -> bool:
        """Whether the width is one that the function is defined for."""
        return self.width >= 1 if self.function == "LINEAR" else self.width > 0

    def apply(self, values: Values) -> Values:
        """Map values to 0, black before inversion, to 1."""
        if self.function == "SIGMOID":
            # Beyond +-700 the exponential leaves the range of numbers, and nothing changes.
            exponent = (-4 * (values - self.center) / self.width).clip(-700, 700)
            return np.asarray(1 / (1 + np.exp(exponent)), np.float64)
        if self.function == "LINEAR_EXACT":
            return ((values - self.center) / self.width + 0.5).clip(0, 1)
        if self.width == 1:
            return (values > self.center - 0.5).astype(np.float64)
        return ((values - (self.center - 0.5)) / (self.width - 1) + 0.5).clip(0, 1)


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a header says about showing its image.

    Attributes:
        bits_stored: 1 to 16.
        is_signed: whether stored values may be negative.
        modality: stored values to those the windows are about; None if they are the same.
        logarithm: take the logarithm after that: intensities become thicknesses.
        choices: tables and windows, the preferred one first.
        full_range: without a choice, show all values there can be: they are made for looking at.
        presentation: what the window leaves, from 0 to 1, to what is seen; None if that is it.
        inverted: exchange light and dark at the end.
        padding: first and last stored value that stand for no patient, shown black.
        field: top, bottom, left, right of the collimated field in pixels, if the header knows.
    """

    bits_stored: int
    is_signed: bool
    modality: LookupTable | Rescale | None = None
    logarithm: bool = False
    choices: Sequence[LookupTable | Window] = ()
    full_range: bool = False
    presentation: LookupTable | None = None
    inverted: bool = False
    padding: tuple[int, int] | None = None
    field: Field | None = None

    @property
    def is_negative(self) -> bool:
        """Whether a larger value in the window ends up darker."""
        return self.inverted != (self.presentation is not None and self.presentation.is_falling)


def present(
    stored: NDArray[np.integer],
    rendering: Rendering,
    notes: list[str],
) -> tuple[NDArray[np.uint16], str]:
    """Return (H, W) presentation values, 0 black to 65535 white, and the window that was used.

    The first choice that leaves something to see is used. Without one it is the range between the
    0.5 and 99.5 percentiles inside the collimated field.

    Args:
        stored: (H, W) stored values.
        rendering: what the header says.
        notes: takes what was noticed, one sentence each.
    """
    pixels, window, _ = _present(stored, rendering, notes, wide=False)
    return pixels, window


def present_wide(
    stored: NDArray[np.integer], rendering: Rendering, notes: list[str]
) -> tuple[NDArray[np.uint16], str, tuple[int, int]]:
    """Return presentation values of which a linear window has cut nothing off.

    They are a linear function of what `present` returns, and go on where that is black or white:
    for who wants to choose another window. Tables and sigmoids have no ends, so they stay.

    Returns:
        (H, W) values, the window of the file, and the values that it shows black and white.
    """
    return _present(stored, rendering, notes, wide=True)


def _present(
    stored: NDArray[np.integer], rendering: Rendering, notes: list[str], *, wide: bool
) -> tuple[NDArray[np.uint16], str, tuple[int, int]]:
    lowest = -(1 << (rendering.bits_stored - 1)) if rendering.is_signed else 0
    levels = np.arange(lowest, lowest + (1 << rendering.bits_stored))
    counts = _counts(stored, levels, rendering)
    values = _modality(levels.astype(np.float64), rendering)
    shown, window = _choose(values, counts, rendering, notes)
    black, white = 0.0, 1.0
    if wide and rendering.presentation is None and window.startswith(_LINEAR):
        ends = _index(np.array([stored.min(), stored.max()]), levels)
        shown, black, white = _widened(values, shown, slice(ends[0], ends[1] + 1))
    if rendering.presentation is not None:
        table = rendering.presentation
        shown = table.look_up(shown * (len(table.entries) - 1)) / table.top
    if rendering.inverted:
        shown, black, white = 1 - shown, 1 - white, 1 - black
    if rendering.padding:
        first, last = rendering.padding
        shown[(levels >= first) & (levels <= last)] = 0
    # Rounded twice, so that a film and its negative come out the same down to the last bit.
    samples = np.rint(np.round(shown, 10) * _WHITE).astype(np.uint16)
    pixels = np.empty(stored.shape, np.uint16)
    for rows in _blocks(len(stored)):
        pixels[rows] = samples[_index(stored[rows], levels)]
    return pixels, window, (round(black * _WHITE), round(white * _WHITE))


def _widened(values: Values, shown: Values, seen: slice) -> tuple[Values, float, float]:
    """Continue a linear window to all values that are seen, made to fit 0 to 1.

    Returns:
        What each value is shown as, and where the window's own black and white are now.
    """
    inside = np.flatnonzero((shown > 0) & (shown < 1))
    first, last = (inside[0], inside[-1]) if len(inside) else (0, 0)
    if values[first] == values[last]:
        return shown, 0.0, 1.0
    slope = (shown[last] - shown[first]) / (values[last] - values[first])
    line = shown[first] + slope * (values - values[first])
    low, high = min(line[seen].min(), 0.0), max(line[seen].max(), 1.0)
    return ((line - low) / (high - low)).clip(0, 1), -low / (high - low), (1 - low) / (high - low)


def _modality(levels: Values, rendering: Rendering) -> Values:
    values = levels
    if isinstance(rendering.modality, LookupTable):
        values = rendering.modality.look_up(levels)
    elif rendering.modality is not None:
        values = rendering.modality.slope * levels + rendering.modality.intercept
    return np.log1p(values.clip(0, None)) if rendering.logarithm else values


def _choose(
    values: Values, counts: NDArray[np.int64], rendering: Rendering, notes: list[str]
) -> tuple[Values, str]:
    """Return what each stored value is shown as, 0 to 1, and the window's name."""
    for choice in rendering.choices:
        if isinstance(choice, LookupTable):
            shown, name = choice.look_up(values) / _reached(choice, notes), "lookup table"
        else:
            shown, name = choice.apply(values), str(choice)
        dark, bright = _percentiles(shown, counts)
        if bright - dark > _NOTHING_SEEN or values[0] == values[-1]:
            return shown, name
        notes.append(f"the window ({name}) leaves nothing to see and is not used")
    if rendering.full_range:
        return (values - values.min()) / max(np.ptp(values), 1), "full range"
    low, high = _percentiles(values, counts)
    if high <= low:
        return np.zeros_like(values), "percentiles"
    return ((values - low) / (high - low)).clip(0, 1), "percentiles"


def _reached(table: LookupTable, notes: list[str]) -> int:
    """Return the entry that is white: some devices state 16 bits for tables of 10 or 12."""
    largest = int(table.entries.max())
    if 0 < largest <= table.top // 2:
        notes.append(f"the lookup table reaches {largest} of {table.top}: its largest is white")
        return largest
    return table.top


def _percentiles(values: Values, counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return the values below and above which half a percent of the counted pixels lie."""
    order = np.argsort(values, kind="stable")
    ranked = values[order][counts[order] > 0]
    if not len(ranked):
        return 0.0, 0.0
    weight = counts[order][counts[order] > 0]
    below, above = np.cumsum(weight), np.cumsum(weight[::-1])
    # Counted from both ends alike, so that a negative has the same ones.
    low = ranked[np.searchsorted(below, _PERCENTILES[0] * below[-1])]
    high = ranked[::-1][np.searchsorted(above, (1 - _PERCENTILES[1]) * above[-1])]
    return float(low), float(high)


def _counts(
    stored: NDArray[np.integer],
    levels: NDArray[np.int64],
    rendering: Rendering,
) -> NDArray[np.int64]:
    """Count each stored value's pixels inside the collimated field."""
    top, bottom, left, right = rendering.field or collimated_field(stored)
    margin_y = int((bottom - top) * _MARGIN_SHARE)
    margin_x = int((right - left) * _MARGIN_SHARE)
    inside = stored[top + margin_y : bottom - margin_y, left + margin_x : right - margin_x]
    counts = np.zeros(len(levels), np.int64)
    for rows in _blocks(len(inside)):
        counts += np.bincount(_index(inside[rows], levels).ravel(), minlength=len(levels))
    if rendering.padding:
        first, last = rendering.padding
        counts[(levels >= first) & (levels <= last)] = 0
    return counts


def _blocks(rows: int) -> Iterator[slice]:
    """Yield slices of rows: indices take four times the memory of the samples they stand for."""
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, start + _BLOCK_ROWS)


def _index(stored: NDArray[np.integer], levels: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where stored values stand in `levels`; those beyond an end take that."""
    index: NDArray[np.intp] = stored.astype(np.intp) - levels[0]
    return index.clip(0, len(levels) - 1)
