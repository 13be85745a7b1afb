"""Prediction on files: which images are scored, in what order, and what is remembered."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from ribsight.archive.stored import container_at
from ribsight.cli.main import cli
from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.inputs import given_images
from ribsight.deployment.parts import open_parts
from ribsight.deployment.predict import Working, predict_files
from ribsight.deployment.run import run_predict
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import Levels
from ribsight.evaluation.predictions_file import read_predictions
from ribsight.findings import Certainty
from ribsight.radiographs.eligibility import Policy


@pytest.fixture
def at_work(tiny_model: Path) -> DetectorAtWork:
    return DetectorAtWork.load(tiny_model)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    return folder


def write_dicom(path: Path, view: str, uid: str = "2.25.1") -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = uid
    dataset.Rows, dataset.Columns = 40, 48
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME1"
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 8
    dataset.BitsStored, dataset.HighBit = 8, 7
    dataset.ViewPosition = view
    dataset.PixelData = np.arange(40 * 48, dtype=np.uint16).astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)


def test_a_lateral_view_is_listed_and_not_scored(at_work: DetectorAtWork, films: Path) -> None:
    write_dicom(films / "1.2.3", "AP")
    write_dicom(films / "1.2.4", "LL")
    predictions = predict_files(at_work, [films])
    assert [one.id for one in predictions.images] == ["1.2.3"]
    (failed,) = predictions.failed
    assert failed.file == str(films / "1.2.4")
    assert "is not scored: lateral_chest" in failed.reason
    assert failed.reason.endswith("ViewPosition says lateral)")


def test_only_lateral_views_are_an_error(at_work: DetectorAtWork, films: Path) -> None:
    write_dicom(films / "a.dcm", "LATERAL")
    with pytest.raises(RibsightError, match="lateral_chest"):
        predict_files(at_work, [films / "a.dcm"])


def write_film(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_bad_file_stops_nothing_and_names_may_repeat(
    at_work: DetectorAtWork, films: Path
) -> None:
    write_film(films / "a" / "x.png", 0)
    write_film(films / "b" / "x.png", 1)
    write_film(films / "y.png", 2)
    (films / "broken.png").write_bytes(b"no image")
    predictions = predict_files(at_work, [films / "y.png", films])
    assert [one.id for one in predictions.images] == [
        "y", str(films / "a" / "x.png"), str(films / "b" / "x.png"),
    ]  # fmt: skip
    (failed,) = predictions.failed
    assert failed.file == str(films / "broken.png")
    assert "is not a readable" in failed.reason
    content = (films / "y.png").read_bytes()
    assert predictions.images[0].sha256 == hashlib.sha256(content).hexdigest()


def test_batches_and_processes_change_no_result(at_work: DetectorAtWork, films: Path) -> None:
    for seed in range(7):
        write_film(films / f"{seed}.png", seed)
    (films / "3x.png").write_bytes(b"no image")
    alone = predict_files(at_work, [films])
    together = predict_files(at_work, [films], Working(processes=2, batch=3))
    assert [one.id for one in together.images] == list("0123456")
    assert together.failed == alone.failed
    for one, other in zip(alone.images, together.images, strict=True):
        assert one.findings["rib_fracture"].score == pytest.approx(
            other.findings["rib_fracture"].score, abs=1e-5
        )


def test_an_archive_is_scored_where_it_lies(at_work: DetectorAtWork, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write_dicom(tmp_path / "ap.dcm", "AP", uid="1.2.3")
    write_dicom(source / "lateral.dcm", "LL", uid="1.2.4")
    with zipfile.ZipFile(source / "films.zip", "w") as container:
        container.write(tmp_path / "ap.dcm", "inside/ap.dcm")
    ingest = CliRunner().invoke(cli, ["ingest", str(source), "--out", str(tmp_path / "archive")])
    assert ingest.exit_code == 0, ingest.output
    predictions = predict_files(at_work, [tmp_path / "archive"])
    (image,) = predictions.images
    assert (image.id, image.file) == ("1.2.3", f"{source / 'films.zip'}!inside/ap.dcm")
    assert image.sha256 == hashlib.sha256((tmp_path / "ap.dcm").read_bytes()).hexdigest()
    (failed,) = predictions.failed
    assert "is not scored: lateral_chest" in failed.reason


def test_a_zip_or_tar_file_says_how_its_images_are_reached(
    at_work: DetectorAtWork, films: Path, tmp_path: Path
) -> None:
    write_dicom(tmp_path / "ap.dcm", "AP")
    packed = films / "of may.zip"
    with zipfile.ZipFile(packed, "w") as container:
        container.write(tmp_path / "ap.dcm", "ap.dcm")
    what = (
        f"is a zip file: run `ribsight ingest '{packed}' --out ARCHIVE`, then give "
        "`ribsight predict` ARCHIVE instead"
    )
    with pytest.raises(RibsightError, match=re.escape(what)):
        predict_files(at_work, [packed])
    # It stops nothing else.
    predictions = predict_files(at_work, [packed, tmp_path / "ap.dcm"])
    assert [one.id for one in predictions.images] == ["ap"]
    (failed,) = predictions.failed
    assert failed.reason.startswith(f"{packed} {what}")
    os.mkfifo(films / "a pipe")  # sorted before it, and nobody writes into it
    with pytest.raises(RibsightError, match=r"no DICOM file, but of may.zip: run `ribsight ingest"):
        predict_files(at_work, [films])
    assert container_at(films / "none") is None


def test_a_run_goes_on_where_it_was_killed_and_ends_the_same(
    tiny_model: Path, films: Path, tmp_path: Path
) -> None:
    for seed in range(30):
        write_film(films / f"{seed:02d}.png", seed)
    (films / "10x.png").write_bytes(b"no image")
    out, parts = tmp_path / "out.json", tmp_path / "out.json.parts"
    command = [sys.executable, "-m", "ribsight.cli.main", "predict", str(tiny_model), str(films),
               "--quiet", "--threads", "1", "--out"]  # fmt: skip
    process = subprocess.Popen([*command, str(out)], stderr=subprocess.DEVNULL)
    while process.poll() is None and (not parts.exists() or parts.read_bytes().count(b"\n") < 6):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    # The line that was being written when it died.
    parts.write_bytes(parts.read_bytes() + b'{"id": "29", "file": "fi')

    runner = CliRunner()
    refused = runner.invoke(cli, [*command[3:], str(out)])
    assert isinstance(refused.exception, RibsightError)
    assert "go on with --resume, or remove the file" in str(refused.exception)
    resumed = runner.invoke(cli, [*command[3:], str(out), "--resume"])
    assert resumed.exit_code == 0, resumed.output
    assert "known before), 1 failed" in resumed.output
    assert not parts.exists()
    whole = runner.invoke(cli, [*command[3:], str(tmp_path / "whole.json")])
    assert whole.exit_code == 0, whole.output
    assert out.read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_a_later_run_takes_over_what_is_the_same(
    at_work: DetectorAtWork, films: Path, tmp_path: Path
) -> None:
    write_film(films / "a.png", 0)
    write_film(films / "b.png", 1)
    out = tmp_path / "out.json"
    run_predict(at_work, given_images([films], Policy()), Working(), out, progress=False)
    write_film(films / "b.png", 2)
    (films / "a.png").rename(films / "c.png")
    levels = {"rib_fracture": Levels(0.0, 0.0)}
    sharper = DetectorAtWork.load(at_work.members.folders[0])
    sharper.levels = levels
    given = given_images([films], Policy())
    ran = run_predict(sharper, given, Working(), out, resume=True, progress=False)
    assert (ran.images, ran.known) == (2, 1)
    assert read_predictions(out) == predict_files(sharper, [films])
    certainty = read_predictions(out).images[1].findings["rib_fracture"].certainty
    assert certainty is Certainty.CONFIDENT


def test_a_run_without_an_image_leaves_no_parts_and_a_folder_is_no_output(tmp_path: Path) -> None:
    with (
        pytest.raises(RibsightError, match="no image could be read"),
        open_parts(tmp_path / "out.json", "a" * 64, "v1", resume=False),
    ):
        raise RibsightError("no image could be read")
    with (
        pytest.raises(RibsightError, match="it is a folder; name a file"),
        open_parts(tmp_path, "a" * 64, "v1", resume=False),
    ):
        pass
    assert not list(tmp_path.parent.glob("*.parts")) + list(tmp_path.iterdir())


def test_parts_of_another_model_and_a_second_run_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with open_parts(out, "a" * 64, "v1", resume=False) as first:
        with (
            pytest.raises(RibsightError, match="another run is writing"),
            open_parts(out, "a" * 64, "v1", resume=True),
        ):
            pass
        left = first.path.read_bytes()
    assert not first.path.exists()
    first.path.write_bytes(left)
    with (
        pytest.raises(RibsightError, match=r"begun by another model \(aaaaaaaaaaaa, this is bbbb"),
        open_parts(out, "b" * 64, "v1", resume=True),
    ):
        pass
    (tmp_path / "out.json.parts").write_text("[1]\n")
    with (
        pytest.raises(RibsightError, match="no file of interrupted results: remove it"),
        open_parts(out, "b" * 64, "v1", resume=True),
    ):
        pass
