import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import (
    FailedImage,
    FindingPrediction,
    ImagePrediction,
    InputStatistics,
    Levels,
    Mark,
    Predictions,
)
from ribsight.evaluation.predictions_file import read_predictions, write_predictions
from ribsight.findings import Certainty, Side

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
                    0.75,
                    (
                        Mark(
                            10.5,
                            20.25,
                            (1.0, 2.0, 30.0, 40.0),
                            0.75,
                            probability=0.6,
                            certainty=Certainty.CONFIDENT,
                            side=Side.LEFT,
                        ),
                        Mark(1.0, 2.0, (0.0, 0.0, 3.0, 4.0), 0.3, certainty=Certainty.DOUBTFUL),
                    ),
                    probability=0.8,
                    certainty=Certainty.CONFIDENT,
                ),
                "clavicle_fracture": FindingPrediction(0.1, ()),
            },
            warnings=("the file is truncated",),
            sha256="ab" * 32,
            input=InputStatistics(
                "frontal_chest", "pa", 16, True, 0.143, (0.0, 0.25, 0.5, 0.75, 1.0)
            ),
        ),
        ImagePrediction("r3", "r3.png", 32, 32, {"rib_fracture": FindingPrediction(0.0, ())}),
    ),
    failed=(FailedImage("images/r2.png", "not an image"),),
    levels={"rib_fracture": Levels(0.3, 0.5)},
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.json"
    write_predictions(PREDICTIONS, path)
    return path


def test_the_file_is_as_json_writes_it(written: Path, tmp_path: Path) -> None:
    text = written.read_text()
    assert json.dumps(json.loads(text), indent=1) + "\n" == text
    empty = replace(PREDICTIONS, images=(), failed=())
    write_predictions(empty, tmp_path / "empty.json")
    text = (tmp_path / "empty.json").read_text()
    assert json.dumps(json.loads(text), indent=1) + "\n" == text


def test_round_trip(written: Path) -> None:
    assert read_predictions(written) == PREDICTIONS


def test_version_1_is_still_read(written: Path) -> None:
    document = json.loads(written.read_text())
    document["schema"] = "ribsight-predictions/1"
    del document["levels"]
    for image in document["images"]:
        image.pop("sha256", None)
        image.pop("input", None)
        for finding in image["findings"].values():
            for said in (finding, *finding["marks"]):
                for key in ("probability", "certainty", "side"):
                    said.pop(key, None)
    written.write_text(json.dumps(document))
    first = read_predictions(written).images[0]
    assert (first.sha256, first.input) == (None, None)
    mark = first.findings["rib_fracture"].marks[0]
    assert mark == Mark(10.5, 20.25, (1.0, 2.0, 30.0, 40.0), 0.75)


def test_doubtful_above_confident_is_an_error() -> None:
    with pytest.raises(RibsightError, match=r"0\.6 for doubtful is above 0\.5 for confident"):
        Levels(0.6, 0.5)


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
        (("schema",), "ribsight-predictions/1"),
        (("images", 0, "findings", "rib_fracture", "certainty"), "sure"),
        (("images", 0, "findings", "rib_fracture", "marks", 0, "side"), "both"),
        (("images", 0, "sha256"), "ab"),
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
