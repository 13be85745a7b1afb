"""Which images a reader is shown, in which order, and why.

Orders, all but the last from the top:

- `score`: the highest probability (else raw score) of a finding.
- `uncertainty`: the finding nearest to even chances by its probability; without calibration, the
  raw score nearest to an operating point.
- `disagreement`: the finding whose probability is farthest from what the record says. Images
  without a positive or negative record come last.
- `received`: the newest first.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    select,
)

from ribsight.deployment.service import tables as service
from ribsight.deployment.service.tables import Kind, State
from ribsight.deployment.service.triage.listed import (
    NOTHING,
    ImageState,
    Order,
    Page,
    Query,
    Row,
    Scored,
)
from ribsight.deployment.service.triage.recorded import (
    Recorded,
    is_about,
    records_of,
    state_rank,
)
from ribsight.deployment.service.triage.records import RANKS
from ribsight.deployment.service.triage.tables import records, reviews
from ribsight.evaluation.predictions import Levels
from ribsight.findings import Certainty, DiagnosisState

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
        select(func.max(state_rank()))
        .where(records.c.finding == _scores.finding, is_about(service.images))
        .correlate(service.scores, service.images)
        .scalar_subquery()
    )
    return case(
        (rank == RANKS[DiagnosisState.POSITIVE], 1 - _chance),
        (rank == RANKS[DiagnosisState.NEGATIVE], _chance),
        else_=None,
    )


def _findings(connection: Connection, results: list[int]) -> dict[int, list[Scored]]:
    query = select(service.scores).where(_scores.result.in_([one for one in results if one]))
    found: dict[int, list[Scored]] = {}
    for row in connection.execute(query.order_by(_scores.finding)).mappings():
        scored = Scored(row["finding"], row["score"], row["probability"], row["certainty"])
        found.setdefault(row["result"], []).append(scored)
    return found


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
