"""Files as spreadsheets and other programs write them, and what is joined to a truth."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.image_columns import with_columns
from ribsight.evaluation.inputs.marks import read_marks
from ribsight.evaluation.inputs.truth_csv import read_image_csv
from ribsight.evaluation.inputs.truth_set import read_truth
from ribsight.evaluation.strata import Column, parts_of
from ribsight.evaluation.truth import truth_of

MakeCohort = Callable[..., Cohort]

TRUTH = (
    "image,finding,x0,y0,x1,y1,patient,image_width,image_height\n"
    "a,rib,10,10,30,30,p,100,100\nb,rib,,,,,q,100,100\n"
)
MARKS = "image,finding,x,y,score\na,rib,20.5,20,0.75\nb,rib,5,5,0.25\n"


@pytest.fixture
def truth_file(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH)
    return path


@pytest.mark.parametrize(
    "content",
    [
        MARKS.encode(),
        b"\xef\xbb\xbf" + MARKS.replace("\n", "\r\n").encode(),
        MARKS.replace(",", ";").encode(),
        MARKS.replace(",", ";").replace(".", ",").encode(),
        MARKS.replace(",", "\t").encode(),
        MARKS.replace("a,rib", '"a","rib"').encode(),
        MARKS.replace("image", " Image ").replace("score", "Score").encode(),
        MARKS.replace("\na,", "\nfilms/a.png,").encode(),
        MARKS.replace("\na,", "\nD:\\films\\a.PNG,").encode(),
        MARKS.replace("\na,", "\n\n , , , , \na,").encode(),
    ],
    ids=[
        "plain",
        "windows",
        "semicolon",
        "decimal comma",
        "tabs",
        "quotes",
        "names",
        "paths",
        "windows paths",
        "blank rows",
    ],
)
def test_one_table_in_many_spellings(truth_file: Path, tmp_path: Path, content: bytes) -> None:
    marks = tmp_path / "marks.csv"
    marks.write_bytes(content)
    truth = read_truth(truth_file)
    reading = read_marks(marks, truth).reading(truth.truth.truths["rib"])
    assert reading.mark_xy.tolist() == [[20.5, 20], [5, 5]]
    assert reading.mark_scores.tolist() == [0.75, 0.25]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: it needs a row of column names"),
        (b";;\r\n", "is empty: it needs a row of column names"),
        (b"PK\x03\x04\x00\x00", "is no text"),
        (MARKS.replace("rib", "r\xefb").encode("latin-1"), "row 2 is not in UTF-8"),
        (b'[{"image": 1}]', "holds JSON, not CSV"),
        (b"image,finding,x,y\na,rib,1,1\n", "no column 'score'; it has image, finding, x, y"),
        (b"image,score,x,y\na,1,1,1,1,1,1\n", "row 2 has 7 cells, the header has 4"),
        (b"image,score\n\na\n", "row 3 has 1 cells, the header has 2"),
        (b'image,score\na,"0.5\n', r"row 2 cannot be read .*a quotation mark"),
        (b"image,score\n\n,\n\na,x\n", "marks.csv, row 5: score is 'x'"),
        (b"image,x,y,score\na,1,1,1\nb,40,140,1\n", "row 3: a mark of 'rib' at .40, 140. lies"),
        (TRUTH.encode(), r"seems to be a truth .are --truth and --marks swapped"),
        (b"image,score,confidence,x,y\na,1,1,1,1\n", None),
    ],
)
def test_a_file_that_is_no_table_of_marks(
    truth_file: Path, tmp_path: Path, content: bytes, message: str | None
) -> None:
    marks = tmp_path / "marks.csv"
    marks.write_bytes(content)
    truth = read_truth(truth_file)
    if message is None:
        read_marks(marks, truth)
        return
    with pytest.raises(RibsightError, match=message):
        read_marks(marks, truth).reading(truth.truth.truths["rib"])


def test_marks_given_as_truth_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(MARKS)
    with pytest.raises(RibsightError, match="seems to be marks"):
        read_truth(path)
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    path.write_text(TRUTH)
    with pytest.raises(RibsightError, match="a truth in COCO's format, not marks"):
        read_marks(coco, read_truth(path))


def test_a_name_with_dots_is_never_another_image(tmp_path: Path) -> None:
    # DICOM's UIDs have dots: 1.2.3 is not 1.2 with the ending ".3".
    path, marks = tmp_path / "truth.csv", tmp_path / "marks.csv"
    path.write_text(TRUTH.replace("\na,", "\n1.2,"))
    marks.write_text("image,finding,x,y,score\n1.2.3,rib,1,1,0.5\n")
    with pytest.raises(RibsightError, match=r"image '1\.2\.3' is not in the truth"):
        read_marks(marks, read_truth(path))


@pytest.mark.parametrize("own", [7, "7", 7.0])
@pytest.mark.parametrize("said", [7, "7", 7.0])
def test_coco_ids_may_be_numbers_or_text(tmp_path: Path, own: object, said: object) -> None:
    truth, marks = tmp_path / "truth.json", tmp_path / "marks.json"
    truth.write_text(json.dumps({
        "images": [{"id": own, "file_name": "9.png"}, {"id": 9, "file_name": "b.png"}],
        "annotations": [{"id": 1, "image_id": own, "category_id": own, "bbox": [0, 0, 9, 9]}],
        "categories": [{"id": own, "name": "rib"}],
    }))  # fmt: skip
    marks.write_text(json.dumps(
        [{"image_id": said, "category_id": said, "bbox": [1, 1, 4, 4], "score": 0.5}]
    ))  # fmt: skip
    known = read_truth(truth)
    reading = read_marks(marks, known).reading(known.truth.truths["rib"])
    assert reading.mark_image.tolist() == [0]
    # In a CSV, 9 is the picture 9.png before it is the image whose COCO id is 9.
    csv = tmp_path / "marks.csv"
    csv.write_text("image,x,y,score\n9,1,1,0.5\n")
    reading = read_marks(csv, known).reading(known.truth.truths["rib"])
    assert reading.mark_image.tolist() == [0]


def test_a_region_that_is_there_twice_is_refused(truth_file: Path) -> None:
    # It would be two lesions, of which a detector can hit one only.
    truth_file.write_text(TRUTH + "a,rib,10,10,30,30,p,100,100\n")
    with pytest.raises(RibsightError, match=r"row 4: the same region as truth\.csv, row 2"):
        read_truth(truth_file)
    truth_file.write_text(TRUTH + "a,rib,10,10,30,31,p,100,100\n")
    assert len(read_truth(truth_file).truth.truths["rib"].region_boxes) == 2


def test_a_table_of_patients_gives_columns_to_their_images(
    truth_file: Path, tmp_path: Path
) -> None:
    patients = tmp_path / "patients.csv"
    patients.write_text("patient_id,sex,age\np,f,71\nq,m,30\nr,m,44\n")
    one = read_truth(truth_file, images=patients).truth.truths["rib"]
    assert one.images == ("a", "b")
    assert one.image_columns["sex"] == ("f", "m")
    parts = parts_of(one, Column("age", (40.0, 65.0)))
    assert [(part.label, part.kept.tolist()) for part in parts] == [
        ("below 40", [False, True]), ("65 and more", [True, False]),
    ]  # fmt: skip
    patients.write_text("patient_id,sex\nx,f\n")
    with pytest.raises(RibsightError, match=r"patients\.csv names no patient of the truth"):
        read_truth(truth_file, images=patients)
    patients.write_text("patient,sex\np,f\np,m\n")
    with pytest.raises(RibsightError, match="row 3: patient p is also in row 2"):
        read_truth(truth_file, images=patients)


def test_a_cohort_takes_columns_and_knows_its_spacing(
    make_cohort: MakeCohort, tmp_path: Path
) -> None:
    cohort = make_cohort(["positive", "negative", "negative"], {0: [(20, 20, 40, 30)]})
    known = cohort.radiographs.with_columns(
        pl.Series("spacing_mm", [0.5, 0.0, None], dtype=pl.Float64), pl.lit("p").alias("patient")
    )
    cohort = Cohort(cohort.images, cohort.findings, known, cohort.diagnoses, cohort.regions)
    truth = truth_of(cohort, "rib_fracture")
    np.testing.assert_equal(truth.spacing, [0.5, np.nan, np.nan])
    sizes = parts_of(truth, Column("size_mm", (8.0,)))
    assert [part.label for part in sizes] == ["8 and more"]  # 20 pixels of 0.5 mm
    table = tmp_path / "images.csv"
    table.write_text("image,vendor\nr0,A\nr2,B\n")
    joined = with_columns(truth, read_image_csv(table), "images.csv")
    assert joined.image_columns["vendor"] == ("A", None, "B")
    table.write_text("image,vendor\nz,A\n")
    with pytest.raises(RibsightError, match="names no image and no patient"):
        with_columns(truth, read_image_csv(table), "images.csv")
