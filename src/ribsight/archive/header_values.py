"""Values of a DICOM header as the index holds them."""

import re
from datetime import date

from pydicom.dataset import Dataset

from ribsight.radiographs.attributes import numbers, text

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")

_LONGEST_TEXT = 256
_DAYS = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def clean(value: str | None) -> str | None:
    """Return one short line of printable text, None if nothing is left."""
    if value is None:
        return None
    value = value[:_LONGEST_TEXT]
    if not value.isprintable():
        value = "".join(one if one.isprintable() else " " for one in value)
    return value.strip() or None


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Return an attribute's one whole number of at most 32 bits, None if it has none."""
    found = numbers(dataset, keyword, [])
    return int(found[0]) if len(found) == 1 and abs(found[0]) < 1 << 32 else None


def spacing(dataset: Dataset) -> tuple[float | None, str | None]:
    """Return mm between neighbouring pixels and the attribute that says so, None if none does."""
    for source in SPACINGS:
        found = numbers(dataset, source, [])
        if len(found) == 2 and min(found) > 0:
            return sum(found) / 2, source
    return None, None


def age(dataset: Dataset) -> float | None:
    """Return years from PatientAge, `045Y`, else between birth and study, None if neither."""
    written = (text(dataset, "PatientAge") or "").upper()
    match = re.fullmatch(r"(\d{1,3})([DWMY])", written)
    if match:
        return int(match[1]) / _DAYS[match[2]]
    born, seen = _day(text(dataset, "PatientBirthDate")), _day(text(dataset, "StudyDate"))
    if born is None or seen is None or seen < born:
        return None
    return (seen - born).days / _DAYS["D"]


def _day(written: str | None) -> date | None:
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", written or "")
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
