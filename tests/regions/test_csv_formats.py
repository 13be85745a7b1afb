"""VinDr, RSNA and NIH: rows as their owners publish them, and rows at fault."""

import gzip
import zipfile
from pathlib import Path

import pytest

from ribsight.errors import RibsightError
from ribsight.regions import Annotations, Fault, ImageLabel, read_annotations, write_annotations
from ribsight.regions.convert import read_all

VINDR = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
RSNA = "patientId,x,y,width,height,Target\n"
NIH = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


def read(path: Path, text: str) -> Annotations:
    path.write_text(text)
    return read_annotations(path)


def test_vindr_rows_of_three_readers(tmp_path: Path) -> None:
    content = read(
        tmp_path / "v.csv",
        VINDR + "x1,Nodule/Mass,8,R10,691.0,1375.5,1653.0,1831.0\n"
        "x1,No finding,14,R8,,,,\nx2,No finding,14,R1,,,,\nx2,No finding,14,R2,,,,\n"
        "x3,Cardiomegaly,3,R9,,,,\n",
    )
    (region,) = content.regions
    assert region.box == (691.0, 1375.5, 1653.0, 1831.0)
    assert (region.radiograph, region.finding, region.reader) == ("x1", "Nodule/Mass", "R10")
    assert region.source == "v.csv, row 2"
    assert {name: one.readers for name, one in content.images.items()} == {
        "x1": ("R10", "R8"), "x2": ("R1", "R2"), "x3": ("R9",),
    }  # fmt: skip
    assert content.images["x3"].labels == (ImageLabel("Cardiomegaly", "R9"),)
    # In the order of class_id, so that numbers made from it later agree with it.
    assert content.categories == ("Cardiomegaly", "Nodule/Mass")


def test_vindr_columns_may_stand_in_another_order_without_readers(tmp_path: Path) -> None:
    content = read(
        tmp_path / "v.csv",
        "image_id,class_name,x_min,y_min,x_max,y_max,width,height\nx,Rib fracture,1,2,3,4,90,80\n",
    )
    assert content.regions[0].reader == ""
    assert (content.images["x"].width, content.images["x"].height) == (90, 80)


@pytest.mark.parametrize(
    ("row", "reason", "fault"),
    [
        ("x,Mass,0,R1,nan,1,5,5", "x_min is nan, not a finite number", Fault.NOT_FINITE),
        ("x,Mass,0,R1,inf,1,5,5", "x_min is inf", Fault.NOT_FINITE),
        ("x,Mass,0,R1,a,1,5,5", "x_min is 'a', not a number", Fault.NOT_FINITE),
        ("x,Mass,0,R1,,1,5,5", "x_min is '', not a number", Fault.NOT_FINITE),
        ("x,Mass,0,R1,9,1,5,5", "two corners are swapped", Fault.SWAPPED),
        ("x,Mass,0,R1,5,1,5,5", "so it has no area", Fault.NO_AREA),
        ("x,No finding,14,R1,5,1,9,5", "No finding with a box", Fault.REFERENCE),
        ("x,,0,R1,5,1,9,5", "no class_name", Fault.REFERENCE),
    ],
)
def test_a_vindr_row_at_fault_is_named(tmp_path: Path, row: str, reason: str, fault: Fault) -> None:
    path = tmp_path / "v.csv"
    path.write_text(VINDR + "y,Mass,0,R1,1,1,5,5\n" + row + "\n")
    with pytest.raises(RibsightError, match=r"^v\.csv, row 3: ") as caught:
        read_annotations(path)
    assert reason in str(caught.value)
    kept = read_annotations(path, leave_out_faults=True)
    assert [one.radiograph for one in kept.regions] == ["y"]
    assert [one.fault for one in kept.rejected] == [fault]
    assert kept.notes == (f"entries left out, {fault} (1)",)


def test_rsna_rows(tmp_path: Path) -> None:
    content = read(
        tmp_path / "r.csv", RSNA + "p1,,,,,0\np2,264.5,152.0,213.0,379.25,1\np2,10,10,5,5,1\n"
    )
    assert list(content.images) == ["p1", "p2"]
    assert [one.box for one in content.regions] == [(264.5, 152, 477.5, 531.25), (10, 10, 15, 15)]
    assert {one.finding for one in content.regions} == {"Lung Opacity"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p,1,1,5,5,0", "Target 0 with a box"),
        ("p,1,1,5,5,2", "Target is '2', not 0 or 1"),
        ("p,1,1,-5,5,1", "its box has the size -5 x 5"),
        ("p,1,1,0,5,1", "its box has the size 0 x 5"),
        ("p,1,,5,5,1", "y is '', not a number"),
    ],
)
def test_an_rsna_row_at_fault_is_named(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(RibsightError, match=r"^r\.csv, row 2: ") as caught:
        read(tmp_path / "r.csv", RSNA + row + "\n")
    assert reason in str(caught.value)


def test_rsna_holds_one_finding(tmp_path: Path) -> None:
    content = read(tmp_path / "v.csv", VINDR + "x,A,0,R,1,1,5,5\nx,B,1,R,1,1,5,5\n")
    with pytest.raises(RibsightError, match="holds one kind of finding, not A, B: choose one with"):
        write_annotations(content, "rsna", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("commas", ["", ",,,"])
def test_nih_rows_with_and_without_trailing_commas(tmp_path: Path, commas: str) -> None:
    content = read(
        tmp_path / "n.csv", NIH + f"1_8.png,Atelectasis,225.5,547.25,86.5,79.0{commas}\n"
    )
    (region,) = content.regions
    assert region.box == (225.5, 547.25, 312.0, 626.25)
    assert (region.radiograph, region.finding) == ("1_8.png", "Atelectasis")


def test_nih_is_written_as_it_is_published(tmp_path: Path) -> None:
    text = NIH + "1_8.png,Atelectasis,225.5,547.25,86.5,79.0,,,\n"
    write_annotations(read(tmp_path / "n.csv", text), "nih", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == text


def test_nih_does_not_lose_negatives_in_silence(tmp_path: Path) -> None:
    content = read(tmp_path / "r.csv", RSNA + "p1,,,,,0\np2,1,1,5,5,1\n")
    with pytest.raises(RibsightError, match=r"cannot hold images without a region \(1\); --lossy"):
        write_annotations(content, "nih", tmp_path / "out.csv")
    notes = write_annotations(content, "nih", tmp_path / "out.csv", lossy=True)
    assert notes == ["not written: images without a region (1)"]


def test_several_readers_are_not_mixed_in_silence(tmp_path: Path) -> None:
    content = read(tmp_path / "v.csv", VINDR + "x,A,0,R1,1,1,5,5\nx,No finding,1,R2,,,,\n")
    with pytest.raises(RibsightError, match=r"who drew what on images .* \(1; see --consensus\)"):
        write_annotations(content, "rsna", tmp_path / "out.csv")


def test_files_may_be_packed(tmp_path: Path) -> None:
    text = (RSNA + "p1,1,1,5,5,1\n").encode()
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("stage_2/labels.csv", text)
        archive.writestr("__MACOSX/._labels.csv", b"\0")
    for name in ("r.csv.gz", "r.zip"):
        assert len(read_annotations(tmp_path / name).regions) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b not gzip at all", "cannot be unpacked"),
        (b"PK\x03\x04 not zip at all", "cannot be unpacked"),
        (b"\xff\xfe\x00", "is of no annotation format"),
        (b"", "is of no annotation format"),
        (b"a,b,c\n1,2,3\n", "its columns are a, b, c"),
        (b"{", "is not valid JSON"),
        (b"[" * 100_000, "nested too deep"),
        (RSNA.encode() + b"p,1\n", "row 2: 2 values where the header has 6"),
        (RSNA.encode() + b"p\xff,,,,,0\n", "is not UTF-8 text"),
        (RSNA.encode() + b",,,,,0\n", "row 2: no patientId"),
        (NIH.encode() + b"a,b\n", "row 2: 2 values, not image"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(RibsightError) as caught:
        read_annotations(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="there is no"):
        read_annotations(tmp_path / "none.csv")
    (tmp_path / "v.csv").write_text(VINDR)
    with pytest.raises(RibsightError, match=r"'vinder' \(did you mean 'vindr'\?\)"):
        read_annotations(tmp_path / "v.csv", "vinder")
    assert read_all(tmp_path / "v.csv", "vindr")[1] == "VinDr-CXR / VinBigData CSV"
