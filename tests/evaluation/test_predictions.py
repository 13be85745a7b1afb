import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import (
    FailedImage,
    FindingPrediction,
    ImagePrediction,
    Mark,
    Predictions,
    read_predictions,
    write_predictions,
)

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "predictions.schema.json").read_text(encoding="utf-8")
)
PREDICTIONS = Predictions(
    model="aals",
    model_sha256="ab12",
    findings=("rib_fracture", "clavicle_fracture"),
    images=(
        ImagePrediction(
            id="r1",
            file="images/r1.png",
            width=640,
            height=480,
            findings={
                "rib_fracture": FindingPrediction(
                    0.75, (Mark(10.5, 20.25, (1.0, 2.0, 30.0, 40.0), 0.75),)
                ),
                "clavicle_fracture": FindingPrediction(0.1, ()),
            },
            warnings=("the file is truncated",),
        ),
    ),
    failed=(FailedImage("images/r2.png", "not an image"),),
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.json"
    write_predictions(PREDICTIONS, path)
    return path


def test_round_trip(written: Path) -> None:
    assert read_predictions(written) == PREDICTIONS


def test_written_file_holds_the_schema(written: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(written.read_text()), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("images", 0, "findings", "rib_fracture", "score"), 1.5),
        (("images", 0, "findings", "rib_fracture", "marks", 0, "box"), [1, 2, 3]),
        (("images", 0, "findings", "rib_fracture", "marks", 0, "x"), -1),
        (("images", 0, "width"), 0),
        (("images", 0, "colour"), "grey"),
        (("findings",), ["Rib Fracture"]),
        (("schema",), "ribsight-predictions/2"),
    ],
)
def test_schema_refuses(written: Path, path: tuple[str | int, ...], value: Any) -> None:
    document = json.loads(written.read_text())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "ribsight-predictions/9"}', "{}"])
def test_another_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(RibsightError, match=r"other\.json"):
        read_predictions(path)
