"""What a prediction says, once thresholds are applied: the same for every object."""

import re
from dataclasses import dataclass, replace

import numpy as np

from ribsight.deployment.results.options import NotProcessed, Outcome, ResultOptions
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark
from ribsight.findings import Certainty

_ORDER = {Certainty.CONFIDENT: 0, Certainty.DOUBTFUL: 1, None: 2}


@dataclass(frozen=True)
class NumberedMark:
    """A mark that is reported; its number is that of every object, its box lies in the image."""

    number: int
    finding: str
    mark: Mark


@dataclass(frozen=True)
class Said:
    """All that is reported of one image.

    Attributes:
        findings: what is said of the whole image, by finding.
        detected: the findings that are there.
        marks: confident before doubtful, then by score.
        reason: why the image was not processed; None if it was.
        size: width and height in stored pixels; None if not processed.
    """

    findings: dict[str, FindingPrediction]
    detected: frozenset[str]
    marks: tuple[NumberedMark, ...]
    reason: str | None = None
    size: tuple[int, int] | None = None

    @property
    def outcome(self) -> Outcome:
        """What became of the image."""
        if self.reason is not None:
            return Outcome.NOT_PROCESSED
        return Outcome.FOUND if self.detected else Outcome.NOTHING


def said_of(prediction: ImagePrediction | NotProcessed, options: ResultOptions) -> Said:
    """Return what is reported of a prediction."""
    if isinstance(prediction, NotProcessed):
        return Said({}, frozenset(), (), reason=_one_line(prediction.reason))

    def counts(one: Mark | FindingPrediction) -> bool:
        if options.least_score is not None:
            return one.score >= options.least_score
        return one.certainty is not None

    marks = [
        (name, replace(mark, box=_inside(mark, prediction)))
        for name, said in prediction.findings.items()
        for mark in said.marks
        if counts(mark)
    ]
    marks.sort(key=lambda one: (_ORDER[one[1].certainty], -one[1].score, one[0]))
    detected = {name for name, _ in marks}
    detected |= {name for name, said in prediction.findings.items() if counts(said)}
    return Said(
        findings=dict(prediction.findings),
        detected=frozenset(detected),
        marks=tuple(NumberedMark(at, name, one) for at, (name, one) in enumerate(marks, 1)),
        size=(prediction.width, prediction.height),
    )


def _inside(mark: Mark, image: ImagePrediction) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = np.clip(mark.box, 0, np.tile([image.width, image.height], 2)).tolist()
    return x0, y0, x1, y1


def _one_line(reason: str) -> str:
    """Return a reason as one line that every character set holds."""
    plain = reason.encode("ascii", "replace").decode()
    return re.sub(r"\s+", " ", plain).strip()[:1000] or "no reason is known"


def words(finding: str) -> str:
    """Return a finding's name as people read it.

    >>> words("rib_fracture")
    'rib fracture'
    """
    return finding.replace("_", " ")
