"""What a detector said: image scores and marks, and the one JSON file they travel in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError
from ribsight.files import write_text

SCHEMA = "ribsight-predictions/1"


@dataclass(frozen=True)
class Mark:
    """One detection: `x`, `y` and `box` (x0, y0, x1, y1) in stored pixels, `score` in [0, 1]."""

    x: float
    y: float
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class FindingPrediction:
    """One finding on one image: the image's score and its marks, highest score first."""

    score: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class ImagePrediction:
    """One image: its id, file, stored size in pixels, warnings, and a prediction per finding."""

    id: str
    file: str
    width: int
    height: int
    findings: Mapping[str, FindingPrediction]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FailedImage:
    """A file that gave no prediction, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Predictions:
    """All predictions of one model run."""

    model: str
    model_sha256: str
    findings: tuple[str, ...]
    images: tuple[ImagePrediction, ...]
    failed: tuple[FailedImage, ...] = field(default=())


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write `predictions` as JSON (`docs/predictions.schema.json`), in one step."""
    document = {
        "schema": SCHEMA,
        "model": {"name": predictions.model, "sha256": predictions.model_sha256},
        "findings": list(predictions.findings),
        "images": [_image_document(image) for image in predictions.images],
        "failed": [{"file": one.file, "reason": one.reason} for one in predictions.failed],
    }
    write_text(path, json.dumps(document, indent=1) + "\n")


def read_predictions(path: Path) -> Predictions:
    """Read a file that `write_predictions` wrote.

    Raises:
        RibsightError: no such file, no JSON, or not of this schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or "schema" not in document:
            raise RibsightError(f"{path} is no predictions file of ribsight: it names no schema")
        if document["schema"] != SCHEMA:
            raise RibsightError(f"{path} holds {document['schema']}, not {SCHEMA}")
        return Predictions(
            model=document["model"]["name"],
            model_sha256=document["model"]["sha256"],
            findings=tuple(document["findings"]),
            images=tuple(_image_from(one) for one in document["images"]),
            failed=tuple(FailedImage(one["file"], one["reason"]) for one in document["failed"]),
        )
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RibsightError(f"{path} is not a predictions file of ribsight: {error!r}") from error


def _image_document(image: ImagePrediction) -> dict[str, Any]:
    return {
        "id": image.id,
        "file": image.file,
        "width": image.width,
        "height": image.height,
        "warnings": list(image.warnings),
        "findings": {
            name: {
                "score": one.score,
                "marks": [
                    {"x": mark.x, "y": mark.y, "box": list(mark.box), "score": mark.score}
                    for mark in one.marks
                ],
            }
            for name, one in image.findings.items()
        },
    }


def _image_from(document: dict[str, Any]) -> ImagePrediction:
    findings = {
        name: FindingPrediction(
            score=float(one["score"]),
            marks=tuple(
                Mark(float(m["x"]), float(m["y"]), _box(m["box"]), float(m["score"]))
                for m in one["marks"]
            ),
        )
        for name, one in document["findings"].items()
    }
    return ImagePrediction(
        id=document["id"],
        file=document["file"],
        width=int(document["width"]),
        height=int(document["height"]),
        findings=findings,
        warnings=tuple(document["warnings"]),
    )


def _box(values: list[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = values
    return float(x0), float(y0), float(x1), float(y1)
