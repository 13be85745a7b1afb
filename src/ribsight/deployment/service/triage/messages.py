"""What the page sends, checked; and what it is sent."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ribsight.deployment.service.triage.films import Film
from ribsight.deployment.service.triage.listed import Page, Row, Scored
from ribsight.deployment.service.triage.recorded import Recorded
from ribsight.deployment.service.triage.review import Review, mark_keys
from ribsight.evaluation.predictions import ImagePrediction

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Reader = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_PRINTABLE),
]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_MOST = 500


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SentMark(_Message):
    """A mark that the reader judged."""

    key: Annotated[str, Field(max_length=100)]
    decision: Literal["accepted", "rejected"]


class SentBox(_Message):
    """A box that the reader drew, x0, y0, x1, y1 in stored pixels."""

    finding: Annotated[str, Field(max_length=64)]
    box: tuple[_Number, _Number, _Number, _Number]


class SentReview(_Message):
    """A review as the page sends it."""

    review_id: uuid.UUID
    reader: Reader
    model_sha256: Annotated[str, Field(max_length=64)]
    based_on: uuid.UUID | None
    complete: bool
    marks: Annotated[list[SentMark], Field(max_length=_MOST)]
    drawn: Annotated[list[SentBox], Field(max_length=_MOST)]


def time_text(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def page_message(page: Page, offset: int) -> dict[str, Any]:
    """Return a page of the worklist."""
    return {
        "total": page.total,
        "unread": page.unread,
        "offset": offset,
        "items": [_row_message(one) for one in page.rows],
    }


def _row_message(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.id[:12],
        "received": time_text(row.received_at),
        "state": row.state,
        "reason": row.reason,
        "findings": [_scored_message(one) for one in row.findings],
        "records": row.records,
        "read": row.read,
        "complete": row.complete,
        "why": row.why,
    }


def _scored_message(one: Scored) -> dict[str, Any]:
    return {
        "finding": one.finding,
        "score": one.score,
        "probability": one.probability,
        "certainty": one.certainty,
    }


def findings_message(prediction: ImagePrediction) -> list[dict[str, Any]]:
    """Return the findings of an image with their marks, each with its key."""
    keys = mark_keys(prediction)
    return [
        {
            "finding": finding,
            "score": one.score,
            "probability": one.probability,
            "certainty": one.certainty,
            "marks": [
                {
                    "key": key,
                    "box": mark.box,
                    "score": mark.score,
                    "probability": mark.probability,
                    "certainty": mark.certainty,
                    "side": mark.side,
                }
                for key, (of, mark) in keys.items()
                if of == finding
            ],
        }
        for finding, one in prediction.findings.items()
    ]


def records_message(records: dict[str, Recorded]) -> dict[str, Any]:
    """Return what records say, by finding."""
    return {
        name: {"state": one.state, "acuity": one.acuity, "side": one.side}
        for name, one in records.items()
    }


def review_message(review: Review) -> dict[str, Any]:
    """Return a saved review."""
    return {
        "review_id": review.review_id,
        "number": review.number,
        "saved": time_text(review.saved_at),
        "model_sha256": review.model_sha256,
        "complete": review.complete,
        "marks": [
            {"key": one.key, "finding": one.finding, "box": one.box, "decision": one.decision}
            for one in review.marks
        ],
        "drawn": [{"finding": one.finding, "box": one.box} for one in review.drawn],
    }


def film_message(film: Film) -> dict[str, Any]:
    """Return what the header says, as far as the page shows it."""
    return {"accession": film.accession, "study_date": film.study_date, "view": film.view}
