"""A folder of DICOM files is a cohort as a folder of PNG is, and its headers are believed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset

from ribsight.cohort.build import build_cohort
from ribsight.cohort.cache import fill_cache
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.tables import HEADER_COLUMNS, Cohort, load_cohort, save_cohort, write_table
from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing, image_id
from ribsight.radiographs.eligibility import KINDS, Policy
from ribsight.records import ColumnMapping

FINDINGS = {"fracture": "fractured"}
NO_PATIENT = ColumnMapping("image", FINDINGS)


def film(number: int) -> NDArray[np.uint16]:
    return np.random.default_rng(number).integers(0, 4096, (40, 48), dtype=np.uint16)


def write_dicom(path: Path, pixels: NDArray[np.uint16], **attributes: object) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = "2.25.9"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 16
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four studies of three patients with a frontal each, the first study also with a lateral."""
    images = tmp_path / "images"
    images.mkdir()
    rows = ["image,who,fractured"]
    for number, patient in enumerate(("A", "A", "B", "C")):
        header = {
            "PatientID": patient,
            "StudyInstanceUID": f"2.25.{number}",
            "ViewPosition": "PA",
            "ImagerPixelSpacing": [0.15, 0.15],
        }
        write_dicom(images / f"1.2.840.{number}", film(number), **header)
        rows.append(f"1.2.840.{number},p{number},{number % 2}")
    write_dicom(
        images / "side.dcm", film(9), PatientID="A", StudyInstanceUID="2.25.0", ViewPosition="LL"
    )
    rows.append("side.dcm,p0,0")
    (tmp_path / "diagnoses.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def build(
    folder: Path, mapping: ColumnMapping = NO_PATIENT, **options: Any
) -> tuple[Cohort, list[LeftOut]]:
    return build_cohort(
        folder / "images", folder / "diagnoses.csv", None, mapping, progress=False, **options
    )


def test_patient_study_view_and_spacing_come_from_the_headers(folder: Path) -> None:
    cohort, left_out = build(folder)
    assert cohort.ids == [f"1.2.840.{number}" for number in range(4)]
    assert cohort.states[:, 0].tolist() == ["negative", "positive"] * 2
    table = cohort.radiographs
    assert table["patient"].to_list() == table["group"].to_list() == ["A", "A", "B", "C"]
    assert table["study"].to_list() == [f"2.25.{number}" for number in range(4)]
    assert table["view"].to_list() == ["pa"] * 4
    assert table["spacing_mm"].to_list() == [0.15] * 4
    assert table["bits"].to_list() == [16] * 4
    assert left_out == [LeftOut("side.dcm", "", "lateral view")]


def test_lateral_views_can_be_kept(folder: Path) -> None:
    cohort, left_out = build(folder, keep_laterals=True)
    assert cohort.ids[-1] == "side"
    assert cohort.radiographs["view"][-1] == "lateral"
    assert left_out == []


def test_another_part_of_the_body_is_left_out_unless_asked_for(folder: Path) -> None:
    path = next((folder / "images").glob("1.*"))
    dataset = dcmread(path)
    dataset.BodyPartExamined = "HAND"
    dataset.save_as(path)
    cohort, left_out = build(folder)
    assert image_id(path) not in cohort.ids
    assert any(one.reason.startswith("other_body_part: BodyPart") for one in left_out)
    cohort, _ = build(folder, views=Policy(KINDS))
    assert image_id(path) in cohort.ids


def test_only_laterals_make_no_cohort(folder: Path) -> None:
    for path in (folder / "images").glob("1.*"):
        path.unlink()
    with pytest.raises(RibsightError, match="none of the 1 images can be used: lateral view"):
        build(folder)


@pytest.mark.parametrize(
    ("mapping", "options", "patients", "groups"),
    [
        (ColumnMapping("image", FINDINGS, patient="who"), {}, "p0 p1 p2 p3", "p0 p1 p2 p3"),
        (ColumnMapping("image", FINDINGS, group="who"), {}, "A A B C", "p0 p1 p2 p3"),
        (NO_PATIENT, {"blocks": 3}, "A A B C", "block 0|block 0|block 0|block 1"),
    ],
)
def test_what_the_user_names_goes_before_the_header(
    folder: Path, mapping: ColumnMapping, options: dict[str, int], patients: str, groups: str
) -> None:
    cohort, _ = build(folder, mapping, **options)
    assert cohort.radiographs["patient"].to_list() == patients.split()
    expected = groups.split("|") if "|" in groups else groups.split()
    assert cohort.radiographs["group"].to_list() == expected


def test_without_a_patient_the_images_of_a_study_stay_together(folder: Path) -> None:
    for number in range(4):
        path = folder / "images" / f"1.2.840.{number}"
        write_dicom(path, film(number), StudyInstanceUID=f"2.25.{number // 2}")
    cohort, _ = build(folder)
    assert cohort.radiographs["patient"].null_count() == 4
    assert cohort.radiographs["group"].to_list() == ["study 2.25.0"] * 2 + ["study 2.25.1"] * 2


def test_a_kept_column_replaces_a_headers(folder: Path) -> None:
    text = (folder / "diagnoses.csv").read_text().replace("who", "view")
    (folder / "diagnoses.csv").write_text(text)
    cohort, _ = build(folder, ColumnMapping("image", FINDINGS, keep=("view",)))
    assert cohort.radiographs["view"].to_list() == ["p0", "p1", "p2", "p3"]
    text = text.replace("view", "spacing_mm")
    (folder / "diagnoses.csv").write_text(text)
    with pytest.raises(RibsightError, match="cannot be kept"):
        build(folder, ColumnMapping("image", FINDINGS, keep=("spacing_mm",)))


def test_the_cache_of_dicom_is_that_of_the_same_film_as_png(folder: Path, tmp_path: Path) -> None:
    dicom, _ = build(folder)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        shown = np.rint(film(number) / 4095 * 65535).astype(np.uint16)
        Image.fromarray(shown).save(pictures / f"1.2.840.{number}.png")
    png, _ = build_cohort(pictures, folder / "diagnoses.csv", None, NO_PATIENT, progress=False)
    assert png.ids == dicom.ids
    assert png.radiographs["pixels_sha256"].equals(dicom.radiographs["pixels_sha256"])
    caches = [
        fill_cache(one, Preprocessing(32), tmp_path / name, processes=2, progress=False)
        for name, one in (("a", dicom), ("b", png))
    ]
    for index in range(4):
        assert np.array_equal(caches[0].pixels(index), caches[1].pixels(index))


def test_a_cohort_without_the_columns_of_headers_is_read(folder: Path, tmp_path: Path) -> None:
    cohort, _ = build(folder)
    save_cohort(cohort, tmp_path / "cohort")
    assert load_cohort(tmp_path / "cohort").radiographs.equals(cohort.radiographs)
    older = cohort.radiographs.drop(HEADER_COLUMNS.names())
    write_table(older, tmp_path / "cohort" / "radiographs.parquet")
    loaded = load_cohort(tmp_path / "cohort").radiographs
    assert loaded.drop(HEADER_COLUMNS.names()).equals(older)
    assert loaded.select(HEADER_COLUMNS.names()).schema == HEADER_COLUMNS
    assert loaded["view"].null_count() == len(loaded)
