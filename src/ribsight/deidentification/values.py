"""Rules for single values: what of an attribute may stay, and what it becomes.

A rule looks at one attribute of the old dataset and returns the new value, or None if nothing may
stay. Values that are of no known form are not repaired: they go.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from ribsight.deidentification.subject import Subject
from ribsight.radiographs.attributes import numbers, text, words

Rule = Callable[[Dataset, str, Subject], Any]

_DAY = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_HOUR = re.compile(r"(\d{2})(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?")
_MOMENT = re.compile(r"(\d{8})(\d{2})?[\d.]*([+-]\d{4})?")
_AGE = re.compile(r"(\d{3})([DWMY])")
_ORIENTATION = re.compile(r"[LRAPHF]{1,3}")
_DAYS_OF = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
OLDEST = 90
"""Years; older patients are said to be as old as this."""


def terms(vocabulary: frozenset[str], at_most: int = 1) -> Rule:
    """Keep the leading values that are words of a vocabulary."""

    def rule(dataset: Dataset, keyword: str, _: Subject) -> list[str] | None:
        kept = []
        for value in words(dataset, keyword)[:at_most]:
            if value not in vocabulary:
                break
            kept.append(value)
        return kept or None

    return rule


def one_of(choose: Callable[[str], str | None]) -> Rule:
    """Write the known word that a free text means, not the text."""

    def rule(dataset: Dataset, keyword: str, _: Subject) -> str | None:
        return choose(text(dataset, keyword) or "")

    return rule


def within(low: float, high: float, at_most: int = 1) -> Rule:
    """Keep numbers if all of them lie in a range that makes sense."""

    def rule(dataset: Dataset, keyword: str, _: Subject) -> list[Any] | None:
        found = numbers(dataset, keyword, [])
        if not 0 < len(found) <= at_most or not all(low <= one <= high for one in found):
            return None
        return _written(found, dictionary_VR(keyword))

    return rule


def _written(values: Sequence[float], representation: str) -> list[Any] | None:
    if representation == "DS":
        decimals = [_decimal(one) for one in values]
        return decimals if None not in decimals else None
    if representation in ("FL", "FD"):
        return list(values)
    return [int(one) for one in values] if all(one.is_integer() for one in values) else None


def _decimal(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    short = f"{value:.12g}"
    if len(short) > 16 or float(short) != value:
        short = format_number_as_ds(value)
    return short if float(short) == value else None


def new_uid(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return the UID that replaces the old one everywhere."""
    old = text(dataset, keyword)
    return subject.policy.key.uid(old) if old else None


def new_name(purpose: str) -> Rule:
    """Return the name that replaces a number of the hospital's everywhere."""

    def rule(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
        old = text(dataset, keyword)
        return subject.policy.key.name(purpose, old) if old else None

    return rule


def new_day(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return the date moved back with all dates of the patient."""
    old = parse_day(text(dataset, keyword) or "")
    return subject.day(old) or None if old else None


def new_hour(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return the time of day, cut to the hour: a second on the clock finds a film in a log."""
    said = _HOUR.fullmatch(text(dataset, keyword) or "")
    if subject.policy.dates == "drop" or not said or int(said[1]) > 23:
        return None
    return f"{said[1]}0000"


def new_moment(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return date and hour, moved back; without the offset from UTC."""
    said = _MOMENT.fullmatch(text(dataset, keyword) or "")
    day = parse_day(said[1]) if said else None
    if not said or not day or int(said[2] or 0) > 23:
        return None
    shifted = subject.day(day)
    return f"{shifted}{said[2]}0000" if shifted and said[2] else shifted or None


def parse_day(said: str) -> date | None:
    """Return the date that a DICOM value writes, in today's form or the old one with dots."""
    match = _DAY.fullmatch(said)
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None


def age(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return the age in years, 90 at most, or in months up to two years.

    If it is not said, it is reckoned from the date of birth.
    """
    if subject.policy.characteristics == "drop":
        return None
    said = _AGE.fullmatch((text(dataset, keyword) or "").upper())
    if said:
        days = int(said[1]) * _DAYS_OF[said[2]]
        if days < 2 * _DAYS_OF["Y"] and said[2] != "Y":
            return f"{int(days / _DAYS_OF['M']):03}M"
        return f"{min(int(days / _DAYS_OF['Y']), OLDEST):03}Y"
    born = parse_day(text(dataset, "PatientBirthDate") or "")
    seen = parse_day(text(dataset, "StudyDate") or "")
    if not born or not seen or seen < born:
        return None
    before_birthday = (seen.month, seen.day) < (born.month, born.day)
    return f"{min(seen.year - born.year - before_birthday, OLDEST):03}Y"


def sex(dataset: Dataset, keyword: str, subject: Subject) -> str | None:
    """Return M, F or O if patients' characteristics are kept."""
    said = next(iter(words(dataset, keyword)), "")
    keep = subject.policy.characteristics == "keep" and said in ("M", "F", "O")
    return said if keep else None


def orientation(dataset: Dataset, keyword: str, _: Subject) -> list[str] | None:
    """Return the two directions of a picture."""
    said = words(dataset, keyword)
    return list(said) if len(said) == 2 and all(map(_ORIENTATION.fullmatch, said)) else None


def nothing(_dataset: Dataset, _keyword: str, _subject: Subject) -> None:
    """Keep no value of an attribute that has to be there."""


def is_date_like(cell: str) -> bool:
    """Say whether a cell of a table looks like a date or a moment of any usual form."""
    cell = cell.strip()
    if re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?", cell):
        return True
    if not re.fullmatch(r"(19|20)\d{6}", cell):
        return False
    try:
        datetime.strptime(cell, "%Y%m%d")
    except ValueError:
        return False
    return True
