"""A registry on disk: the same whoever writes it, complete, and consistent with its truth."""

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from shapely.geometry import Polygon

from ribsight.errors import RibsightError
from ribsight.radiographs import read_radiograph
from ribsight.simulation import registry as registry_module
from ribsight.simulation.fractures.prior import FractureSettings
from ribsight.simulation.patient import simulate_patient
from ribsight.simulation.registry import CtFiles, simulate_registry
from ribsight.simulation.settings import FilmSettings, RegistrySettings

SETTINGS = RegistrySettings(
    seed=3, drawn=2, fractures=FractureSettings(prevalence=0.7), films=FilmSettings(size=128)
)
PATIENTS = 8


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("registry") / "one"
    simulate_registry(out, PATIENTS, SETTINGS, progress=False)
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_processes_write_the_same_bytes_as_one(registry: Path, tmp_path: Path) -> None:
    simulate_registry(tmp_path / "two", PATIENTS, SETTINGS, processes=2, progress=False)
    assert _bytes(tmp_path / "two") == _bytes(registry)


def test_a_patient_does_not_depend_on_how_many_others_there_are(
    registry: Path, tmp_path: Path
) -> None:
    simulate_registry(tmp_path / "few", 3, SETTINGS, progress=False)
    few, many = _bytes(tmp_path / "few"), _bytes(registry)
    films = [name for name in few if name.endswith(".dcm")]
    assert films
    assert all(few[name] == many[name] for name in films)


def test_an_interrupted_simulation_goes_on(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "again"
    simulate = simulate_patient
    seen: list[int] = []

    def stops_at_five(settings: RegistrySettings, number: int, scan: object) -> Any:
        if number == 5:
            raise KeyboardInterrupt
        seen.append(number)
        return simulate(settings, number)

    monkeypatch.setattr(registry_module, "simulate_patient", stops_at_five)
    with pytest.raises(KeyboardInterrupt):
        simulate_registry(out, PATIENTS, SETTINGS, progress=False)
    monkeypatch.setattr(registry_module, "simulate_patient", simulate)
    assert seen == [0, 1, 2, 3, 4]
    simulate_registry(out, PATIENTS, SETTINGS, progress=False)
    assert _bytes(out) == _bytes(registry)


def test_another_registry_s_folder_is_refused(registry: Path, tmp_path: Path) -> None:
    other = SETTINGS.model_copy(update={"seed": 4})
    with pytest.raises(RibsightError, match="other settings"):
        simulate_registry(registry, PATIENTS, other, progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RibsightError, match="not empty"):
        simulate_registry(tmp_path, PATIENTS, SETTINGS, progress=False)


def test_every_film_reads_back_as_it_was_shown(registry: Path) -> None:
    for number in range(3):
        patient = simulate_patient(SETTINGS, number)
        for film, shown in zip(patient.truth.films, patient.films, strict=True):
            read = read_radiograph(registry / "images" / f"{film.radiograph_id}.dcm")
            assert read.pixels.shape == shown.shape
            grey = read.pixels.astype(np.float64) / np.iinfo(read.pixels.dtype).max
            correlation = np.corrcoef(grey.ravel(), shown.ravel())[0, 1]
            assert correlation > 0.99, film.radiograph_id


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is missing")
def test_every_film_is_valid_dicom(registry: Path) -> None:
    for path in sorted((registry / "images").glob("*.dcm")):
        done = subprocess.run(
            ["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False
        )
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert not errors, (path.name, errors)


def test_tables_files_and_truth_tell_of_the_same_films(registry: Path) -> None:
    files = {path.stem for path in (registry / "images").glob("*.dcm")}
    assert files == {row["image_id"] for row in _rows(registry / "images.csv")}
    assert files == {row["radiograph"] for row in _rows(registry / "truth" / "radiographs.csv")}
    studies = {row["study_id"] for row in _rows(registry / "reports.csv")}
    assert len(studies) == PATIENTS
    uids = {pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID
            for p in (registry / "images").glob("*.dcm")}  # fmt: skip
    assert len(uids) == len(files)


def test_every_region_holds_its_fracture_and_every_fracture_has_its_row(registry: Path) -> None:
    rows = _rows(registry / "truth" / "fractures.csv")
    frontal = [r for r in rows if r["view"] != "lateral" and r["acuity"] != "old"]
    assert frontal
    exact = json.loads((registry / "truth" / "annotations.coco.json").read_text())
    assert len(exact["annotations"]) == len(frontal)
    drawn = json.loads((registry / "annotations.coco.json").read_text())
    outlines = _by_image(exact)
    split = {row["patient_id"]: row["split"] for row in _rows(registry / "split.csv")}
    for name, polygons in _by_image(drawn).items():
        held_out = split[name.split("_")[0]] != "train"
        assert len(polygons) == len(outlines[name]) or not held_out
        for polygon in polygons:
            # Drawings keep the order of the outlines; in training those not seen are missing.
            assert any(polygon.buffer(0.2).contains(outline) for outline in outlines[name])


def _by_image(coco: dict[str, Any]) -> dict[str, list[Polygon]]:
    names = {one["id"]: one["file_name"] for one in coco["images"]}
    found: dict[str, list[Polygon]] = {}
    for one in coco["annotations"]:
        flat = one["segmentation"][0]
        polygon = Polygon(list(zip(flat[::2], flat[1::2], strict=True)))
        found.setdefault(names[one["image_id"]], []).append(polygon)
    return found


def test_the_expert_draws_few_training_patients_and_all_held_out(registry: Path) -> None:
    split = {row["patient_id"]: row["split"] for row in _rows(registry / "split.csv")}
    drawn = json.loads((registry / "annotations.coco.json").read_text())
    patients = {one["file_name"].split("_")[0] for one in drawn["images"]}
    training = {one for one in patients if split[one] == "train"}
    assert 0 < len(training) <= SETTINGS.drawn
    rows = _rows(registry / "truth" / "fractures.csv")
    for patient in training:
        assert any(r["visible"] == "True" for r in rows if r["patient_id"] == patient)
    held_out = {row["image_id"].split("_")[0] for row in _rows(registry / "expert_readings.csv")}
    assert held_out == {one for one, part in split.items() if part != "train"}


def test_a_registry_can_grow_but_not_shrink(tmp_path: Path) -> None:
    simulate_registry(tmp_path, 3, SETTINGS, progress=False)
    with pytest.raises(RibsightError, match="holds more than 2 patients"):
        simulate_registry(tmp_path, 2, SETTINGS, progress=False)
    simulate_registry(tmp_path, 4, SETTINGS, progress=False)
    assert len(_rows(tmp_path / "truth" / "patients.csv")) == 4


def test_two_registries_share_no_identifier(registry: Path, tmp_path: Path) -> None:
    simulate_registry(tmp_path, 2, SETTINGS.model_copy(update={"seed": 4}), progress=False)
    one, other = (
        {
            (keyword, str(getattr(dataset, keyword)))
            for path in (folder / "images").glob("*.dcm")
            for dataset in [pydicom.dcmread(path, stop_before_pixels=True)]
            for keyword in ("PatientID", "StudyInstanceUID", "SOPInstanceUID", "AccessionNumber")
        }
        for folder in (registry, tmp_path)
    )
    assert not one & other


def test_an_unusable_ct_is_said_before_anything_is_written(tmp_path: Path) -> None:
    labels = tmp_path / "labels.nii.gz"
    labels.write_bytes(b"no NIfTI")
    out = tmp_path / "out"
    missing = CtFiles(tmp_path / "missing.nii.gz", labels)
    with pytest.raises(RibsightError, match=r"cannot read .*missing\.nii\.gz: No such file"):
        simulate_registry(out, 1, SETTINGS, ct=missing, progress=False)
    with pytest.raises(RibsightError, match=r"labels\.nii\.gz"):
        simulate_registry(out, 1, SETTINGS, ct=CtFiles(labels, labels), progress=False)
    assert not out.exists()
