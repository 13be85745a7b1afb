"""The images a reader should look at: best hits, worst misses, loudest false alarms."""

import base64
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.drawing import draw_example
from ribsight.evaluation.froc import froc_curve, froc_events, threshold_at
from ribsight.evaluation.matching import MatchTable, Outcome, match
from ribsight.evaluation.predictions import Mark, Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import reading_of
from ribsight.evaluation.truth import NEGATIVE, Truth, known_only, truth_of
from ribsight.regions import Polygon

Kind = Literal["hit", "missed", "false_alarm"]


@dataclass(frozen=True)
class Example:
    """An image worth showing, for the mark or region that put it there.

    Attributes:
        kind: `hit`, `missed` or `false_alarm`.
        image: index into the truth's images.
        score: of the mark; of a missed region the score of the mark that would hit it, -inf if
            there is none.
    """

    kind: Kind
    image: int
    score: float


@dataclass(frozen=True)
class Picture:
    """An example drawn: a PNG as data URI, and the words beneath it."""

    finding: str
    kind: Kind
    radiograph: str
    caption: str
    alt: str
    data_uri: str


def pick_examples(
    truth: Truth, table: MatchTable, threshold: float, count: int
) -> dict[Kind, list[Example]]:
    """Return up to `count` images of each kind, the most telling first, no image twice in one.

    Hits: highest score. Missed: regions that no mark at or above `threshold` hits, those with the
    lowest score (so the highest loss) first. False alarms: highest score on negative images.
    """
    hits = table.outcome == Outcome.HIT
    region_score = np.full(len(truth.region_image), -np.inf)
    region_score[table.region[hits]] = table.score[hits]
    missed = region_score < threshold
    alarms = (table.outcome == Outcome.FALSE) & (truth.state[table.image] == NEGATIVE)
    loud = table.score >= threshold
    return {
        "hit": _first("hit", table.image[hits & loud], table.score[hits & loud], count, -1),
        "missed": _first("missed", truth.region_image[missed], region_score[missed], count, 1),
        "false_alarm": _first(
            "false_alarm", table.image[alarms & loud], table.score[alarms & loud], count, -1
        ),
    }


def make_gallery(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    read_pixels: Callable[[str], NDArray[np.uint8]],
    *,
    count: int = 4,
) -> list[Picture]:
    """Draw the examples of every finding; only radiographs that are shown are read.

    Marks are drawn from the score at which the protocol's last operating point is reached.

    Args:
        predictions: as for `evaluate`.
        cohort: with splits.
        split: the part to look at.
        protocol: as for `evaluate`.
        read_pixels: id -> (H, W) picture of the whole radiograph, at any scale.
        count: images of each kind and finding.

    Raises:
        RibsightError: as `evaluate` does. A finding without a FROC has no gallery.
    """
    part = cohort.select(split)
    drawn = dict(zip(part.ids, part.drawn(revealed_only=False), strict=True))
    said = {one.id: one for one in predictions.images}
    pictures: list[Picture] = []
    for finding in cohort.findings:
        if finding not in predictions.findings:
            continue
        truth = known_only(truth_of(part, finding))
        table = match(truth, reading_of(predictions, truth), protocol)
        try:
            curve = froc_curve(froc_events(table, truth, protocol))
        except RibsightError:
            continue
        threshold = threshold_at(curve, protocol.operating_points[-1])
        examples = pick_examples(truth, table, threshold, count)
        for example in itertools.chain(*examples.values()):
            id_ = truth.images[example.image]
            outlines = [
                polygon
                for region in drawn[id_]
                if region.finding == finding
                for polygon in region.polygons
            ]
            marks = [mark for mark in said[id_].findings[finding].marks if mark.score >= threshold]
            pictures.append(_picture(example, truth, outlines, marks, read_pixels(id_)))
    return pictures


def _first(
    kind: Kind, images: NDArray[np.int64], scores: NDArray[np.float64], count: int, sign: int
) -> list[Example]:
    """Return the first `count` distinct images by rising (1) or falling (-1) score."""
    best: dict[int, float] = {}
    for row in np.lexsort((images, sign * scores)):
        best.setdefault(int(images[row]), float(scores[row]))
    return [Example(kind, image, score) for image, score in list(best.items())[:count]]


def _picture(
    example: Example,
    truth: Truth,
    outlines: list[Polygon],
    marks: list[Mark],
    pixels: NDArray[np.uint8],
) -> Picture:
    id_ = truth.images[example.image]
    width, height = truth.sizes[example.image]
    drawn = draw_example(pixels, (float(width), float(height)), outlines, marks)
    stream = io.BytesIO()
    drawn.save(stream, format="PNG", optimize=True)
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    scores = ", ".join(f"{mark.score:.2f}" for mark in marks) or "none"
    return Picture(
        finding=truth.finding,
        kind=example.kind,
        radiograph=id_,
        caption=_caption(example),
        alt=f"Radiograph {id_}: {len(outlines)} drawn outlines (dashed), mark scores: {scores}",
        data_uri=f"data:image/png;base64,{encoded}",
    )


def _caption(example: Example) -> str:
    if example.kind == "hit":
        return f"hit with score {example.score:.2f}"
    if example.kind == "false_alarm":
        return f"false mark with score {example.score:.2f}"
    if np.isneginf(example.score):
        return "a region without any mark"
    return f"a region whose mark scores only {example.score:.2f}"
