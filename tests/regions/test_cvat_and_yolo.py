"""CVAT XML and folders of YOLO labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ribsight.errors import RibsightError
from ribsight.regions import (
    Annotations,
    ImageLabel,
    Region,
    known_images,
    read_annotations,
    write_annotations,
)
from ribsight.regions.annotations import AnnotatedImage
from ribsight.regions.geometry import signed_area
from ribsight.regions.region import box_polygon

SHAPES = """
<box label="fracture" occluded="1" xtl="10" ytl="20.5" xbr="30" ybr="40">
  <attribute name="side">left</attribute><attribute name="reader">R1</attribute></box>
<box label="fracture" xtl="10" ytl="20" xbr="30" ybr="40" rotation="90"/>
<box label="fracture" xtl="10" ytl="20" xbr="50" ybr="30" rotation="90"/>
<polygon label="mass" points="1,1;9,1;9.5,7"/>
<mask label="mass" rle="1, 2, 2, 1" left="5" top="6" width="3" height="2"/>
<ellipse label="mass" cx="20" cy="20" rx="5" ry="3"/>
<points label="tip" points="1,1"/>
<polyline label="line" points="1,1;2,2"/>
<tag label="poor"/>
"""


def cvat(path: Path, inside: str) -> Annotations:
    path.write_text(
        '<?xml version="1.0"?><annotations><version>1.1</version><meta><task><labels><label>'
        "<name>unused</name></label></labels><original_size><width>80</width><height>70</height>"
        f"</original_size></task></meta>{inside}</annotations>"
    )
    return read_annotations(path)


def image(inside: str) -> str:
    return f'<image id="0" name="a.png" width="90" height="60">{inside}</image>'


def test_shapes_of_an_image(tmp_path: Path) -> None:
    empty = '<image id="1" name="b.png" width="9" height="9"/>'
    content = cvat(tmp_path / "c.xml", image(SHAPES) + empty)
    box, same, turned, polygon, mask, ellipse = content.regions
    assert (box.is_box, box.box, box.reader) == (True, (10, 20.5, 30, 40), "R1")
    assert box.attributes == {"side": "left", "occluded": 1}
    assert same.box == pytest.approx((10, 20, 30, 40))
    # 40 x 10 around (30, 25), turned to 10 x 40.
    assert turned.box == pytest.approx((25, 5, 35, 45))
    assert polygon.polygons[0].tolist() == [[1, 1], [9, 1], [9.5, 7]]
    # Runs over rows of three: . # # / . . #
    assert mask.box == (6.0, 6.0, 8.0, 8.0)
    assert sum(abs(signed_area(one)) for one in mask.polygons) == 3
    assert ellipse.box == pytest.approx((15, 17, 25, 23))
    assert content.images["a.png"].labels == (ImageLabel("poor"),)
    assert list(content.images) == ["a.png", "b.png"]
    assert content.categories == ("unused", "fracture", "mass")
    assert content.notes == ("entries left out, not a region (2)",)


def test_a_track_is_a_region_on_every_frame_it_is_seen_on(tmp_path: Path) -> None:
    boxes = "".join(
        f'<box frame="{frame}" outside="{outside}" xtl="1" ytl="1" xbr="5" ybr="6"/>'
        for frame, outside in ((0, 0), (1, 0), (2, 1))
    )
    content = cvat(tmp_path / "c.xml", f'<track id="3" label="fracture">{boxes}</track>')
    assert [one.radiograph for one in content.regions] == ["frame_000000", "frame_000001"]
    assert content.regions[0].attributes == {"track": "3"}
    assert list(content.images) == ["frame_000000", "frame_000001", "frame_000002"]
    assert content.images["frame_000002"].width == 80


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ('<box label="a" xtl="9" ytl="1" xbr="5" ybr="5"/>', "two corners are swapped"),
        ('<box label="a" xtl="nan" ytl="1" xbr="5" ybr="5"/>', "xtl is nan"),
        ('<box label="a" ytl="1" xbr="5" ybr="5"/>', "xtl is None, not a number"),
        ('<box xtl="1" ytl="1" xbr="5" ybr="5"/>', "no label"),
        ('<polygon label="a" points="1,1;2"/>', "its points are not x,y;x,y;..."),
        ('<mask label="a" rle="9" left="0" top="0" width="2" height="2"/>', "its runs are not"),
        ('<box label="a" xtl="1" ytl="1" xbr="5" ybr="65"/>', "out of the image of 90 x 60"),
    ],
)
def test_a_shape_at_fault_is_named(tmp_path: Path, shape: str, reason: str) -> None:
    with pytest.raises(RibsightError, match=r"^c\.xml, image 0 \(a\.png\), \w+ 1: ") as caught:
        cvat(tmp_path / "c.xml", image(shape))
    assert reason in str(caught.value)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
ELSEWHERE = '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'


@pytest.mark.parametrize("declared", [BOMB, EXTERNAL, ELSEWHERE])
def test_entities_and_document_types_are_refused(tmp_path: Path, declared: str) -> None:
    path = tmp_path / "c.xml"
    path.write_text(f'<?xml version="1.0"?>{declared}<annotations>&a;</annotations>')
    with pytest.raises(RibsightError, match="declares a document type or entities"):
        read_annotations(path)


@pytest.mark.parametrize("text", ["<annotations><image>", "<annotations>\x01</annotations>"])
def test_broken_xml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.xml").write_text(text)
    with pytest.raises(RibsightError, match="is not valid XML"):
        read_annotations(tmp_path / "c.xml")


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    images = {"a\x02": AnnotatedImage("a\x02", 9, 9)}
    with pytest.raises(RibsightError, match=r"XML cannot hold the character '\\x02'"):
        write_annotations(Annotations("m", images, (), ()), "cvat", tmp_path / "c.xml")
    assert not list(tmp_path.iterdir())


def yolo(folder: Path, **labels: str) -> Path:
    """A data set as tools make it: pictures, labels and data.yaml."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for name in ("a", "b", "c"):
        Image.new("L", (200, 100)).save(folder / "images" / f"{name}.png")
    for name, text in labels.items():
        (folder / "labels" / f"{name}.txt").write_text(text)
    (folder / "data.yaml").write_text("train: images\nnames: [fracture, plate]\n")
    return folder


def test_yolo_lines(tmp_path: Path) -> None:
    folder = yolo(
        tmp_path / "y",
        a="0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2 0.75\n\n",
        b="1 0.1 0.1 0.2 0.1 0.2 0.4\n0 0.1 0.1 0.2 0.1 0.2 0.4 0.5\n",
    )
    content = read_annotations(folder)
    box, scored, outline, scored_outline = content.regions
    assert box.box == pytest.approx((90, 40, 110, 60))
    assert (scored.finding, scored.score) == ("plate", 0.75)
    assert outline.polygons[0] == pytest.approx(np.array([[20, 10], [40, 10], [40, 40]]))
    assert scored_outline.score == 0.5
    # A picture without a label file is one on which nothing was found.
    assert list(content.images) == ["a.png", "b.png", "c.png"]
    assert len(read_annotations(folder / "data.yaml").regions) == 4


def test_yolo_without_names_or_sizes_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "a.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    with pytest.raises(RibsightError, match=r"has no data\.yaml and no classes\.txt"):
        read_annotations(tmp_path / "y")
    with pytest.raises(RibsightError, match="the size of its image is not known"):
        read_annotations(tmp_path / "y", class_names=["fracture"])
    (tmp_path / "sizes.csv").write_text("image,width,height\na.png,200,100\n")
    known = known_images(tmp_path / "sizes.csv")
    content = read_annotations(tmp_path / "y", class_names=["fracture"], images=known)
    assert content.regions[0].radiograph == "a.png"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 -0.1 0.2", "the size -20 x 20"),
        ("0 0.5 0.5 0.1", "4 numbers: neither a box nor a polygon"),
        ("0 0.5 nan 0.1 0.1", "number 2 is nan"),
        ("x 0.5 0.5 0.1 0.1", "its class is 'x', not a number"),
        ("7 0.5 0.5 0.1 0.1", "class 7 has no name among the 2"),
        ("0 0.99 0.5 0.1 0.1", "out of the image of 200 x 100"),
    ],
)
def test_a_yolo_line_at_fault_is_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(RibsightError, match=r"^labels/a\.txt, line 2: ") as caught:
        read_annotations(yolo(tmp_path / "y", a=f"0 0.5 0.5 0.1 0.2\n{line}\n"))
    assert reason in str(caught.value)


def annotated(*names: str, size: int | None = 100) -> Annotations:
    images = {name: AnnotatedImage(name, size, size) for name in names}
    triangle = np.array([[10.0, 10.0], [20.0, 10.0], [20.0, 30.0]])
    regions = (
        Region(names[0], "b", (box_polygon(0, 0, 50, 25),), is_box=True),
        Region(names[0], "a", (triangle,)),
    )
    return Annotations("m", images, regions, ("a", "b"))


def test_yolo_is_written_by_hand_computed_shares(tmp_path: Path) -> None:
    content = annotated("x.png", "y.png")
    only_box = Annotations("m", content.images, content.regions[:1], content.categories)
    write_annotations(only_box, "yolo", tmp_path / "boxes")
    assert (tmp_path / "boxes/labels/x.txt").read_text() == "1 0.25 0.125 0.5 0.25\n"
    assert (tmp_path / "boxes/labels/y.txt").read_text() == ""
    assert (tmp_path / "boxes/images.txt").read_text() == "./images/x.png\n./images/y.png\n"
    # Beside an outline, a box is its corners: tools take all lines of a file for polygons then.
    write_annotations(content, "yolo", tmp_path / "mixed")
    assert (tmp_path / "mixed/labels/x.txt").read_text() == (
        "1 0.0 0.0 0.5 0.0 0.5 0.25 0.0 0.25\n0 0.1 0.1 0.2 0.1 0.2 0.3\n"
    )


def test_yolo_refuses_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for content, reason in (
        (annotated("d/x.png", "e/x.png"), "would be one YOLO label file"),
        (annotated("x.png", size=None), "the size of x.png is not known"),
    ):
        with pytest.raises(RibsightError, match=reason):
            write_annotations(content, "yolo", tmp_path / "y")
    assert not list(tmp_path.iterdir())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(RibsightError, match="exists already"):
        write_annotations(annotated("x.png"), "yolo", tmp_path / "full")


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    write_annotations(annotated("../../x.png"), "yolo", tmp_path / "y")
    assert {one.name for one in tmp_path.rglob("*.txt")} == {"x.txt", "images.txt"}
    assert (tmp_path / "y/labels/x.txt").is_file()


@pytest.mark.parametrize("text", ["names: 3", "names: {a: b}", "{", "- 1", "!!python/object:x {}"])
def test_a_bad_data_yaml_is_refused(tmp_path: Path, text: str) -> None:
    folder = yolo(tmp_path / "y", a="")
    (folder / "data.yaml").write_text(text)
    with pytest.raises(RibsightError, match=r"data\.yaml") as caught:
        read_annotations(folder)
    assert "\n" not in str(caught.value)
