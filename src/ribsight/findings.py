"""The vocabulary of the house: findings, diagnoses, sides, certainty, splits, supervision."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ribsight.errors import RibsightError

_FINDING_NAME = re.compile(r"[a-z][a-z0-9_]*")


class DiagnosisState(StrEnum):
    """What the record says of one finding on one radiograph."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"


class Acuity(StrEnum):
    """How old a positive finding is."""

    ACUTE = "acute"
    HEALING = "healing"
    OLD = "old"
    UNKNOWN = "unknown"


class Side(StrEnum):
    """The patient's side of a positive finding."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    UNKNOWN = "unknown"


RIBS = 12
"""Of a side; numbered from above."""


@dataclass(frozen=True, slots=True, order=True)
class NamedRib:
    """A rib that a record names as the place of a finding: the patient's `side`, 1 to 12."""

    side: Side
    number: int

    def __str__(self) -> str:
        """Return it as tables have it: `left 4`, or `4` where no side is named."""
        return str(self.number) if self.side is Side.UNKNOWN else f"{self.side} {self.number}"


def ribs_text(ribs: Iterable[NamedRib]) -> str:
    """Return ribs as a cell of a table: `left 4; left 5`."""
    return "; ".join(str(one) for one in sorted(set(ribs)))


def read_ribs(text: str) -> tuple[NamedRib, ...]:
    """Return the ribs of a cell, as `ribs_text` writes it.

    Raises:
        ValueError: a part that names no rib.
    """
    found = []
    for part in filter(None, (one.strip().lower() for one in text.split(";"))):
        side, _, number = part.rpartition(" ")
        if side not in ("", Side.LEFT, Side.RIGHT) or not number.isdecimal():
            raise ValueError(f"'{part}' names no rib: write it like 'left 4' or '4'")
        if not 1 <= int(number) <= RIBS:
            raise ValueError(f"'{part}' names no rib: they are numbered from 1 to {RIBS}")
        found.append(NamedRib(Side(side or Side.UNKNOWN), int(number)))
    return tuple(sorted(set(found)))


class Certainty(StrEnum):
    """How sure a detector is of what it shows; what is below both thresholds has none."""

    DOUBTFUL = "doubtful"
    """From the threshold of high sensitivity on."""
    CONFIDENT = "confident"
    """From the threshold of high specificity on."""


class Split(StrEnum):
    """The part of a cohort a radiograph belongs to."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Supervision(IntEnum):
    """What a cohort knows of one (radiograph, finding): the key of the table of targets."""

    NOTHING = 0
    NEGATIVE = 1
    POSITIVE = 2
    REGION = 3


def check_finding_name(name: str) -> str:
    """Return `name` if it can name a finding (`rib_fracture`).

    Raises:
        RibsightError: it is not lower-case letters, digits and underscores.
    """
    if not _FINDING_NAME.fullmatch(name):
        raise RibsightError(
            f"'{name}' cannot name a finding: use lower-case letters, digits and underscores, "
            "like rib_fracture"
        )
    return name
