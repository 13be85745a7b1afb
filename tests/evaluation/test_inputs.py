"""Files of truth and of marks: what they mean, and that nothing of them is lost in silence."""

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.marks import read_marks
from ribsight.evaluation.inputs.truth_csv import read_truth_csv
from ribsight.evaluation.inputs.truth_set import NamedTruth, read_truth
from ribsight.evaluation.score import Scoring, score

TRUTH = """image,finding,x0,y0,x1,y1,state,patient,image_width,image_height,spacing,acuity,sex
a.png,rib,10,10,30,30,,p1,100,200,0.5,acute,f
a.png,rib,50,50,60,90,,p1,100,200,0.5,old,f
b.png,rib,,,,,,p2,100,200,0.5,,m
c.png,rib,,,,,uncertain,p2,100,200,0.5,,m
d.png,,,,,,,p3,100,200,0.5,,m
"""
MARKS = """image,finding,x,y,score,x0,y0,x1,y1
a.png,rib,20,20,0.9,12,12,28,28
a,rib,55,70,0.8,,,,
b.png,rib,,,0.7,1,2,3,4
d.png,rib,90,190,0.2,,,,
d.png,rib,,,0.6,,,,
"""
COCO: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "a.png", "width": 100, "height": 100, "patient_id": "p", "sex": "f"},
        {"id": 9, "file_name": "b.png", "width": 100, "height": 100, "patient_id": "q", "sex": "m"},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 20, 20], "acuity": "acute"},
        {"id": 2, "image_id": 7, "category_id": 3, "iscrowd": 1, "bbox": [50, 50, 40, 40],
         "segmentation": {"counts": [1], "size": [1, 1]}},
        {"id": 3, "image_id": 9, "category_id": 4, "segmentation": [[5, 5, 25, 5, 5, 25]],
         "bbox": [0, 0, 1, 1]},
    ],
    "categories": [{"id": 3, "name": "rib"}, {"id": 4, "name": "clavicle"}],
}  # fmt: skip
RESULTS = [
    {"image_id": 7, "category_id": 3, "bbox": [12, 12, 10, 10], "score": 0.9},
    {"image_id": 9, "category_id": 3, "bbox": [60, 60, 10, 10], "score": 0.4},
]


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> NamedTruth:
    return read_truth(write(tmp_path / "truth.csv", TRUTH))


def test_csv_of_truth(truth: NamedTruth) -> None:
    one = truth.truth.truths["rib"]
    assert one.images == ("a.png", "b.png", "c.png", "d.png")
    assert one.state.tolist() == [1, 0, -1, 0]
    assert one.groups.tolist() == [0, 1, 1, 2]
    assert one.region_boxes.tolist() == [[10, 10, 30, 30], [50, 50, 60, 90]]
    assert one.spacing.tolist() == [0.5] * 4
    assert one.region_columns == {"acuity": ("acute", "old")}
    assert one.image_columns["sex"] == ("f", "m", "m", "m")


def test_old_fractures_can_be_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", TRUTH)
    one = read_truth(path, ignore=[("acuity", "old")]).truth.truths["rib"]
    assert one.region_boxes.tolist() == [[10, 10, 30, 30]]
    assert one.ignored_boxes.tolist() == [[50, 50, 60, 90]]
    with pytest.raises(RibsightError, match=r"no region has a column 'acuty'.*'acuity'"):
        read_truth(path, ignore=[("acuty", "old")])


def test_csv_of_marks(truth: NamedTruth, tmp_path: Path) -> None:
    answers = read_marks(write(tmp_path / "marks.csv", MARKS), truth)
    reading = answers.reading(truth.truth.truths["rib"])
    assert reading.mark_image.tolist() == [0, 0, 1, 3]
    assert reading.mark_xy.tolist() == [[20, 20], [55, 70], [2, 3], [90, 190]]
    assert reading.image_scores.tolist() == [0.9, 0.7, 0.0, 0.6]
    assert np.isnan(reading.mark_boxes[1]).all()
    assert reading.mark_boxes[0].tolist() == [12, 12, 28, 28]


def test_coco_truth_and_results(tmp_path: Path) -> None:
    named = read_truth(write(tmp_path / "t.json", COCO))
    rib, clavicle = named.truth.truths["rib"], named.truth.truths["clavicle"]
    assert (rib.state.tolist(), clavicle.state.tolist()) == ([1, 0], [0, 1])
    assert rib.ignored_boxes.tolist() == [[50, 50, 90, 90]]
    assert clavicle.region_boxes.tolist() == [[5, 5, 25, 25]]
    assert len(clavicle.outlines[0][0]) == 3
    assert rib.region_columns == {"acuity": ("acute",)}
    answers = read_marks(write(tmp_path / "r.json", RESULTS), named)
    assert answers.findings == ("rib",)
    assert answers.reading(rib).mark_xy.tolist() == [[17, 17], [65, 65]]
    result = score(named.truth, answers, Scoring(replicates=50)).evaluation.findings[0]
    assert result.froc_score.value == 1


READERS = """image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max
a,Rib fracture,1,R1,10,10,30,30
a,Rib fracture,1,R2,12,12,32,32
a,Rib fracture,1,R3,60,60,80,80
b,No finding,14,R1,,,,
b,No finding,14,R2,,,,
b,Rib fracture,1,R3,5,5,9,9
"""


@pytest.mark.parametrize(
    ("rule", "boxes", "state"),
    [
        ("any", [[11, 11, 31, 31], [60, 60, 80, 80], [5, 5, 9, 9]], [1, 1]),
        ("majority", [[11, 11, 31, 31]], [1, 0]),
        ("all", [], [0, 0]),
        ("R3", [[60, 60, 80, 80], [5, 5, 9, 9]], [1, 1]),
    ],
)
def test_readers_of_a_vindr_table(
    tmp_path: Path, rule: str, boxes: list[list[float]], state: list[int]
) -> None:
    path = write(tmp_path / "t.csv", READERS)
    one = read_truth(path, readers=rule).truth.truths["Rib fracture"]
    assert one.region_boxes.tolist() == boxes
    assert one.state.tolist() == state
    with pytest.raises(RibsightError, match=r"image a was read by 3 readers .* choose --readers"):
        read_truth(path)
    with pytest.raises(RibsightError, match="no reader 'R9'"):
        read_truth(path, readers="R9")


@pytest.mark.parametrize("rule", ["any", "majority", "all"])
def test_regions_whose_reader_is_not_named_are_one_readers(tmp_path: Path, rule: str) -> None:
    path = write(tmp_path / "t.csv", "image,x0,y0,x1,y1,reader\na,1,1,5,5,\nb,,,,,\nc,2,2,5,5,R1\n")
    one = read_truth(path, readers=rule).truth.truths["finding"]
    assert one.region_boxes.tolist() == [[1, 1, 5, 5], [2, 2, 5, 5]]
    assert one.state.tolist() == [1, 0, 1]


def test_images_csv_adds_images_and_what_is_known_of_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "image,x,y,width,height\nu,10,10,5,6\n")
    more = write(tmp_path / "i.csv", "image,patient,spacing,vendor\nu,p,0.2,A\nv,q,0.3,B\n")
    one = read_truth(path, images=more).truth.truths["finding"]
    assert one.images == ("u", "v")
    assert one.region_boxes.tolist() == [[10, 10, 15, 16]]
    assert (one.patients, one.spacing.tolist()) == (("p", "q"), [0.2, 0.3])
    assert one.image_columns["vendor"] == ("A", "B")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("finding\nrib\n", "has no column 'image'"),
        ("image,x0,y0,x1,y1\na,1,2,three,4\n", "t.csv, row 2: x1 is 'three'"),
        ("image,x0,y0,x1,y1\na,1,2,nan,4\n", "row 2: x1 is 'nan', which is no finite number"),
        ("image,x0,y0,x1,y1\na,5,5,1,9\n", "row 2: the box 5, 5, 1, 9 has no area"),
        ("image,state\na,perhaps\n", "row 2: state is 'perhaps'"),
        ("image,patient\na,p\na,q\n", "row 3: patient of image a is 'q' here and 'p' in row 2"),
        ("image,ignore,x0,y0,x1,y1\na,maybe,1,1,2,2\n", "row 2: ignore is 'maybe'"),
        ("image,finding,x0,y0,x1,y1\na,,1,1,2,2\n", "row 2: a box without a finding"),
        ("image,image_id\na,b\n", None),
        ("image,x0,y0,x1,y1,image_width,image_height\na,200,1,210,2,100,100\n", "lies outside"),
        ("image\n", "names no image"),
        (
            "image,finding,x0,y0,x1,y1,state\na,rib,1,1,2,2,\na,rib,,,,,negative\n",
            "row 3 says that image a is without 'rib', and t.csv, row 2 has a region",
        ),
    ],
)
def test_bad_truth_names_its_row(tmp_path: Path, text: str, message: str | None) -> None:
    path = write(tmp_path / "t.csv", text)
    if message is None:
        assert read_truth(path)
        return
    with pytest.raises(RibsightError, match=message):
        read_truth(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("z.png,rib,1,1,0.5,,,,", "row 2: image 'z.png' is not in the truth"),
        ("a.png,ribs,1,1,0.5,,,,", r"row 2: the truth has no finding 'ribs' \(did you mean 'rib'"),
        ("a.png,rib,1,1,nan,,,,", "row 2: score is 'nan'"),
        ("a.png,rib,1,,0.5,,,,", "row 2: y is ''"),
        ("a.png,rib,101,1,0.5,,,,", r"\(101, 1\) lies outside radiograph a.png"),
        ("a.png,rib,,,0.5,,,,\na.png,rib,,,0.6,,,,", "row 3: a second image score of a.png"),
    ],
)
def test_bad_marks_name_their_row(
    truth: NamedTruth, tmp_path: Path, row: str, message: str
) -> None:
    path = write(tmp_path / "m.csv", MARKS.splitlines()[0] + "\n" + row + "\n")
    with pytest.raises(RibsightError, match=message):
        read_marks(path, truth).reading(truth.truth.truths["rib"])


def test_marks_on_further_images_can_be_left_aside(truth: NamedTruth, tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "image,score,x,y\nz,0.5,1,1\nb.png,0.4,1,1\n")
    answers = read_marks(path, truth, further_images=True)
    assert answers.reading(truth.truth.truths["rib"]).mark_image.tolist() == [1]


def test_no_marks_at_all_is_a_result(truth: NamedTruth, tmp_path: Path) -> None:
    answers = read_marks(write(tmp_path / "m.csv", "image,score,x,y\n"), truth)
    result = score(truth.truth, answers, Scoring(replicates=50)).evaluation.findings[0]
    assert (result.auroc.value, result.froc_score.value) == (0.5, 0)
    empty = read_marks(write(tmp_path / "m.json", "[]"), truth)
    assert empty.findings == ("rib",)


def test_negative_scores_rank_below_images_without_a_mark_never(
    truth: NamedTruth, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.csv", "image,score,x,y\na,-2,1,1\nb,-5,1,1\n")
    reading = read_marks(path, truth).reading(truth.truth.truths["rib"])
    assert reading.image_scores.tolist() == [-2, -5, -6, -6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, "annotation 1: image 99 is not listed"),
        ({"category_id": 99}, "annotation 1: category 99 is not listed"),
        ({"bbox": [1, 1, 0, 5]}, "annotation 1: its box has no area"),
        ({"bbox": [1, 1, float("nan"), 5]}, "annotation 1: bbox is"),
        ({"segmentation": [[1, 2, 3, 4]]}, "annotation 1: a polygon needs three points"),
        (
            {"segmentation": {"size": [1, 1], "counts": "x"}, "bbox": None},
            "`ribsight regions convert`",
        ),
    ],
)
def test_bad_coco_names_its_annotation(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    document = json.loads(json.dumps(COCO))
    document["annotations"][0].update(change)
    with pytest.raises(RibsightError, match=message):
        read_truth(write(tmp_path / "t.json", document))


def test_coco_lists_an_image_once(tmp_path: Path) -> None:
    for twice, message in (({"id": 7}, "two images the same id"), ({}, "lists the image a.png")):
        document = json.loads(json.dumps(COCO))
        document["images"].append({**document["images"][0], "id": 77, **twice})
        with pytest.raises(RibsightError, match=message):
            read_truth(write(tmp_path / "t.json", document))


def _real(name: str) -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RIBSIGHT_DATA", beside)) / "annotation_formats" / name
    if not path.is_file():
        pytest.skip(f"no {name} at {path}; set RIBSIGHT_DATA")
    return path


def test_a_real_vindr_table_is_read(tmp_path: Path) -> None:
    text = gzip.decompress(_real("vinbigdata-train.csv.gz").read_bytes()).decode()
    head = "\n".join(text.splitlines()[:3000]) + "\n"
    rows = read_truth_csv(write(tmp_path / "t.csv", head))
    assert len(rows.regions) + len(rows.states) == 2999
    assert all(one.reader for one in rows.regions)


def test_a_real_rsna_table_is_read(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(_real("rsna_stage_2_train_labels.csv.zip"))
    text = archive.read(archive.namelist()[0]).decode()
    head = "\n".join(text.splitlines()[:3000]) + "\n"
    one = read_truth(write(tmp_path / "t.csv", head)).truth.truths["finding"]
    rows = [line.split(",") for line in head.splitlines()[1:]]
    assert len(one.region_image) == sum(row[5] == "1" for row in rows)
    assert one.positive.sum() == len({row[0] for row in rows if row[5] == "1"})
