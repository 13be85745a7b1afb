"""Marks from files: ribsight's predictions, COCO results, CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ribsight.errors import RibsightError, nearest
from ribsight.evaluation.evaluate import answers_of
from ribsight.evaluation.inputs.csv_table import CsvTable, read_csv, require
from ribsight.evaluation.inputs.image_columns import stem_of
from ribsight.evaluation.inputs.json_file import read_json
from ribsight.evaluation.inputs.truth_coco import corners
from ribsight.evaluation.inputs.truth_csv import ONLY_FINDING
from ribsight.evaluation.inputs.truth_set import NamedTruth
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.predictions_file import read_predictions
from ribsight.evaluation.reading import Reading, check_reading
from ribsight.evaluation.score import Answers
from ribsight.evaluation.truth import Truth
from ribsight.files import file_sha256
from ribsight.regions.coco_ids import plain_id

Box = tuple[float, float, float, float]
_NO_BOX: Box = (np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class MarkRows:
    """Rows of a file of marks, images by their ids in the truth.

    Attributes:
        entry: file and kind of entry, for messages: `marks.csv, row`.
        marks: by finding: (image, x, y, score, box, number of the entry) of each mark.
        image_scores: by finding and image, where the file gives them.
        names: what the file calls its findings.
    """

    entry: str
    marks: dict[str, list[tuple[str, float, float, float, Box, int]]] = field(default_factory=dict)
    image_scores: dict[str, dict[str, float]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)


def read_marks(
    path: Path,
    truth: NamedTruth,
    *,
    name: str | None = None,
    further_images: bool = False,
    called: Mapping[str, str] | None = None,
    further_findings: bool = False,
) -> Answers:
    """Read a detector's answers from a file.

    Args:
        path: `predictions.json` of ribsight, COCO results (a JSON list), or a CSV.
        truth: that names the images and findings.
        name: of the detector; the file's own or its name if not given.
        further_images: whether marks on images that the truth does not have are left aside (those
            of `predictions.json` always are).
        called: finding of the truth by the name that the file uses for it, where they differ.
        further_findings: whether marks of findings that the truth does not have are left aside
            (those of `predictions.json` always are).

    Raises:
        RibsightError: what is wrong, with its row.
    """
    called = called or {}
    if path.suffix.lower() != ".json":
        rows = _from_csv(
            read_csv(path),
            truth,
            called,
            further_images=further_images,
            further_findings=further_findings,
        )
    else:
        document = read_json(path)
        if isinstance(document, dict) and "annotations" in document:
            raise RibsightError(
                f"{path} is a truth in COCO's format, not marks: COCO results are a list with a "
                "score each (are --truth and --marks swapped?)"
            )
        if isinstance(document, dict):
            predictions = read_predictions(path)
            answers = answers_of(_renamed(predictions, truth, called))
            return replace(answers, model=name or answers.model, names=predictions.findings)
        if not isinstance(document, list):
            raise RibsightError(f"{path} is neither predictions of ribsight nor COCO results")
        rows = _from_coco(path, document, truth, further_images)
    findings = tuple(dict.fromkeys([*rows.marks, *rows.image_scores]))
    if not findings:
        # An empty file says that nothing was found, of everything.
        findings = tuple(truth.truth.truths)
    return Answers(
        model=name or path.stem,
        sha256=file_sha256(path),
        findings=findings,
        reading=lambda one: _reading(rows, one),
        names=tuple(rows.names),
    )


def _renamed(predictions: Predictions, truth: NamedTruth, called: Mapping[str, str]) -> Predictions:
    """Return predictions with the truth's names for images and findings."""
    images = tuple(
        replace(
            one,
            id=_image_named(truth, one.id) or one.id,
            findings={called.get(key, key): value for key, value in one.findings.items()},
        )
        for one in predictions.images
    )
    findings = tuple(called.get(key, key) for key in predictions.findings)
    return replace(predictions, images=images, findings=findings)


def _from_csv(
    table: CsvTable,
    truth: NamedTruth,
    called: Mapping[str, str],
    *,
    further_images: bool,
    further_findings: bool,
) -> MarkRows:
    if "score" not in table.columns and ("x0" in table.columns or "state" in table.columns):
        raise RibsightError(
            f"{table.path} has regions or states but no column 'score', so it seems to be a truth "
            "(are --truth and --marks swapped?)"
        )
    require(table, "image", "score")
    rows = MarkRows(f"{table.path.name}, row")
    unknown: list[str] = []
    for row, cells in enumerate(table.rows):
        if "finding" in table.columns:
            rows.names[cells["finding"]] = None
            if further_findings and not _is_scored(cells["finding"], truth, called):
                continue
        image = _image_named(truth, cells["image"])
        finding = _finding(table, row, truth, called)
        score, box = table.number(row, "score"), table.box(row)
        if image is None:
            unknown.append(f"{table.where(row)}: image '{cells['image']}'")
            continue
        if box is None and not cells.get("x") and not cells.get("y"):
            scores = rows.image_scores.setdefault(finding, {})
            if image in scores:
                raise RibsightError(f"{table.where(row)}: a second image score of {image}")
            scores[image] = score
            continue
        x, y = _location(table, row, box)
        rows.marks.setdefault(finding, []).append(
            (image, x, y, score, box or _NO_BOX, table.numbers[row])
        )
    _refuse_unknown(unknown, further_images)
    return rows


def _is_scored(name: str, truth: NamedTruth, called: Mapping[str, str]) -> bool:
    return called.get(name, name) in truth.truth.truths


def _image_named(truth: NamedTruth, name: str) -> str | None:
    """Return the image that goes by a name, or else by that id in a COCO file."""
    for known, key in ((truth.names, name), (truth.names, stem_of(name)), (truth.ids, name)):
        if key in known:
            return known[key]
    return None


def _finding(table: CsvTable, row: int, truth: NamedTruth, called: Mapping[str, str]) -> str:
    findings = list(truth.truth.truths)
    if "finding" not in table.columns:
        if len(findings) > 1:
            raise RibsightError(
                f"{table.path} has no column 'finding', and the truth has {', '.join(findings)}"
            )
        return findings[0] if findings else ONLY_FINDING
    name = table.rows[row]["finding"]
    finding = called.get(name, name)
    if finding not in findings:
        raise RibsightError(
            f"{table.where(row)}: the truth has no finding '{name}'{nearest(name, findings)}; it "
            f"has {', '.join(findings)} (--finding TRUTH=MARKS joins two names)"
        )
    return finding


def _location(table: CsvTable, row: int, box: Box | None) -> tuple[float, float]:
    """Return x and y of a mark: its own, or the centre of its box."""
    own = "x0" in table.columns or "box_width" not in table.columns
    if box is None or (own and table.rows[row].get("x")):
        return table.number(row, "x"), table.number(row, "y")
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _from_coco(
    path: Path, document: Sequence[object], truth: NamedTruth, further_images: bool
) -> MarkRows:
    names = dict.fromkeys(truth.categories.values()) if document else {}
    rows = MarkRows(f"{path.name}, result", names=names)
    unknown: list[str] = []
    for position, result in enumerate(document):
        where = f"{path.name}, result {position}"
        if not isinstance(result, dict):
            raise RibsightError(f"{where} is no JSON object")
        category, score = plain_id(result.get("category_id")), result.get("score")
        finding = truth.categories.get(category) if isinstance(category, int | str) else None
        if finding is None:
            raise RibsightError(
                f"{where}: category {category!r} is not in the truth; COCO results need a truth "
                "in COCO's format"
            )
        if finding not in truth.truth.truths:
            continue
        if not isinstance(score, int | float) or not np.isfinite(score):
            raise RibsightError(f"{where}: score is {score!r}, which is no finite number")
        x0, y0, x1, y1 = corners(result.get("bbox"), where)
        if not (x1 > x0 and y1 > y0):
            raise RibsightError(f"{where}: its box has no area")
        image = plain_id(result.get("image_id"))
        id_ = truth.ids.get(image) if isinstance(image, int | str) else None
        if id_ is None and isinstance(image, str):
            id_ = _image_named(truth, image)
        if id_ is None:
            unknown.append(f"{where}: image {image!r}")
            continue
        mark = (id_, (x0 + x1) / 2, (y0 + y1) / 2, float(score), (x0, y0, x1, y1), position)
        rows.marks.setdefault(finding, []).append(mark)
    _refuse_unknown(unknown, further_images)
    return rows


def _refuse_unknown(unknown: Sequence[str], further_images: bool) -> None:
    if unknown and not further_images:
        more = f", and {len(unknown) - 1} more like it" if len(unknown) > 1 else ""
        raise RibsightError(
            f"{unknown[0]} is not in the truth{more}: correct the names, or leave such marks aside "
            "with --further-images ignore"
        )


def _reading(rows: MarkRows, truth: Truth) -> Reading:
    """Return the rows on the truth's images; an image's score is its highest mark's if not given.

    An image without a mark scores 0, or if any score is below 0, one less than the lowest.
    """
    index = {name: place for place, name in enumerate(truth.images)}
    own = [one for one in rows.marks.get(truth.finding, []) if one[0] in index]
    image = np.array([index[one[0]] for one in own], dtype=np.int64)
    scores = np.array([one[3] for one in own], dtype=np.float64)
    given = rows.image_scores.get(truth.finding, {})
    lowest = min([0.0, *scores.tolist(), *given.values()])
    image_scores = np.full(len(truth.images), lowest - 1 if lowest < 0 else 0.0)
    np.maximum.at(image_scores, image, scores)
    for name, score in given.items():
        if name in index:
            image_scores[index[name]] = score
    reading = Reading(
        image_scores=image_scores,
        mark_image=image,
        mark_xy=np.array([one[1:3] for one in own], dtype=np.float64).reshape(-1, 2),
        mark_scores=scores,
        mark_boxes=np.array([one[4] for one in own], dtype=np.float64).reshape(-1, 4),
    )
    check_reading(reading, truth, lambda mark: f"{rows.entry} {own[mark][5]}: ")
    return reading
