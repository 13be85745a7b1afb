"""The images a reader should look at: best hits, worst misses, loudest false alarms."""

import base64
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.drawing import draw_example
from ribsight.evaluation.froc import froc_curve, froc_events, threshold_at
from ribsight.evaluation.matching import MatchTable, Outcome, match
from ribsight.evaluation.predictions import Mark, Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading, reading_of
from ribsight.evaluation.truth import NEGATIVE, Truth, known_only, truth_of
from ribsight.regions import Polygon

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["hit", "missed", "false_alarm"]
ReadPixels = Callable[[str], NDArray[np.uint8]]
"""Id -> (H, W) picture of the whole radiograph, at any scale."""

# A crop shows the example in a square of this share of the image's longer side, or of so many
# times the region's longer side if that is more.
_CROP_SHARE, _CROP_REGIONS = 0.2, 2.5


@dataclass(frozen=True)
class Example:
    """An image worth showing, for the mark or region that put it there.

    Attributes:
        kind: `hit`, `missed` or `false_alarm`.
        image: index into the truth's images.
        score: of the mark; of a missed region the score of the mark that would hit it, -inf if
            there is none.
        at: x and y of the mark, or of the region's centre, in stored pixels.
        size: longer side of the region in stored pixels; 0 for a false alarm.
    """

    kind: Kind
    image: int
    score: float
    at: tuple[float, float]
    size: float


@dataclass(frozen=True)
class Picture:
    """An example drawn: PNGs as data URIs, whole and close up, and the words beneath them."""

    finding: str
    kind: Kind
    radiograph: str
    caption: str
    alt: str
    data_uri: str
    crop_uri: str = ""
    crop_alt: str = ""


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
    missed = np.flatnonzero(region_score < threshold)
    alarms = (table.outcome == Outcome.FALSE) & (truth.state[table.image] == NEGATIVE)
    loud = table.score >= threshold
    marks_at = np.stack([table.x, table.y], axis=1)
    boxes = truth.region_boxes
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    hit, alarm = np.flatnonzero(hits & loud), np.flatnonzero(alarms & loud)

    def first(
        kind: Kind,
        images: NDArray[np.int64],
        scores: NDArray[np.float64],
        at: NDArray[np.float64],
        size: NDArray[np.float64],
    ) -> list[Example]:
        best: dict[int, Example] = {}
        sign = 1 if kind == "missed" else -1
        for row in np.lexsort((images, sign * scores)):
            image, (x, y) = int(images[row]), at[row]
            example = Example(
                kind, image, float(scores[row]), (float(x), float(y)), float(size[row])
            )
            best.setdefault(image, example)
        return list(best.values())[:count]

    return {
        "hit": first(
            "hit", table.image[hit], table.score[hit], marks_at[hit], sizes[table.region[hit]]
        ),
        "missed": first(
            "missed",
            truth.region_image[missed],
            region_score[missed],
            centres[missed],
            sizes[missed],
        ),
        "false_alarm": first(
            "false_alarm",
            table.image[alarm],
            table.score[alarm],
            marks_at[alarm],
            np.zeros(len(alarm)),
        ),
    }


def make_gallery(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    read_pixels: ReadPixels,
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
    pictures: list[Picture] = []
    for finding in cohort.findings:
        if finding in predictions.findings:
            truth = known_only(truth_of(part, finding))
            reading = reading_of(predictions, truth)
            table = match(truth, reading, protocol)
            pictures += finding_gallery(truth, reading, table, read_pixels, count=count)
    return pictures


def finding_gallery(
    truth: Truth, reading: Reading, table: MatchTable, read_pixels: ReadPixels, *, count: int = 4
) -> list[Picture]:
    """Draw the examples of one finding; nothing if it has no FROC. Arguments as `make_gallery`."""
    try:
        curve = froc_curve(froc_events(table, truth, table.protocol))
    except RibsightError:
        return []
    threshold = threshold_at(curve, table.protocol.operating_points[-1])
    examples = pick_examples(truth, table, threshold, count)
    return [
        _picture(
            example,
            truth,
            _outlines(truth, example.image),
            _marks(reading, example.image, threshold),
            read_pixels(truth.images[example.image]),
        )
        for example in itertools.chain(*examples.values())
    ]


def _outlines(truth: Truth, image: int) -> list[Polygon]:
    own = np.flatnonzero(truth.region_image == image)
    if truth.outlines:
        return [polygon for region in own for polygon in truth.outlines[region]]
    return [
        np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        for x0, y0, x1, y1 in truth.region_boxes[own]
    ]


def _marks(reading: Reading, image: int, threshold: float) -> list[Mark]:
    own = np.flatnonzero((reading.mark_image == image) & (reading.mark_scores >= threshold))
    own = own[np.argsort(-reading.mark_scores[own], kind="stable")]
    marks = []
    for row in own:
        x, y = reading.mark_xy[row].tolist()
        box = reading.mark_boxes[row].tolist() if len(reading.mark_boxes) else [np.nan] * 4
        marks.append(Mark(x, y, (box[0], box[1], box[2], box[3]), float(reading.mark_scores[row])))
    return marks


def _picture(
    example: Example,
    truth: Truth,
    outlines: list[Polygon],
    marks: list[Mark],
    pixels: NDArray[np.uint8],
) -> Picture:
    id_ = truth.images[example.image]
    width, height = truth.sizes[example.image]
    if np.isnan(width):
        height, width = pixels.shape
    size = float(width), float(height)
    scores = ", ".join(f"{mark.score:.2f}" for mark in marks) or "none"
    half = max(_CROP_SHARE * max(size), _CROP_REGIONS * example.size) / 2
    x, y = example.at
    window = x - half, y - half, x + half, y + half
    what = {"hit": "the hit", "missed": "the missed region", "false_alarm": "the false mark"}
    return Picture(
        finding=truth.finding,
        kind=example.kind,
        radiograph=id_,
        caption=_caption(example),
        alt=f"Radiograph {id_}: {len(outlines)} drawn outlines (dashed), mark scores: {scores}",
        data_uri=_data_uri(draw_example(pixels, size, outlines, marks)),
        crop_uri=_data_uri(draw_example(pixels, size, outlines, marks, window=window)),
        crop_alt=f"Radiograph {id_}, close up: {what[example.kind]} at x {x:.0f}, y {y:.0f}",
    )


def _data_uri(picture: "Image") -> str:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _caption(example: Example) -> str:
    if example.kind == "hit":
        return f"hit with score {example.score:.2f}"
    if example.kind == "false_alarm":
        return f"false mark with score {example.score:.2f}"
    if np.isneginf(example.score):
        return "a region without any mark"
    return f"a region whose mark scores only {example.score:.2f}"
