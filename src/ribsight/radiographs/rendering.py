"""What a DICOM header says about showing its image: tables, windows, polarity, padding, field."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from ribsight.radiographs.attributes import items, numbers, text, words
from ribsight.radiographs.dicom_header import Header
from ribsight.radiographs.field import Field
from ribsight.radiographs.presentation import LookupTable, Rendering, Rescale, Window

# Relative logarithmic exposure: with slope 1 the windows of such files are about stored values.
_LOG_EXPOSURE = frozenset({"LOG_E REL", "LOG_E", "OD"})
_SMALLEST_FIELD = 0.1


def read_rendering(dataset: Dataset, header: Header, notes: list[str]) -> tuple[Rendering, str]:
    """Return how to show the image, and what `Provenance.modality` says of it.

    Attributes that are blank, unreadable or impossible are treated as absent and noted in
    `notes`.
    """
    if header.samples == 3:
        return Rendering(bits_stored=8, is_signed=False, full_range=True), "none"
    modality, name = _modality(dataset, header, notes)
    logarithm = header.is_for_processing and "LOG" not in words(
        dataset, "PixelIntensityRelationship"
    )
    below_zero = header.is_signed or modality is not None
    choices = _tables(dataset, header, below_zero, notes) + _windows(dataset, notes)
    inverted = _inverted(dataset, header, notes)
    table = _presentation_table(dataset, header, notes)
    if table is not None and inverted:
        if table.is_falling:
            inverted = False  # the table does it
        else:
            notes.append("PresentationLUTSequence contradicts a negative: inverted after it")
    return Rendering(
        bits_stored=header.bits_stored,
        is_signed=header.is_signed,
        modality=modality,
        logarithm=logarithm,
        # Windows of intensities mean nothing for their logarithm.
        choices=() if logarithm else choices,
        full_range=header.bits_stored <= 8 and modality is None and not header.is_for_processing,
        presentation=table,
        inverted=inverted,
        padding=_padding(dataset, notes),
        field=_field(dataset, header),
    ), name


def _modality(
    dataset: Dataset, header: Header, notes: list[str]
) -> tuple[LookupTable | Rescale | None, str]:
    tables = items(dataset, "ModalityLUTSequence")
    if tables:
        table = _table(tables[0], header, header.is_signed)
        if table is not None:
            return table, "lookup table"
        notes.append("ModalityLUTSequence is damaged and treated as absent")
    slope = numbers(dataset, "RescaleSlope", notes)
    intercept = numbers(dataset, "RescaleIntercept", notes)
    if len(slope) != 1 or len(intercept) != 1:
        return None, "none"
    if slope[0] == 0:
        notes.append("RescaleSlope 0 is treated as absent")
        return None, "none"
    rescale = Rescale(slope[0], intercept[0])
    if rescale == Rescale(1, 0):
        return None, "none"
    if rescale.slope == 1 and _LOG_EXPOSURE.intersection(words(dataset, "RescaleType")):
        return None, "skipped"
    return rescale, "rescale"


def _tables(
    dataset: Dataset, header: Header, below_zero: bool, notes: list[str]
) -> tuple[LookupTable, ...]:
    sequence = items(dataset, "VOILUTSequence")
    tables = tuple(
        table for item in sequence if (table := _table(item, header, below_zero)) is not None
    )
    if len(tables) < len(sequence):
        notes.append("a table of VOILUTSequence is damaged and treated as absent")
    return tables


def _table(item: Dataset, header: Header, below_zero: bool) -> LookupTable | None:
    """Return the table of a sequence's item, or None if it is damaged.

    Whether the first value is signed depends on data elements that are often wrong, so it is
    decided by whether values can be below zero.
    """
    descriptor = numbers(item, "LUTDescriptor", [])
    if len(descriptor) != 3 or not all(one.is_integer() for one in descriptor):
        return None
    length, first, bits = (int(one) for one in descriptor)
    length = length % 0x10000 or 0x10000
    if below_zero and first > 0x7FFF:
        first -= 0x10000
    elif not below_zero and first < 0:
        first += 0x10000
    if not 8 <= bits <= 16:
        return None
    entries = _entries(item.get("LUTData"), length, bits, header)
    if entries is None or len(entries) < max(length, 2):
        return None
    top = (1 << bits) - 1
    return LookupTable(first, np.minimum(entries[:length], np.uint16(top)), top)


def _entries(data: Any, length: int, bits: int, header: Header) -> NDArray[np.uint16] | None:
    """Return the entries of a table, which stand there as words, or bytes two to a word."""
    if isinstance(data, bytes):
        packed = bits == 8 and len(data) < 2 * length
        order = ">" if header.transfer_syntax == uid.ExplicitVRBigEndian else "<"
        content = data if packed else data[: len(data) // 2 * 2]
        return np.frombuffer(content, "u1" if packed else f"{order}u2").astype(np.uint16)
    try:
        entries = (np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF).astype("<u2")
    except (TypeError, ValueError, OverflowError):
        return None
    if bits == 8 and len(entries) < length:
        return entries.view("u1").astype(np.uint16)
    return entries.astype(np.uint16)


def _windows(dataset: Dataset, notes: list[str]) -> tuple[Window, ...]:
    centers = numbers(dataset, "WindowCenter", notes)
    widths = numbers(dataset, "WindowWidth", notes)
    function = (text(dataset, "VOILUTFunction") or "LINEAR").upper()
    windows = []
    for center, width in zip(centers, widths, strict=False):
        match function:
            case "LINEAR_EXACT" | "SIGMOID":
                windows.append(Window(center, width, function))
            case _:
                windows.append(Window(center, width))
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        notes.append("VOILUTFunction is unknown: windows are taken as linear")
    valid = tuple(one for one in windows if one.is_valid)
    if not valid and ("WindowCenter" in dataset or "WindowWidth" in dataset):
        notes.append("WindowCenter and WindowWidth are blank or impossible: treated as absent")
    return valid


def _inverted(dataset: Dataset, header: Header, notes: list[str]) -> bool:
    negative = header.photometric == "MONOCHROME1"
    shape = text(dataset, "PresentationLUTShape")
    if header.is_for_processing:
        # +1: a smaller value is less radiation, so bone is dark and has to be inverted.
        sign = numbers(dataset, "PixelIntensityRelationshipSign", notes)
        if sign in ((1.0,), (-1.0,)):
            return sign == (1.0,)
    if (negative and shape == "IDENTITY") or (not negative and shape == "INVERSE"):
        notes.append(f"{header.photometric} contradicts PresentationLUTShape {shape}: inverted")
    return negative or shape == "INVERSE"


def _presentation_table(dataset: Dataset, header: Header, notes: list[str]) -> LookupTable | None:
    """Return the table behind the window, PS3.3 C.11.6; a detector's own values have none."""
    sequence = items(dataset, "PresentationLUTSequence")
    if not sequence or header.is_for_processing:
        return None
    table = _table(sequence[0], header, below_zero=False)
    if table is None:
        notes.append("PresentationLUTSequence is damaged and treated as absent")
        return None
    return replace(table, first=0)


def _padding(dataset: Dataset, notes: list[str]) -> tuple[int, int] | None:
    value = numbers(dataset, "PixelPaddingValue", notes)
    if len(value) != 1:
        return None
    limit = numbers(dataset, "PixelPaddingRangeLimit", notes)
    first, last = sorted((value[0], limit[0] if len(limit) == 1 else value[0]))
    return math.floor(first), math.floor(last)


def _field(dataset: Dataset, header: Header) -> Field | None:
    """Return top, bottom, left, right of the rectangle that was exposed or is to be shown.

    Edges are believed if they lie in the image: some devices give them in other units.
    """
    for kind in ("Collimator", "Shutter"):
        if "RECTANGULAR" not in words(dataset, f"{kind}Shape"):
            continue
        edges = [
            numbers(dataset, f"{kind}{edge}Edge", [])
            for edge in ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")
        ]
        if any(len(one) != 1 for one in edges):
            continue
        top, bottom, left, right = (math.floor(one[0]) for one in edges)
        inside = 0 <= top < bottom <= header.rows + 1 and 0 <= left < right <= header.columns + 1
        area = (bottom - top) * (right - left)
        if inside and area > _SMALLEST_FIELD * header.rows * header.columns:
            return top, min(bottom, header.rows), left, min(right, header.columns)
    return None
