"""`ribsight results`, from predictions to a folder of objects."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pydicom import uid
from tests.deployment.results.conftest import COLUMNS, FOUND, ROWS, Verify, content_of, source
from tests.tiny_model import write_tiny_model

from ribsight.cli.results_command import results
from ribsight.detector.model_file import load_model
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Levels, Predictions
from ribsight.evaluation.predictions_file import write_predictions

LEVELS = {name: Levels(0.3, 0.8) for name in FOUND.findings}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "run" / "model").parent


def predicted(folder: Path, model: Path, levels: dict[str, Levels] = LEVELS) -> Path:
    """Write four images and what a detector said of them, or why it did not."""
    images, failed = [], []
    for number in (1, 2):
        path = folder / f"Doe_Jane {number}.dcm"
        header = source(SOPInstanceUID=f"2.25.{number}", StudyInstanceUID="2.25.77")
        path.write_bytes(content_of(header))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        images.append(
            ImagePrediction(path.stem, str(path), COLUMNS, ROWS, FOUND.findings, (), digest)
        )
    lateral = folder / "lateral.dcm"
    lateral.write_bytes(content_of(source(SOPInstanceUID="2.25.3", ViewPosition="LL")))
    reason = f"{lateral} is not scored: lateral_chest (ViewPosition says lateral)"
    failed.append(FailedImage(str(lateral), reason))
    picture = folder / "scan.png"
    Image.fromarray(np.zeros((ROWS, COLUMNS), np.uint8)).save(picture)
    images.append(ImagePrediction("scan", str(picture), COLUMNS, ROWS, FOUND.findings))
    broken = folder / "broken.dcm"
    broken.write_bytes(lateral.read_bytes()[:300])
    failed.append(FailedImage(str(broken), f"{broken} is a damaged DICOM file: get it again"))
    gone = folder / "gone.dcm"
    images.append(ImagePrediction("gone", str(gone), COLUMNS, ROWS, FOUND.findings))
    _, description = load_model(model / "model")
    findings = tuple(FOUND.findings)
    write_predictions(
        Predictions(
            "tiny0", description.weights_sha256, findings, tuple(images), tuple(failed), levels
        ),
        folder / "predictions.json",
    )
    return folder / "predictions.json"


def run(predictions: Path, model: Path, out: Path, *options: str) -> Result:
    arguments = [str(predictions), "--model", str(model), "--out", str(out), "--quiet", *options]
    return CliRunner().invoke(results, arguments)


def test_objects_of_what_was_found_and_of_what_was_not_scored(
    tmp_path: Path, model: Path, verify: Verify
) -> None:
    predictions = predicted(tmp_path, model)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.dcm")}
    done = run(predictions, model, tmp_path / "out", "--objects", "sr,sc,gsps,heatmap")
    assert done.exit_code == 0, done.output
    assert "10 objects about 3 images, 3 skipped" in done.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *(f"Doe_Jane_{n}.{kind}.dcm" for n in (1, 2) for kind in ("sr", "sc", "gsps", "heatmap")),
        "lateral.sr.dcm",
        "lateral.sc.dcm",
        "results.json",
    }
    verify([pydicom.dcmread(path) for path in sorted((tmp_path / "out").glob("*.dcm"))])
    index = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [one["outcome"] for one in index["images"]] == ["found", "found", "not-processed"]
    said = {Path(one["file"]).name: one["reason"] for one in index["skipped"]}
    assert said.keys() == {"scan.png", "broken.dcm", "gone.dcm"}
    assert said["scan.png"].startswith("is no DICOM file")
    assert (
        said["broken.dcm"].startswith("is a damaged DICOM file")
        or "no usable" in said["broken.dcm"]
    )
    assert "cannot be read" in said["gone.dcm"]
    assert {path: path.read_bytes() for path in before} == before

    # Not even the reason names the file, whose name may be the patient's.
    report = (tmp_path / "out" / "lateral.sr.dcm").read_bytes()
    assert b"lateral_chest (ViewPosition says lateral)" in report
    assert str(tmp_path).encode() not in report

    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    again = run(predictions, model, tmp_path / "out", "--objects", "sr,sc,gsps,heatmap")
    assert again.exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first


def test_without_thresholds_nothing_is_claimed(tmp_path: Path, model: Path) -> None:
    predictions = predicted(tmp_path, model, {})
    with pytest.raises(RibsightError, match="no thresholds of rib_fracture, clavicle_fracture"):
        raise_from(run(predictions, model, tmp_path / "out"))
    done = run(
        predictions, model, tmp_path / "out", "--least-score", "0.04", "--sr", "comprehensive"
    )
    assert done.exit_code == 0, done.output
    report = pydicom.dcmread(tmp_path / "out" / "Doe_Jane_1.sr.dcm")
    assert report.SOPClassUID == uid.ComprehensiveSRStorage
    assert report.to_json().count("SCOORD") == 3


def test_codes_come_from_a_file(tmp_path: Path, model: Path) -> None:
    predictions = predicted(tmp_path, model)
    codes = tmp_path / "codes.toml"
    codes.write_text('[rib_fracture]\nfinding = ["33737001", "SCT", "Fracture of rib"]\n')
    done = run(predictions, model, tmp_path / "out", "--codes", str(codes), "--objects", "sr")
    assert done.exit_code == 0, done.output
    assert b"Fracture of rib" in (tmp_path / "out" / "Doe_Jane_1.sr.dcm").read_bytes()
    for text, sentence in (
        ('[rib]\nfinding = ["1", "SCT", "x"]', "codes of 'rib', which the model does not find"),
        ('[rib_fracture]\nfinding = ["1", "SCT"]', "a code is"),
        ('[rib_fracture]\nfinding = ["1", "SCT", "é"]', "is not plain text of 1 to 64"),
        ("rib_fracture = 1", "is no table"),
        ("[rib_fracture]\nplace = 1", "unknown key 'place'"),
    ):
        codes.write_text(text)
        with pytest.raises(RibsightError, match=sentence):
            raise_from(run(predictions, model, tmp_path / "out", "--codes", str(codes)))


def test_what_does_not_fit_is_refused(tmp_path: Path, model: Path) -> None:
    predictions = predicted(tmp_path, model)
    other = write_tiny_model(tmp_path / "other", seed=1)
    for options, sentence in (
        (("--objects", "sr,seg"), "--objects knows sr, sc, gsps, heatmap, not 'seg'"),
        (("--objects", ","), "names nothing to write"),
        (("--pictures-of", "founds"), "not 'founds' .did you mean 'found'"),
    ):
        with pytest.raises(RibsightError, match=sentence):
            raise_from(run(predictions, model, tmp_path / "out", *options))
    with pytest.raises(RibsightError, match="the predictions are of model"):
        raise_from(run(predictions, other, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_file_that_has_changed_gets_no_results(tmp_path: Path, model: Path) -> None:
    predictions = predicted(tmp_path, model)
    for number in (1, 2):
        path = tmp_path / f"Doe_Jane {number}.dcm"
        changed = pydicom.dcmread(BytesIO(path.read_bytes()))
        changed.PatientID = "P2"
        path.write_bytes(content_of(changed))
    done = run(predictions, model, tmp_path / "out", "--pictures-of", "found")
    assert done.exit_code == 0
    assert "1 object about 1 image, 5 skipped" in done.output
    assert "Doe_Jane 1.dcm: it has changed since it was predicted" in done.output


def test_results_from_an_archive(tmp_path: Path, model: Path) -> None:
    from ribsight.archive.ingest import Options, ingest

    predictions = predicted(tmp_path, model)
    (tmp_path / "films").mkdir()
    for number in (1, 2):
        (tmp_path / f"Doe_Jane {number}.dcm").rename(tmp_path / "films" / f"{number}.dcm")
    ingest([tmp_path / "films"], tmp_path / "archive", Options(progress=False))
    document = json.loads(predictions.read_text())
    document["images"] = document["images"][:2]
    document["failed"] = []
    from ribsight.deployment.inputs import given_images
    from ribsight.radiographs.eligibility import Policy

    for image, given in zip(
        document["images"], given_images([tmp_path / "archive"], Policy()), strict=True
    ):
        image["file"] = given.file
        image["sha256"] = hashlib.sha256(given.content()).hexdigest()
    predictions.write_text(json.dumps(document))
    done = run(predictions, model, tmp_path / "out", "--images", str(tmp_path / "archive"))
    assert done.exit_code == 0, done.output
    assert "4 objects about 2 images, 0 skipped" in done.output


def raise_from(done: Result) -> None:
    assert isinstance(done.exception, Exception)
    raise done.exception


def test_two_images_of_one_name_get_two(tmp_path: Path, model: Path) -> None:
    predictions = predicted(tmp_path, model)
    document = json.loads(predictions.read_text())
    document["images"][1]["id"] = document["images"][0]["id"]
    predictions.write_text(json.dumps(document))
    assert run(predictions, model, tmp_path / "out", "--objects", "sr").exit_code == 0
    assert (tmp_path / "out" / "Doe_Jane_1-2.sr.dcm").exists()
