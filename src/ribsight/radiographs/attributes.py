"""Attributes of a DICOM dataset as plain numbers and words, whatever is written there."""

import math
from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


class UnusableDicomError(Exception):
    """A DICOM file that gives no radiograph; the message continues a sentence about the file."""


def numbers(dataset: Dataset, keyword: str, notes: list[str]) -> tuple[float, ...]:
    """Return an attribute's finite numbers; none if it is absent, blank or unreadable.

    What is unreadable is noted in `notes`, without its value.
    """
    try:
        parts = [one for one in _parts(dataset, keyword) if one not in (None, "", b"")]
        found = tuple(float(one) for one in parts)
        if not all(map(math.isfinite, found)):
            raise ValueError("not finite")
    except Exception:  # pydicom raises nearly anything on damaged values
        notes.append(f"{keyword} is unreadable and treated as absent")
        return ()
    return found


def words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return an attribute's words in capitals; none if it is absent or unreadable."""
    try:
        return tuple(str(one).strip(" \0").upper() for one in _parts(dataset, keyword))
    except Exception:  # pydicom raises nearly anything on damaged values
        return ()


def text(dataset: Dataset, keyword: str) -> str | None:
    """Return an attribute's first value as it is written; None if blank, absent or unreadable."""
    try:
        return next((str(one).strip(" \0") for one in _parts(dataset, keyword)), "") or None
    except Exception:  # pydicom raises nearly anything on damaged values
        return None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items; none if it is absent or unreadable."""
    try:
        return [one for one in dataset.get(keyword) or () if isinstance(one, Dataset)]
    except Exception:  # pydicom raises nearly anything on damaged values
        return []


def whole_number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """Return an attribute's one whole number.

    Raises:
        UnusableDicomError: it is something else, or absent and there is no default.
    """
    found = numbers(dataset, keyword, [])
    if not found and default is not None:
        return default
    if len(found) != 1 or not found[0].is_integer():
        raise UnusableDicomError(f"has no usable {keyword}")
    return int(found[0])


def _parts(dataset: Dataset, keyword: str) -> Iterable[Any]:
    value = dataset.get(keyword)
    if value is None:
        return ()
    return value if isinstance(value, (MultiValue, list, tuple)) else (value,)
