import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ribsight.cli.regions_command import FORMATS, RULES, regions
from ribsight.errors import RibsightError
from ribsight.regions import Rule
from ribsight.regions.formats import FORMATS as KNOWN

VINDR = """image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max
x,Rib fracture,1,R1,0,0,10,10
x,Rib fracture,1,R2,2,0,12,10
x,Mass,0,R3,50,50,90,90
y,No finding,14,R1,,,,
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "v.csv"
    path.write_text(VINDR)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(regions, [str(one) for one in arguments], catch_exceptions=False)


def test_the_choices_are_the_formats_and_rules_there_are() -> None:
    assert tuple(one.name for one in KNOWN) == FORMATS
    assert tuple(Rule) == RULES


def test_show_counts(source: Path) -> None:
    done = run("show", source)
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "v.csv: VinDr-CXR / VinBigData CSV, 2 images (1 without a region, 0 of known size), "
        "3 regions",
        "",
        "category      boxes  outlines  images",
        "Mass              1         0       1",
        "Rib fracture      2         0       1",
        "",
        "reader  regions  images  nothing drawn",
        "R1            1       2              1",
        "R2            1       1              0",
        "R3            1       1              0",
        "",
        "regions on an image  images",
        "none                      1",
        "3                         1",
    ]


def test_show_counts_what_is_at_fault_and_goes_on(source: Path, tmp_path: Path) -> None:
    with source.open("a") as stream:
        stream.write("x,Mass,0,R1,5,5,5,9\nx,Mass,0,R1,5,5,nan,9\n")
    (tmp_path / "s.csv").write_text("image,width,height\nx,60,100\ny,60,100\n")
    done = run("show", source, "--images", tmp_path / "s.csv")
    assert done.exit_code == 0
    assert "reach out of their image: 1" in done.output
    assert "left out, no area: 1\nleft out, no finite number: 1\n" in done.output
    assert "  v.csv, row 6: its box goes from x 5 to 5" in done.output


def test_convert_with_consensus_classes_and_names(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = run("convert", source, "--to", "coco", "--out", out, "--consensus", "weighted",
               "--category", "Rib fracture=rib_fracture", "--classes", "rib_fracture",
               "--weight", "R1=3")  # fmt: skip
    assert done.output.splitlines() == [
        "regions left out, of categories not in --classes: Mass 1",
        f"2 images (1 without a region), 1 region -> {out}",
    ]
    document = json.loads(out.read_text())
    (annotation,) = document["annotations"]
    # (3 * 0 + 1 * 2) / 4 = 0.5; (3 + 1) / 2 * min(2, 3) / (3 + 1 + 1) = 0.8.
    assert annotation["bbox"] == [0.5, 0, 10, 10]
    assert annotation["score"] == pytest.approx(0.8)
    assert annotation["attributes"]["readers"] == "R1; R2"
    assert [one["file_name"] for one in document["images"]] == ["x", "y"]


def test_choosing_a_reader_keeps_the_images_that_reader_saw(source: Path, tmp_path: Path) -> None:
    done = run("convert", source, "--to", "rsna", "--out", tmp_path / "r.csv", "--readers", "R1")
    assert done.exit_code == 0
    assert (tmp_path / "r.csv").read_text().splitlines()[1:] == ["x,0.0,0.0,10.0,10.0,1", "y,,,,,0"]
    with pytest.raises(RibsightError, match="has no reader 'R9'"):
        run("convert", source, "--to", "rsna", "--out", tmp_path / "r.csv", "--readers", "R9")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--to", "rsna"], "cannot hold who drew what on images of several readers"),
        (["--to", "yolo", "--consensus", "union"], "the size of x is not known"),
        (["--to", "coco", "--category", "Ribfracture=a"], "did you mean 'Rib fracture'?"),
        (["--to", "coco", "--category", "Mass"], "not two names with = between them"),
        (["--to", "coco", "--consensus", "weighted", "--weight", "R1=-1"], "not a number from 0"),
        (["--to", "coco", "--classes", "a,,b"], "a name is empty"),
        (["--to", "coco", "--classes", "a,a"], "names a class twice"),
        (["--to", "coco", "--from", "cvat"], "is not valid XML"),
        (["--to", "coco", "--from", "coco"], "is not COCO instance JSON"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    source: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    with pytest.raises(RibsightError) as caught:
        run("convert", source, "--out", tmp_path / "out", *options)
    assert reason in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["v.csv"]


def test_boxes_clip_and_leave_out(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 40}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[30, 1, 50, 1, 50, 9]]},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 1, -1, 5]},
        ],
        "categories": [{"id": 1, "name": "fracture"}],
    }
    (tmp_path / "c.json").write_text(json.dumps(document))
    done = run("convert", tmp_path / "c.json", "--to", "cvat", "--out", tmp_path / "c.xml",
               "--clip", "--leave-out", "--boxes")  # fmt: skip
    assert done.output.splitlines()[:2] == [
        "regions clipped at the edge of their image (1)",
        "entries left out, corners swapped or size negative (1)",
    ]
    shown = run("show", tmp_path / "c.xml")
    assert "fracture      1         0       1" in shown.output
