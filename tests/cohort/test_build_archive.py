"""A cohort from what `ribsight ingest` wrote: in files and in a zip, with their headers."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from ribsight.archive import read_archive
from ribsight.archive.ingest import Options, ingest
from ribsight.cohort.build import Built, join_cohort
from ribsight.cohort.cache import fill_cache
from ribsight.cohort.join_rule import JoinBy, JoinRule, parse_window
from ribsight.cohort.longitudinal import Studies
from ribsight.cohort.readings import apply_readings
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing
from ribsight.records import ColumnMapping, read_diagnosis_table

MAPPING = ColumnMapping("image", {"rib": "rib"})


def write_film(path: Path, number: int, **attributes: object) -> str:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = f"2.25.77{number}"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.StudyDescription = "XR CHEST"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 16
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    pixels = np.random.default_rng(number).integers(0, 4096, (140, 160), dtype=np.uint16)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an archive: patient A twice, B once in a zip, a lateral, a hand."""
    folder = tmp_path_factory.mktemp("archive")
    files = folder / "pacs"
    files.mkdir()
    made: dict[str, Any] = {"Manufacturer": "Acme", "PatientSex": "F", "PatientAge": "044Y"}
    write_film(
        files / "a1.dcm", 1, PatientID="A", StudyInstanceUID="1.2.1", AccessionNumber="N1",
        StudyDate="20190310", StudyTime="120000", InstitutionName="North", **made,
    )  # fmt: skip
    write_film(
        files / "a1_side.dcm", 2, PatientID="A", StudyInstanceUID="1.2.1", StudyDate="20190310",
        ViewPosition="LL", **made,
    )  # fmt: skip
    write_film(
        files / "a2.dcm", 3, PatientID="A", StudyInstanceUID="1.2.2", AccessionNumber="N2",
        StudyDate="20190910", InstitutionName="North", **made,
    )  # fmt: skip
    write_film(files / "hand.dcm", 4, PatientID="C", BodyPartExamined="HAND", StudyDescription="")
    write_film(
        folder / "b1.dcm", 5, PatientID="B", StudyInstanceUID="1.2.3", AccessionNumber="N3",
        StudyDate="20200101", InstitutionName="South",
    )  # fmt: skip
    with zipfile.ZipFile(files / "export.zip", "w") as container:
        container.write(folder / "b1.dcm", "deep/b1.dcm")
    ingest([files], folder / "archive", Options(progress=False))
    return folder


def join(place: Path, rows: str, **options: Any) -> Built:
    table = place / "records.csv"
    table.write_text(rows)
    return join_cohort(
        place / "archive", table, None, options.pop("mapping", MAPPING), progress=False, **options
    )


def states(cohort: Cohort) -> dict[str, str]:
    return dict(cohort.diagnoses.select("radiograph", "state").rows())


A1, A2, B1 = "2.25.771", "2.25.773", "2.25.775"


def test_eligible_images_join_by_instance_or_by_their_files_name(place: Path) -> None:
    rows = f"image,rib\n{A1},1\na2.dcm,0\nb1,1\na1_side.dcm,1\nnobody.dcm,1\n"
    built = join(place, rows)
    assert states(built.cohort) == {A1: "positive", A2: "negative", B1: "positive"}
    left_out = {Path(one.file.partition("!")[0]).name: one.reason for one in built.left_out}
    assert left_out.keys() == {"a1_side.dcm", "hand.dcm", "records.csv"}
    assert left_out["hand.dcm"].startswith("not eligible: ")
    assert left_out["records.csv"] == "no image named nobody.dcm"
    fingerprint = read_archive(place / "archive").fingerprint
    assert built.cohort.provenance["archive_fingerprint"] == fingerprint


def test_headers_become_columns_and_order_studies(place: Path) -> None:
    cohort = join(place, f"image,rib\n{A1},1\n").cohort
    columns = ("patient", "institution", "manufacturer", "study_date", "age", "sex", "view",
               "study_number", "days_since_first")  # fmt: skip
    assert cohort.radiographs.select(columns).rows() == [
        ("A", "North", "Acme", "20190310", 44.0, "F", "pa", 1, 0),
        ("A", "North", "Acme", "20190910", 44.0, "F", "pa", 2, 184),
        ("B", "South", None, "20200101", None, None, "pa", 1, 0),
    ]
    assert cohort.radiographs["group"].to_list() == ["A", "A", "B"]


def test_the_pixels_of_a_zips_member_are_cached_like_a_files(place: Path, tmp_path: Path) -> None:
    cohort = join(place, f"image,rib\n{A1},1\n").cohort
    save_cohort(cohort, tmp_path / "cohort")
    loaded = load_cohort(tmp_path / "cohort")
    assert loaded.radiographs.equals(cohort.radiographs)
    cache = fill_cache(loaded, Preprocessing(64), tmp_path / "cache", progress=False)
    assert len({cache.pixels(index).tobytes() for index in range(3)}) == 3
    # The member is kept by the archive under its hash: no name from outside is a path.
    inside = Path(loaded.radiographs["file"][2])
    assert inside.parts[0] == "objects"
    assert inside.name == loaded.radiographs["sha256"][2]


def test_records_join_by_accession_and_by_patient_and_time(place: Path) -> None:
    rows = "accession,patient,date,rib\nN1,A,2019-03-11,1\nN3,B,2020-02-01,0\n,A,2019-09-09,0\n"
    by_accession = join(place, rows, join=JoinRule(JoinBy.ACCESSION, "accession"))
    assert states(by_accession.cohort) == {A1: "positive", A2: "unknown", B1: "negative"}
    assert ("4", "names no accession") in {(o.row, o.reason) for o in by_accession.left_out}
    window = parse_window("2d")
    rule = JoinRule(JoinBy.PATIENT, "patient", "date", window)
    by_patient = join(place, rows, join=rule)
    assert states(by_patient.cohort) == {A1: "positive", A2: "negative", B1: "unknown"}
    assert [one.reason for one in by_patient.without_record] == [
        "no record of its patient within 2d"
    ]
    assert by_patient.cohort.provenance["join"] == (
        "patient by column patient; within 2d both, nearest; combine strongest; "
        "study label to frontal"
    )


def test_only_the_first_studies(place: Path) -> None:
    built = join(place, f"image,rib\n{A1},1\n", studies=Studies.FIRST)
    assert built.cohort.ids == [A1, B1]
    assert "not the patient's first study" in {one.reason for one in built.left_out}


def test_a_numeric_column_of_headers_cannot_be_replaced(place: Path) -> None:
    mapping = ColumnMapping("image", {"rib": "rib"}, keep=("age",))
    with pytest.raises(RibsightError, match="the column 'age' cannot be kept"):
        join(place, f"image,rib,age\n{A1},1,40\n", mapping=mapping)
    mapping = ColumnMapping("image", {"rib": "rib"}, keep=("institution",))
    own = join(place, f"image,rib,institution\n{A1},1,Ward 3\n", mapping=mapping).cohort
    assert own.radiographs["institution"].to_list() == ["Ward 3", None, None]


def test_a_changed_file_is_left_out_with_its_reason(place: Path, tmp_path: Path) -> None:
    files = tmp_path / "pacs"
    files.mkdir()
    for number in (1, 2):
        write_film(files / f"{number}.dcm", number, PatientID=str(number))
    ingest([files], tmp_path / "archive", Options(progress=False))
    write_film(files / "2.dcm", 9, PatientID="2")
    table = tmp_path / "records.csv"
    table.write_text("image,rib\n1,1\n2,0\n")
    built = join_cohort(tmp_path / "archive", table, None, MAPPING, progress=False)
    assert built.cohort.ids == ["2.25.771"]
    assert "has changed since it was indexed" in built.left_out[0].reason


def test_an_archive_without_eligible_images_says_why(tmp_path: Path) -> None:
    files = tmp_path / "pacs"
    files.mkdir()
    write_film(files / "hand.dcm", 1, BodyPartExamined="HAND", StudyDescription="")
    ingest([files], tmp_path / "archive", Options(progress=False))
    (tmp_path / "records.csv").write_text("image,rib\nhand,1\n")
    with pytest.raises(RibsightError, match="holds no eligible image: not eligible: "):
        join_cohort(tmp_path / "archive", tmp_path / "records.csv", None, MAPPING, progress=False)


def test_origins_are_columns_only_where_they_are_asked_for(place: Path) -> None:
    table = place / "records.csv"
    table.write_text("image,rib\na1,1\n")
    plain = join_cohort(place / "pacs", table, None, MAPPING, progress=False).cohort
    assert "institution" not in plain.radiographs.columns
    first = join_cohort(
        place / "pacs", table, None, MAPPING, studies=Studies.FIRST, progress=False
    ).cohort
    assert first.radiographs.filter(pl.col("radiograph") == "a1")["study_date"][0] == "20190310"


def test_readings_may_name_the_files_that_came_into_the_archive(place: Path) -> None:
    cohort = join(place, f"image,rib\n{A1},1\n").cohort
    table = place / "readings.csv"
    table.write_text(f"image,rib\na1.dcm,0\n{A2},1\nb1,-1\nothers.dcm,1\n")
    readings = read_diagnosis_table(table, MAPPING)
    changed, unknown = apply_readings(cohort, readings)
    assert states(changed) == {A1: "negative", A2: "positive", B1: "uncertain"}
    assert unknown == 1
