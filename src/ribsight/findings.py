"""The vocabulary of the house: findings, diagnoses, sides, certainty, splits, supervision."""

import re
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
