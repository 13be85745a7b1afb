"""Which images a reader is shown, in which order, and why.

Orders, all but the last from the top:

- `score`: the highest probability (else raw score) of a finding.
- `uncertainty`: the finding nearest to even chances by its probability; without calibration, the
  raw score nearest to an operating point.
- `disagreement`: the finding whose probability is farthest from what the record says. Images
  without a positive or negative record come last.
- `received`: the newest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from ribsight.deployment.service import tables as service
from ribsight.deployment.service.tables import Kind, State
from ribsight.deployment.service.triage.records import RANKS
from ribsight.deployment.service.triage.tables import records, reviews
from ribsight.evaluation.predictions import Levels
from ribsight.findings import Acuity, Certainty, DiagnosisState, Side

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
class Recorded:
    """What records say of one finding of an image."""

    state: DiagnosisState
    acuity: Acuity
    side: Side


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


_images, _jobs, _results = service.images.c, service.jobs.c, service.results.c
_scores = service.scores.c
_chance = func.coalesce(_scores.probability, _scores.score)


def worklist(connection: Connection, query: Query, levels: Mapping[str, Levels]) -> Page:
    """Return a page of the list.

    Args:
        connection: to the store.
        query: what is asked for.
        levels: operating points of the findings, for scores without calibration.
    """
    value = _value(query, levels).label("value")
    chosen = (
        select(
            _images.id,
            _images.received_at,
            _state().label("state"),
            func.coalesce(_results.reason, _jobs.reason, "").label("reason"),
            _results.id.label("result"),
            _mine(query.reader).label("complete"),
            value,
        )
        .select_from(service.images)
        .join(service.jobs, _jobs.image == _images.id, isouter=True)
        .join(
            service.results,
            and_(_results.image == _images.id, _results.is_current),
            isouter=True,
        )
        .where(*_conditions(query))
    )
    is_read = _is_read(query.reader)
    unread = _count(connection, chosen.where(~is_read, _state() == ImageState.DONE.value))
    if query.read is not None:
        chosen = chosen.where(is_read if query.read else ~is_read)
    total = _count(connection, chosen)
    ordered = chosen.order_by(value.desc().nulls_last(), _images.received_at.desc(), _images.id)
    page = ordered.offset(query.offset).limit(query.limit)
    rows = connection.execute(page).mappings().all()
    findings = _findings(connection, [row["result"] for row in rows])
    known = records_of(connection, [row["id"] for row in rows])
    return Page(tuple(_row(row, findings, known, query) for row in rows), total, unread)


def _mine(reader: str) -> ScalarSelect[bool]:
    """Return whether the reader's latest review is complete; null if there is none."""
    return (
        select(reviews.c.complete)
        .where(reviews.c.image == _images.id, reviews.c.reader == reader)
        .order_by(reviews.c.number.desc())
        .limit(1)
        .correlate(service.images)
        .scalar_subquery()
    )


def _is_read(reader: str) -> ColumnElement[bool]:
    return exists(
        select(reviews.c.id).where(reviews.c.image == _images.id, reviews.c.reader == reader)
    )


def _count(connection: Connection, query: "Select[Any]") -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def _state() -> ColumnElement[str]:
    return case(
        (_results.kind == Kind.FINDINGS, literal(ImageState.DONE.value)),
        (_results.kind == Kind.NOT_PROCESSED, literal(ImageState.NOT_PROCESSED.value)),
        (_jobs.state == State.CANCELED, literal(ImageState.NOT_PROCESSED.value)),
        else_=literal(ImageState.WAITING.value),
    )


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.state is not None:
        conditions.append(_state() == query.state.value)
    if query.since is not None:
        conditions.append(_images.received_at >= query.since)
    if query.until is not None:
        conditions.append(_images.received_at < query.until)
    if query.certainty == NOTHING:
        found = _of_result(query, _scores.certainty.is_not(None))
        conditions += [_results.kind == Kind.FINDINGS, ~exists(found)]
    elif query.certainty:
        conditions.append(exists(_of_result(query, _scores.certainty == query.certainty)))
        if query.certainty == Certainty.DOUBTFUL:  # what is confident of one finding is confident
            confident = _of_result(query, _scores.certainty == Certainty.CONFIDENT.value)
            conditions.append(~exists(confident))
    return conditions


def _of_result(query: Query, *conditions: ColumnElement[bool]) -> "Select[Any]":
    wanted = select(_scores.finding).where(_scores.result == _results.id, *conditions)
    return wanted.where(_scores.finding == query.finding) if query.finding else wanted


def _value(query: Query, levels: Mapping[str, Levels]) -> ColumnElement[float]:
    """Return what images are ordered by, the largest first; null where it cannot be said."""
    if query.order is Order.RECEIVED:
        return _images.received_at
    if query.order is Order.SCORE:
        measure: ColumnElement[float] = _chance
    elif query.order is Order.UNCERTAINTY:
        measure = -_distance(levels)
    else:
        measure = _disagreement()
    largest = select(func.max(measure)).where(_scores.result == _results.id)
    if query.finding:
        largest = largest.where(_scores.finding == query.finding)
    return largest.correlate(service.results, service.images).scalar_subquery()


def _distance(levels: Mapping[str, Levels]) -> ColumnElement[float]:
    """Return how far a finding is from being undecided.

    The entropy of a probability falls with its distance from 1/2, so they order alike.
    """
    calibrated = func.abs(_scores.probability - 0.5)
    raw: ColumnElement[float] = func.abs(_scores.score - 0.5)
    by_finding = []
    for finding, one in levels.items():
        low, high = func.abs(_scores.score - one.doubtful), func.abs(_scores.score - one.confident)
        by_finding.append((_scores.finding == finding, case((low < high, low), else_=high)))
    if by_finding:
        raw = case(*by_finding, else_=raw)
    return case((_scores.probability.is_not(None), calibrated), else_=raw)


def _disagreement() -> ColumnElement[float]:
    """Return how far the probability is from the record's 0 or 1; null without such a record."""
    rank = (
        select(func.max(_rank()))
        .where(records.c.finding == _scores.finding, is_about(service.images))
        .correlate(service.scores, service.images)
        .scalar_subquery()
    )
    return case(
        (rank == RANKS[DiagnosisState.POSITIVE], 1 - _chance),
        (rank == RANKS[DiagnosisState.NEGATIVE], _chance),
        else_=None,
    )


def _rank() -> ColumnElement[int]:
    return case({state.value: rank for state, rank in RANKS.items()}, value=records.c.state)


def is_about(images: Table) -> ColumnElement[bool]:
    """Say that a record is about an image: by its file, instance, study or accession number."""
    return or_(
        and_(records.c.by == "image", records.c.key.in_([images.c.id, images.c.instance])),
        and_(records.c.by == "study", records.c.key == images.c.study),
        and_(records.c.by == "accession", records.c.key == images.c.accession),
    )


def _findings(connection: Connection, results: list[int]) -> dict[int, list[Scored]]:
    query = select(service.scores).where(_scores.result.in_([one for one in results if one]))
    found: dict[int, list[Scored]] = {}
    for row in connection.execute(query.order_by(_scores.finding)).mappings():
        scored = Scored(row["finding"], row["score"], row["probability"], row["certainty"])
        found.setdefault(row["result"], []).append(scored)
    return found


def records_of(connection: Connection, images: Sequence[str]) -> dict[str, dict[str, Recorded]]:
    """Return what records say of images and findings.

    Of several records of one finding the strongest state counts: positive, uncertain, negative.
    """
    query = (
        select(_images.id, records)
        .select_from(service.images)
        .join(records, is_about(service.images))
        .where(_images.id.in_(images))
        .order_by(_rank())
    )
    known: dict[str, dict[str, Recorded]] = {}
    for row in connection.execute(query).mappings():
        state, acuity, side = (row[name] for name in ("state", "acuity", "side"))
        said = Recorded(DiagnosisState(state), Acuity(acuity), Side(side))
        known.setdefault(row["id"], {})[row["finding"]] = said
    return known


def _row(
    row: Mapping[Any, Any],
    findings: Mapping[int, list[Scored]],
    known: Mapping[str, Mapping[str, Recorded]],
    query: Query,
) -> Row:
    found = tuple(findings.get(row["result"], ()))
    said = {finding: one.state for finding, one in known.get(row["id"], {}).items()}
    counting = [one for one in found if query.finding in ("", one.finding)]
    return Row(
        id=row["id"],
        received_at=row["received_at"],
        state=ImageState(row["state"]),
        reason=row["reason"],
        findings=found,
        records=said,
        read=row["complete"] is not None,
        complete=bool(row["complete"]),
        why=disagreement(counting, said) if query.order is Order.DISAGREEMENT else "",
    )


def disagreement(found: list[Scored], said: Mapping[str, DiagnosisState]) -> str:
    """Say where record and detector say the opposite; "" where they do not."""
    sentences = []
    for one in found:
        name, record = one.finding.replace("_", " "), said.get(one.finding)
        if record is DiagnosisState.POSITIVE and one.certainty is None:
            sentences.append(f"{name}: record positive, detector finds nothing")
        elif record is DiagnosisState.NEGATIVE and one.certainty is not None:
            sentences.append(f"{name}: record negative, detector {one.certainty}")
    return "; ".join(sentences)
