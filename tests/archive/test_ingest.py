import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pytest
from tests.archive.conftest import Ingest, dicom, picture, reasons, tables, uid, write

from ribsight.archive import read_archive
from ribsight.archive.index import IMAGES, QUARANTINE
from ribsight.archive.stored import HEAD_BYTES, container_kind
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.radiographs import UnreadableImageError, read_radiograph


def test_each_image_has_a_row_and_every_other_file_a_reason(hospital: Path, ingest: Ingest) -> None:
    done = ingest(hospital)
    images = done.archive.images
    assert images.schema == IMAGES
    assert done.archive.quarantine.schema == QUARANTINE
    assert set(images["image"]) == {*(uid("image", n) for n in [*range(12), 100]), "scan"}
    assert reasons(done.archive) == {"README.txt": "not-an-image"}
    row = images.row(by_predicate=pl.col("image") == uid("image", 3), named=True)
    path = hospital / "day0" / "IM0003"
    assert row["source"] == str(path)
    assert row["sha256"] == file_sha256(path)
    assert row["bytes"] == path.stat().st_size
    assert (row["patient"], row["study"], row["study_date"]) == ("P1", uid("study", 1), "20240131")
    assert (row["view"], row["age"], row["rows"], row["spacing_mm"]) == ("pa", 45.0, 40, 0.14)
    assert (row["eligible"], row["ineligible_reason"]) == (True, "")
    lateral = images.row(by_predicate=pl.col("image") == uid("image", 100), named=True)
    assert not lateral["eligible"]
    assert "lateral" in lateral["ineligible_reason"]
    assert "Doe" not in str(done.archive.quarantine.rows()) + str(images.rows())


def test_what_is_read_back_is_what_was_written(hospital: Path, ingest: Ingest) -> None:
    done = ingest(hospital)
    read = read_archive(done.archive.folder)
    assert read.images.equals(done.archive.images)
    assert read.fingerprint == done.archive.fingerprint
    for row in read.rows():
        assert read.open(row) == Path(row["source"]).read_bytes()
        assert read.materialise(row) == Path(row["source"])


def test_a_damaged_table_is_not_read(hospital: Path, ingest: Ingest) -> None:
    folder = ingest(hospital).archive.folder
    path = folder / "index.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RibsightError, match="run `ribsight ingest` again"):
        read_archive(folder)


@pytest.mark.parametrize("processes", [1, 3])
def test_the_number_of_processes_changes_nothing(
    hospital: Path, ingest: Ingest, processes: int
) -> None:
    ingest(hospital, out="a", processes=2)
    ingest(hospital, out="b", processes=processes, shard_rows=2)
    assert tables(hospital.parent / "a") == tables(hospital.parent / "b")


def test_only_what_is_new_or_changed_is_read_again(hospital: Path, ingest: Ingest) -> None:
    ingest(hospital)
    again = ingest(hospital)
    assert (again.looked_at, again.unchanged) == (0, 15)
    write(hospital / "day3" / "new", dicom(50))
    write(hospital / "day0" / "IM0000", dicom(0, side=44))
    (hospital / "day0" / "IM0003").unlink()
    grown = ingest(hospital)
    assert (grown.looked_at, grown.unchanged, grown.changed, grown.removed) == (2, 13, 1, 1)
    assert uid("image", 3) not in set(grown.archive.images["image"])
    ingest(hospital, out="fresh")
    assert tables(hospital.parent / "archive") == tables(hospital.parent / "fresh")


def test_sources_that_are_not_given_stay(hospital: Path, ingest: Ingest) -> None:
    ingest(hospital / "day0")
    both = ingest(hospital / "day1")
    assert len(both.archive.images) == 9
    assert both.archive.sources == (str(hospital / "day0"), str(hospital / "day1"))
    ingest(hospital / "day1", hospital / "day0", out="fresh")
    assert tables(hospital.parent / "archive") == tables(hospital.parent / "fresh")


def test_rehash_finds_what_size_and_time_hide(hospital: Path, ingest: Ingest) -> None:
    ingest(hospital)
    path = hospital / "day0" / "IM0003"
    found = path.stat()
    path.write_bytes(dicom(3, PatientID="P7"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    patients = ingest(hospital).archive.images["patient"]
    assert "P7" not in set(patients)
    archive = read_archive(hospital.parent / "archive")
    row = next(row for row in archive.rows() if row["source"] == str(path))
    with pytest.raises(UnreadableImageError, match="has changed since it was indexed"):
        archive.open(row)
    assert "P7" in set(ingest(hospital, rehash=True).archive.images["patient"])


def test_the_same_image_twice_is_one(hospital: Path, ingest: Ingest) -> None:
    shutil.copy(hospital / "day0" / "IM0003", hospital / "day2" / "copy")
    write(hospital / "day2" / "resent", dicom(3, StationName="OTHER"))
    done = ingest(hospital)
    assert len(done.archive.images) == 14
    assert reasons(done.archive)["copy"] == reasons(done.archive)["resent"] == "duplicate"


@pytest.mark.parametrize("changed", [{"side": 48}, {"PatientID": "P9"}])
def test_two_images_of_one_uid_are_in_conflict(
    hospital: Path, ingest: Ingest, changed: dict[str, object]
) -> None:
    write(hospital / "day2" / "other", dicom(3, **changed))  # type: ignore[arg-type]
    refused = ingest(hospital)
    assert uid("image", 3) not in set(refused.archive.images["image"])
    assert reasons(refused.archive)["other"] == reasons(refused.archive)["IM0003"] == "conflict"
    first = ingest(hospital, keep_first=True)
    kept = first.archive.images.filter(pl.col("image") == uid("image", 3))
    assert [Path(source).name for source in kept["source"]] == ["IM0003"]
    assert reasons(first.archive)["other"] == "conflict"


def test_pictures_of_one_name_get_names_of_their_own(tmp_path: Path, ingest: Ingest) -> None:
    for number, folder in enumerate(("a", "b", "c")):
        write(tmp_path / "in" / folder / "001.png", picture(number % 2))
    archive = ingest(tmp_path / "in").archive
    expected = {f"001-{sha256[:8]}" for sha256 in archive.images["sha256"]}
    assert set(archive.images["image"]) == expected
    assert len(expected) == 2
    assert archive.quarantine["reason"].to_list() == ["duplicate"]


def test_members_are_read_where_they_are(hospital: Path, ingest: Ingest) -> None:
    packed = hospital.parent / "packed"
    packed.mkdir()
    files = sorted(path for path in hospital.rglob("*") if path.is_file())
    with zipfile.ZipFile(packed / "a.zip", "w", zipfile.ZIP_DEFLATED) as container:
        for path in files[:5]:
            container.write(path, path.relative_to(hospital))
    with tarfile.open(packed / "b.tar", "w") as tar:
        for path in files[5:10]:
            tar.add(path, path.relative_to(hospital))
    for name, mode in (("c.tgz", "w:gz"), ("d.tar.xz", "w:xz"), ("e.tbz", "w:bz2")):
        with tarfile.open(packed / name, mode) as tar:  # type: ignore[call-overload]
            tar.add(hospital / "day2", "day2")
    with tarfile.open(packed / "f.tgz", "w:gz") as tar:
        for path in files[10:]:
            tar.add(path, path.relative_to(hospital))
    done = ingest(packed, processes=2)
    plain = ingest(hospital, out="plain")
    columns = ["image", "sha256", "head_sha256", "bytes", "patient", "eligible"]
    assert done.archive.images.select(columns).equals(plain.archive.images.select(columns))
    assert set(done.archive.quarantine["reason"]) == {"duplicate", "not-an-image"}
    expected = {row["image"]: plain.archive.open(row) for row in plain.archive.rows()}
    for row in done.archive.rows():
        assert done.archive.open(row) == expected[row["image"]]
        copy = done.archive.materialise(row)
        assert copy.read_bytes() == expected[row["image"]]
        assert done.archive.folder in copy.parents
        assert copy.name == row["sha256"]
    assert ingest(packed).looked_at == 0


def test_headers_alone_may_be_hashed(tmp_path: Path, ingest: Ingest) -> None:
    folder = tmp_path / "in"
    write(folder / "large", dicom(1, side=300))
    write(folder / "copy", dicom(1, side=300))
    write(folder / "small", dicom(2))
    quick = ingest(folder, hash_content=False).archive
    assert quick.images["sha256"].to_list().count("") == 1
    assert quick.quarantine["reason"].to_list() == ["duplicate"]
    for row in quick.rows():
        assert quick.open(row) == Path(row["source"]).read_bytes()
    ingest(folder)
    ingest(folder, out="fresh")
    assert tables(tmp_path / "archive") == tables(tmp_path / "fresh")


def test_a_header_longer_than_a_head_is_read(tmp_path: Path, ingest: Ingest) -> None:
    large = dicom(1, TextComments="x" * 5000, OverlayRows=None)
    assert len(large) < HEAD_BYTES
    write(tmp_path / "in" / "large", dicom(1, EncapsulatedDocument=bytes(3 << 20)))
    images = ingest(tmp_path / "in").archive.images
    assert images["image"].to_list() == [uid("image", 1)]


def test_what_is_eligible_can_be_decoded(hospital: Path, ingest: Ingest) -> None:
    archive = ingest(hospital).archive
    for row in archive.eligible().iter_rows(named=True):
        assert read_radiograph(archive.materialise(row)).pixels.shape == (40, 40)


def test_containers_are_known_by_their_first_bytes(hospital: Path) -> None:
    assert container_kind((hospital / "scan.png").read_bytes()) is None
    assert container_kind(b"PK\x03\x04") == "zip"


def test_a_folder_that_is_no_archive_is_left_alone(hospital: Path, ingest: Ingest) -> None:
    with pytest.raises(RibsightError, match="not empty and no archive"):
        ingest(hospital / "day0", out="hospital")
    with pytest.raises(RibsightError, match="does not exist"):
        ingest(hospital / "nowhere")


def test_an_archive_within_its_own_source_is_no_source(hospital: Path, ingest: Ingest) -> None:
    for _ in range(2):
        done = ingest(hospital, out="hospital/archive")
        assert len(done.archive.images) == 14
        assert reasons(done.archive) == {"README.txt": "not-an-image"}
