"""What may be asked of the worklist, and what it answers: words that need no store.

The routes and their messages speak them, so that only `worklist` knows how they are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ribsight.findings import DiagnosisState

NOTHING = "none"
"""The filter of certainty for images on which nothing was found."""


class Order(StrEnum):
    """What comes first."""

    SCORE = "score"
    UNCERTAINTY = "uncertainty"
    DISAGREEMENT = "disagreement"
    RECEIVED = "received"


class ImageState(StrEnum):
    """How far an image is."""

    DONE = "done"
    WAITING = "waiting"
    NOT_PROCESSED = "not_processed"


@dataclass(frozen=True)
class Query:
    """What is asked for.

    Attributes:
        reader: whose reviews make an image read.
        finding: only its scores and certainty count; "" for all.
        certainty: of the image: `confident`, `doubtful`, `none`; "" for any.
        state: of the image; None for any.
        read: whether the reader has; None for either.
        since: received at or after, seconds since 1970; None for any.
        until: received before.
        order: what comes first.
        offset: rows to pass over.
        limit: rows to return.
    """

    reader: str
    finding: str = ""
    certainty: str = ""
    state: ImageState | None = None
    read: bool | None = None
    since: float | None = None
    until: float | None = None
    order: Order = Order.SCORE
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True)
class Scored:
    """One finding of an image in the list."""

    finding: str
    score: float
    probability: float | None
    certainty: str | None


@dataclass(frozen=True)
class Row:
    """One image of the list.

    Attributes:
        id: SHA-256 of the received file.
        received_at: seconds since 1970.
        state: how far it is.
        reason: why it was not processed.
        findings: by name.
        records: what the record says of each finding it knows.
        read: whether the reader has saved a review.
        complete: whether that says that nothing is missed.
        why: why it stands where it stands, where the order does not tell by itself.
    """

    id: str
    received_at: float
    state: ImageState
    reason: str
    findings: tuple[Scored, ...]
    records: Mapping[str, DiagnosisState]
    read: bool
    complete: bool
    why: str


@dataclass(frozen=True)
class Page:
    """Some rows, how many there are in all, and how many of those the reader has not read."""

    rows: tuple[Row, ...]
    total: int
    unread: int
