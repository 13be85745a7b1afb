"""What one reader says of one image: marks accepted or rejected, boxes drawn, nothing missed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ribsight.evaluation.predictions import ImagePrediction, Mark
from ribsight.regions.region import Box


class Decision(StrEnum):
    """What a reader says of a mark."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class JudgedMark:
    """A mark and what the reader said of it.

    Attributes:
        key: of the mark among those of its image and model, see `mark_keys`.
        finding: of the mark.
        box: of the mark, in stored pixels.
        score: of the mark.
        decision: of the reader.
    """

    key: str
    finding: str
    box: Box
    score: float
    decision: Decision


@dataclass(frozen=True)
class DrawnBox:
    """A box that the reader drew, in stored pixels."""

    finding: str
    box: Box


@dataclass(frozen=True)
class Review:
    """One saved review.

    Attributes:
        review_id: a UUID that the page made.
        image: SHA-256 of the received file.
        reader: who.
        number: how many the reader had saved of this image, with this one.
        model_sha256: whose marks were judged.
        complete: nothing is missed: what is neither accepted nor drawn is no finding.
        marks: the judged ones.
        drawn: boxes.
        saved_at: seconds since 1970.
    """

    review_id: str
    image: str
    reader: str
    number: int
    model_sha256: str
    complete: bool
    marks: tuple[JudgedMark, ...]
    drawn: tuple[DrawnBox, ...]
    saved_at: float

    @property
    def findings(self) -> dict[str, list[Box]]:
        """The boxes of each finding that the reader sees: accepted, then drawn."""
        boxes: dict[str, list[Box]] = {}
        for mark in self.marks:
            if mark.decision is Decision.ACCEPTED:
                boxes.setdefault(mark.finding, []).append(mark.box)
        for one in self.drawn:
            boxes.setdefault(one.finding, []).append(one.box)
        return boxes


def mark_keys(prediction: ImagePrediction) -> dict[str, tuple[str, Mark]]:
    """Return finding and mark by key: `rib_fracture/0` is the finding's highest mark."""
    return {
        f"{finding}/{index}": (finding, mark)
        for finding, one in prediction.findings.items()
        for index, mark in enumerate(one.marks)
    }


def content(marks: tuple[JudgedMark, ...], drawn: tuple[DrawnBox, ...]) -> str:
    """Return what was judged and drawn as JSON; the same content gives the same text."""
    ordered = sorted(marks, key=lambda one: one.key)
    document = {"marks": [asdict(one) for one in ordered], "drawn": [asdict(one) for one in drawn]}
    return json.dumps(document)


def review_of(row: Mapping[Any, Any]) -> Review:
    """Return the review that a row of `tables.reviews` holds."""
    document = json.loads(row["document"])
    return Review(
        review_id=row["review"],
        image=row["image"],
        reader=row["reader"],
        number=row["number"],
        model_sha256=row["model_sha256"],
        complete=row["complete"],
        marks=tuple(
            JudgedMark(
                key=one["key"],
                finding=one["finding"],
                box=_box(one["box"]),
                score=one["score"],
                decision=Decision(one["decision"]),
            )
            for one in document["marks"]
        ),
        drawn=tuple(DrawnBox(one["finding"], _box(one["box"])) for one in document["drawn"]),
        saved_at=row["saved_at"],
    )


def _box(values: list[float]) -> Box:
    x0, y0, x1, y1 = values
    return x0, y0, x1, y1
