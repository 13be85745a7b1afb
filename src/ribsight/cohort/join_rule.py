"""The declared rule by which rows of a table of diagnoses belong to radiographs."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ribsight.errors import RibsightError

_LENGTH = re.compile(r"([0-9]+)([dh])")
_MOMENT = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]?(\d{2}):?(\d{2})(?::?(\d{2})(?:\.\d*)?)?)?")


class JoinBy(StrEnum):
    """What a row and a radiograph have in common."""

    IMAGE = "image"
    """The image's name or SOP instance: one row an image."""
    STUDY = "study"
    """The StudyInstanceUID."""
    ACCESSION = "accession"
    """The accession number of the order."""
    PATIENT = "patient"
    """The patient, within a window of time."""


class Direction(StrEnum):
    """When a record of the patient was made, seen from the film."""

    BOTH = "both"
    AFTER = "after"
    """At the time of the film or after it."""
    BEFORE = "before"
    """At the time of the film or before it."""


class Pick(StrEnum):
    """Which of a patient's records within the window count."""

    NEAREST = "nearest"
    """Those nearest in time; of two equally near, before and after, both."""
    ALL = "all"


class Combine(StrEnum):
    """What several records of one radiograph say of a finding."""

    STRONGEST = "strongest"
    """Positive before uncertain before negative; unknown says nothing."""
    LATEST = "latest"
    """What the last of them says that is not unknown."""
    AGREE = "agree"
    """Uncertain where they differ."""


class StudyLabel(StrEnum):
    """To which radiographs what is known of a study or patient applies."""

    FRONTAL = "frontal"
    """To all but those known to be oblique or lateral, of which it is unknown."""
    ALL = "all"


@dataclass(frozen=True)
class Window:
    """How far a record may be from the film: whole days, or hours where both have a time."""

    length: timedelta
    in_hours: bool

    def __str__(self) -> str:
        if self.in_hours:
            return f"{self.length // timedelta(hours=1)}h"
        return f"{self.length.days}d"


@dataclass(frozen=True)
class Moment:
    """A date, with a time of day or without."""

    at: datetime
    has_time: bool


@dataclass(frozen=True)
class JoinRule:
    """How rows and radiographs are joined; its defaults are those of the command line.

    Attributes:
        by: what they have in common.
        key: column of the table that holds it; not used for images.
        date: column of the record's date or date and time.
        window: needed for patients, and only for them.
        direction, pick: of a patient's records.
        combine: several records of one radiograph.
        study_label: to which radiographs of a study it applies.
        carry_days: so many days after a positive record, films that no record speaks of are
            uncertain and healing; 0 says nothing of them. Nothing is ever said of films before.

    Raises:
        RibsightError: options that do not go together.
    """

    by: JoinBy = JoinBy.IMAGE
    key: str = ""
    date: str | None = None
    window: Window | None = None
    direction: Direction = Direction.BOTH
    pick: Pick = Pick.NEAREST
    combine: Combine = Combine.STRONGEST
    study_label: StudyLabel = StudyLabel.FRONTAL
    carry_days: int = 0

    def __post_init__(self) -> None:
        if self.by is JoinBy.PATIENT and (self.window is None or self.date is None):
            raise RibsightError(
                "joining by patient needs --within, like 2d or 36h, and --date-column"
            )
        if self.by is not JoinBy.PATIENT and (self.window is not None or self.carry_days):
            raise RibsightError("--within and --carry-forward are for --join patient")
        if self.combine is Combine.LATEST and self.date is None:
            raise RibsightError("--combine latest needs --date-column")

    def describe(self) -> str:
        """Return the rule in one line, for `cohort.toml`."""
        if self.by is JoinBy.IMAGE:
            return "image"
        parts = [f"{self.by} by column {self.key}"]
        if self.window is not None:
            parts.append(f"within {self.window} {self.direction}, {self.pick}")
        parts += [f"combine {self.combine}", f"study label to {self.study_label}"]
        if self.carry_days:
            parts.append(f"carried {self.carry_days}d")
        return "; ".join(parts)


def parse_window(text: str) -> Window:
    """Return the window of `2d` or `36h`.

    Raises:
        RibsightError: it is neither.
    """
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise RibsightError(f"--within {text} is not a number of days or hours like 2d or 36h")
    count, in_hours = int(found[1]), found[2] == "h"
    try:
        length = timedelta(hours=count) if in_hours else timedelta(days=count)
    except OverflowError:
        raise RibsightError(f"--within {text} is longer than any life") from None
    return Window(length, in_hours)


def parse_moment(text: str) -> Moment | None:
    """Return the moment of yyyy-mm-dd or yyyymmdd, with hh:mm(:ss) or without; None if it is not.

    >>> parse_moment("2019-03-01 14:30")
    Moment(at=datetime.datetime(2019, 3, 1, 14, 30), has_time=True)
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    try:
        at = datetime(*(int(one) for one in found.groups(default="0")))  # type: ignore[arg-type]
    except ValueError:
        return None
    return Moment(at, has_time=found[4] is not None)
