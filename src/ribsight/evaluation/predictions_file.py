"""Predictions as JSON, one document a run (`docs/predictions.schema.json`)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ribsight.documents import read_document, reading
from ribsight.evaluation.predictions import (
    FailedImage,
    FindingPrediction,
    ImagePrediction,
    InputStatistics,
    Levels,
    Mark,
    Predictions,
)
from ribsight.files import atomic_path
from ribsight.findings import Certainty, Side

SCHEMA = "ribsight-predictions/2"
READ = (SCHEMA, "ribsight-predictions/1")
"""Versions that are read; 1 knew neither probabilities nor certainty nor side."""


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write `predictions` in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    stream_predictions(predictions, predictions.images, path)


def stream_predictions(about: Predictions, images: Iterable[ImagePrediction], path: Path) -> None:
    """Write `images`, none of which is held, as `write_predictions` writes those of `about`.

    Raises:
        RibsightError: `path` cannot be written.
    """
    head = {
        "schema": SCHEMA,
        "model": {"name": about.model, "sha256": about.model_sha256},
        "findings": list(about.findings),
        "levels": {
            name: {"doubtful": one.doubtful, "confident": one.confident}
            for name, one in about.levels.items()
        },
    }
    failed = {"failed": [{"file": one.file, "reason": one.reason} for one in about.failed]}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        # One document, written in three pieces: what json.dumps(..., indent=1) would write.
        stream.write(json.dumps(head, indent=1)[:-2] + ',\n "images": [')
        separator = "\n  "
        for image in images:
            text = json.dumps(image_document(image), indent=1)
            stream.write(separator + text.replace("\n", "\n  "))
            separator = ",\n  "
        stream.write("]" if separator == "\n  " else "\n ]")
        stream.write("," + json.dumps(failed, indent=1)[1:] + "\n")


def read_predictions(path: Path) -> Predictions:
    """Read a file that `write_predictions` wrote, of this version or an older one.

    Raises:
        RibsightError: no such file, no JSON, or not of this schema.
    """
    with reading(path, "predictions file of ribsight"):
        document = read_document(path, SCHEMA, older=READ)
        return Predictions(
            model=document["model"]["name"],
            model_sha256=document["model"]["sha256"],
            findings=tuple(document["findings"]),
            images=tuple(image_from(one) for one in document["images"]),
            failed=tuple(FailedImage(one["file"], one["reason"]) for one in document["failed"]),
            levels={
                name: Levels(float(one["doubtful"]), float(one["confident"]))
                for name, one in document.get("levels", {}).items()
            },
        )


def image_document(image: ImagePrediction) -> dict[str, Any]:
    """Return one entry of `images`; what is not known is left out."""
    document: dict[str, Any] = {"id": image.id, "file": image.file}
    if image.sha256 is not None:
        document["sha256"] = image.sha256
    document |= {"width": image.width, "height": image.height, "warnings": list(image.warnings)}
    if image.input is not None:
        document["input"] = _input_document(image.input)
    document["findings"] = {
        name: {
            "score": one.score,
            **_sure(one),
            "marks": [_mark_document(mark) for mark in one.marks],
        }
        for name, one in image.findings.items()
    }
    return document


def image_from(document: Mapping[str, Any]) -> ImagePrediction:
    """Return the image that `image_document` described.

    Raises:
        KeyError, TypeError, ValueError: it is no such document.
    """
    return ImagePrediction(
        id=document["id"],
        file=document["file"],
        width=int(document["width"]),
        height=int(document["height"]),
        findings={name: _finding_from(one) for name, one in document["findings"].items()},
        warnings=tuple(document["warnings"]),
        sha256=document.get("sha256"),
        input=_input_from(document["input"]) if "input" in document else None,
    )


def _sure(said: FindingPrediction | Mark) -> dict[str, Any]:
    known = {"probability": said.probability, "certainty": said.certainty}
    return {key: value for key, value in known.items() if value is not None}


def _mark_document(mark: Mark) -> dict[str, Any]:
    document = {"x": mark.x, "y": mark.y, "box": list(mark.box), "score": mark.score, **_sure(mark)}
    return document if mark.side is Side.UNKNOWN else {**document, "side": mark.side}


def _input_document(one: InputStatistics) -> dict[str, Any]:
    document = {
        "kind": one.kind,
        "view": one.view,
        "bits": one.bits,
        "inverted": one.inverted,
        "spacing_mm": one.spacing_mm,
        "intensities": list(one.intensities),
    }
    return {key: value for key, value in document.items() if value is not None}


def _finding_from(document: Mapping[str, Any]) -> FindingPrediction:
    return FindingPrediction(
        score=float(document["score"]),
        marks=tuple(_mark_from(one) for one in document["marks"]),
        **_sure_from(document),
    )


def _mark_from(document: Mapping[str, Any]) -> Mark:
    x0, y0, x1, y1 = document["box"]
    return Mark(
        x=float(document["x"]),
        y=float(document["y"]),
        box=(float(x0), float(y0), float(x1), float(y1)),
        score=float(document["score"]),
        side=Side(document.get("side", Side.UNKNOWN)),
        **_sure_from(document),
    )


def _sure_from(document: Mapping[str, Any]) -> dict[str, Any]:
    probability, certainty = document.get("probability"), document.get("certainty")
    return {
        "probability": None if probability is None else float(probability),
        "certainty": None if certainty is None else Certainty(certainty),
    }


def _input_from(document: Mapping[str, Any]) -> InputStatistics:
    lowest, low, middle, high, highest = document["intensities"]
    spacing = document.get("spacing_mm")
    return InputStatistics(
        kind=document["kind"],
        view=document.get("view"),
        bits=int(document["bits"]),
        inverted=document.get("inverted"),
        spacing_mm=None if spacing is None else float(spacing),
        intensities=(float(lowest), float(low), float(middle), float(high), float(highest)),
    )
