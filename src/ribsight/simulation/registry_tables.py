"""What spans the patients of a registry: its tables, drawings, truth, and a summary."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ribsight.files import write_text
from ribsight.findings import Acuity, Split
from ribsight.simulation.paper.tables import CODE_COLUMNS, IMAGE_COLUMNS, REPORT_COLUMNS
from ribsight.simulation.truth import FINDINGS, Point, View

TRUTH = "truth"
ANNOTATIONS = "annotations.coco.json"

_FRESH = (Acuity.ACUTE, Acuity.HEALING)
_FAINT = 2.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """What a registry holds.

    Attributes:
        patients, films: counts.
        fractured: patients with an acute or healing fracture, per finding.
        fractures: acute or healing fractures on frontal and oblique films.
        faint: share of these below the contrast-to-noise ratio of 2.
        drawn: patients of the training share whose visible fractures the expert drew.

    """

    patients: int
    films: int
    fractured: Mapping[str, int]
    fractures: int
    faint: float
    drawn: int


def write_tables(out: Path, parts: Sequence[Mapping[str, Any]], drawn: int) -> Summary:
    """Write everything that spans patients; the expert draws on `drawn` training patients."""
    (out / TRUTH).mkdir(exist_ok=True)
    _write_csv(out / "images.csv", IMAGE_COLUMNS, (r for p in parts for r in p["images"]))
    _write_csv(out / "reports.csv", REPORT_COLUMNS, (p["report"] for p in parts))
    _write_csv(out / "codes.csv", CODE_COLUMNS, (r for p in parts for r in p["codes"]))
    patients = [p["patient"] for p in parts]
    _write_csv(out / "split.csv", ("patient_id", "split"),
               ({k: p[k] for k in ("patient_id", "split")} for p in patients))  # fmt: skip
    _write_csv(out / TRUTH / "patients.csv", tuple(patients[0]) if patients else ("patient_id",),
               patients)  # fmt: skip
    films = [(p["patient"], film) for p in parts for film in p["films"]]
    rows = [{"patient_id": who["patient_id"], **_film_row(film)} for who, film in films]
    _write_csv(out / TRUTH / "radiographs.csv", tuple(rows[0]) if rows else ("radiograph",), rows)
    fractures = [
        {"patient_id": who["patient_id"], "radiograph": film["radiograph"], "view": film["view"],
         **{k: v for k, v in one.items() if k not in ("outline", "drawing")}}
        for who, film in films
        for one in film["fractures"]
    ]  # fmt: skip
    columns = (
        "patient_id", "radiograph", "view", "fracture", "finding", "side", "rib", "place",
        "position", "displacement", "acuity", "fixed", "contrast_to_noise", "visible",
    )  # fmt: skip
    _write_csv(out / TRUTH / "fractures.csv", columns, fractures)
    exact = [(film, [one for one in film["fractures"] if _is_fresh(one)]) for _, film in films]
    write_text(out / TRUTH / ANNOTATIONS, _coco(exact, "outline"))
    chosen = _drawn_patients(parts, drawn)
    held_out = [f for who, f in films if who["split"] != Split.TRAIN.value]
    drawings = [
        (film, [one for one in fresh if who["split"] != Split.TRAIN.value or one["visible"]])
        for (who, _), (film, fresh) in zip(films, exact, strict=True)
        if who["patient_id"] in chosen or who["split"] != Split.TRAIN.value
    ]
    write_text(out / ANNOTATIONS, _coco(drawings, "drawing"))
    _write_csv(out / "expert_readings.csv", ("image_id", *FINDINGS),
               ({"image_id": f["radiograph"], **_readings(f)} for f in held_out))  # fmt: skip
    return _summary(parts, films, len(chosen))


def _film_row(film: Mapping[str, Any]) -> Row:
    keys = ("radiograph", "view", "height", "width", "pixel_spacing")
    return {**{k: film[k] for k in keys}, **_readings(film)}


def _readings(film: Mapping[str, Any]) -> dict[str, int]:
    """Return 1 for each finding of which an acute or healing fracture lies in the field."""
    fresh = {one["finding"] for one in film["fractures"] if _is_fresh(one)}
    return {finding: int(finding in fresh) for finding in FINDINGS}


def _drawn_patients(parts: Sequence[Mapping[str, Any]], count: int) -> set[str]:
    """Return the first `count` training patients with a fresh fracture that a film shows."""
    positive = [
        p["patient"]["patient_id"]
        for p in parts
        if p["patient"]["split"] == Split.TRAIN.value
        and any(
            _is_fresh(one) and one["visible"]
            for film in p["films"]
            if _is_drawn_on(film)
            for one in film["fractures"]
        )
    ]
    return set(positive[:count])


def _is_drawn_on(film: Mapping[str, Any]) -> bool:
    return bool(film["view"] != View.LATERAL.value)


def _is_fresh(fracture: Mapping[str, Any]) -> bool:
    return fracture["acuity"] in _FRESH


def _coco(
    films: Iterable[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]], shape: str
) -> str:
    """Return COCO instances of these fractures of films; laterals are not drawn on."""
    images: list[Row] = []
    annotations: list[Row] = []
    for film, fractures in films:
        if not _is_drawn_on(film):
            continue
        images.append(
            {"id": len(images) + 1, "file_name": f"{film['radiograph']}.dcm",
             "height": film["height"], "width": film["width"]}
        )  # fmt: skip
        annotations += [
            _annotation(len(annotations) + k, len(images), one, one[shape])
            for k, one in enumerate(fractures, 1)
        ]
    categories = [{"id": k, "name": name} for k, name in enumerate(FINDINGS, 1)]
    return (
        json.dumps({"images": images, "categories": categories, "annotations": annotations}) + "\n"
    )


def _annotation(
    number: int, image: int, fracture: Mapping[str, Any], polygon: Sequence[Point]
) -> Row:
    x, y = [p[0] for p in polygon], [p[1] for p in polygon]
    twice = sum(
        a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    )
    return {
        "id": number,
        "image_id": image,
        "category_id": FINDINGS.index(fracture["finding"]) + 1,
        "segmentation": [[value for point in polygon for value in point]],
        "bbox": [min(x), min(y), max(x) - min(x), max(y) - min(y)],
        "area": abs(twice) / 2,
        "iscrowd": 0,
    }


def _summary(
    parts: Sequence[Mapping[str, Any]],
    films: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    drawn: int,
) -> Summary:
    ratios = [
        one["contrast_to_noise"]
        for _, film in films
        if _is_drawn_on(film)
        for one in film["fractures"]
        if _is_fresh(one)
    ]
    fractured = {
        finding: sum(any(_readings(film)[finding] for film in p["films"]) for p in parts)
        for finding in FINDINGS
    }
    faint = sum(ratio < _FAINT for ratio in ratios) / len(ratios) if ratios else 0.0
    return Summary(len(parts), len(films), fractured, len(ratios), faint, drawn)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
