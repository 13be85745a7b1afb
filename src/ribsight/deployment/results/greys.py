"""How an image's greys are shown, from this project's terms to those of a presentation state."""

from typing import Any

import numpy as np
from highdicom import (
    VOILUT,
    ModalityLUT,
    ModalityLUTTransformation,
    PresentationLUT,
    PresentationLUTTransformation,
)
from highdicom.pr import SoftcopyVOILUTTransformation
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ribsight.radiographs.attributes import numbers
from ribsight.radiographs.presentation import LookupTable, Rendering, Rescale, Window

_WHITE = 65535
_UNSPECIFIED = "US"


def greys(source: Dataset, rendering: Rendering, window: str | None) -> dict[str, Any]:
    """Return the arguments of highdicom's presentation states that decide greys.

    Args:
        source: header of the image.
        rendering: what it says about showing it.
        window: name of the table or window that the image was seen through, if that is known.
    """
    voi = _values_of_interest(source, rendering, window)
    return {
        "modality_lut_transformation": _modality(rendering.modality),
        "voi_lut_transformations": None if voi is None else [voi],
        "presentation_lut_transformation": _presentation(rendering),
    }


def _modality(said: LookupTable | Rescale | None) -> ModalityLUTTransformation | None:
    match said:
        case Rescale(slope, intercept):
            return ModalityLUTTransformation(
                rescale_slope=slope, rescale_intercept=intercept, rescale_type=_UNSPECIFIED
            )
        case LookupTable(first, entries) if first >= 0:
            table = ModalityLUT(_UNSPECIFIED, first, entries)
            return ModalityLUTTransformation(modality_lut=table)
    return None


def _values_of_interest(
    source: Dataset, rendering: Rendering, window: str | None
) -> SoftcopyVOILUTTransformation | None:
    """Return the table or window that is shown; None shows all values there can be."""
    choices = [one for one in rendering.choices if window in (None, _name(one))]
    choice = choices[0] if choices else _between_extremes(source, rendering)
    if isinstance(choice, LookupTable):
        if choice.first >= 0:
            table = VOILUT(choice.first, _to_16_bits(choice))
            return SoftcopyVOILUTTransformation(voi_luts=[table])
        # highdicom writes no table that starts below zero: the range that it covers.
        length = len(choice.entries)
        choice = Window(choice.first + length / 2, float(length))
    if choice is None:
        return None
    return SoftcopyVOILUTTransformation(
        window_center=choice.center,
        window_width=choice.width,
        voi_lut_function=choice.function,
    )


def _name(choice: LookupTable | Window) -> str:
    return "lookup table" if isinstance(choice, LookupTable) else str(choice)


def _between_extremes(source: Dataset, rendering: Rendering) -> Window | None:
    """Return the window from the smallest to the largest value, if the header states them."""
    smallest = numbers(source, "SmallestImagePixelValue", [])
    largest = numbers(source, "LargestImagePixelValue", [])
    if rendering.full_range or len(smallest) != 1 or len(largest) != 1:
        return None
    low, high = smallest[0], largest[0]
    if isinstance(rendering.modality, Rescale):
        slope, intercept = rendering.modality.slope, rendering.modality.intercept
        low, high = sorted((slope * low + intercept, slope * high + intercept))
    elif rendering.modality is not None:
        return None
    return Window((low + high) / 2, high - low, "LINEAR_EXACT") if high > low else None


def _presentation(rendering: Rendering) -> PresentationLUTTransformation:
    table = rendering.presentation
    if table is None:
        shape = "INVERSE" if rendering.inverted else "IDENTITY"
        return PresentationLUTTransformation(presentation_lut_shape=shape)
    entries = _to_16_bits(table)
    if rendering.inverted:
        entries = _WHITE - entries
    return PresentationLUTTransformation(presentation_lut=PresentationLUT(0, entries))


def _to_16_bits(table: LookupTable) -> NDArray[np.uint16]:
    """Return entries stretched so that white is the largest number there is."""
    largest = int(table.entries.max())
    # As `radiographs.presentation`: some devices state 16 bits for tables of 10 or 12.
    white = largest if 0 < largest <= table.top // 2 else table.top
    return np.rint(table.entries.astype(np.float64) * (_WHITE / white)).astype(np.uint16)
