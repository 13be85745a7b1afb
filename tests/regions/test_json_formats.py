"""COCO, ChestX-Det and Label Studio JSON."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.errors import RibsightError
from ribsight.regions import Annotations, ImageLabel, read_annotations, write_annotations
from ribsight.regions.formats.label_studio import image_name

coco_mask = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
coco_files = pytest.importorskip("pycocotools.coco")

TRIANGLE = [1.0, 1.0, 9.0, 1.0, 9.0, 7.0]


def read(path: Path, document: Any, **options: Any) -> Annotations:
    path.write_text(json.dumps(document))
    return read_annotations(path, **options)


def coco(*annotations: dict[str, Any]) -> dict[str, Any]:
    return {
        "images": [
            {"id": "7", "file_name": "a.png", "width": 48, "height": 40, "patient": "p1"},
            {"id": 8, "file_name": "b.png", "license": 3},
        ],
        "annotations": list(annotations),
        "categories": [{"id": 90, "name": "fracture"}, {"id": 0, "name": "plate"}],
    }


def drawn(**changes: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": 7, "category_id": 90, "bbox": [2, 3, 10, 5], **changes}


def test_coco_ids_fields_and_images_without_a_region(tmp_path: Path) -> None:
    content = read(
        tmp_path / "c.json", coco(drawn(reader="R1", acuity="old", attributes={"rib": 5}))
    )
    (region,) = content.regions
    assert (region.radiograph, region.finding, region.box) == ("a.png", "fracture", (2, 3, 12, 8))
    assert region.attributes == {"acuity": "old", "rib": 5}
    assert content.images["a.png"].extra == {"patient": "p1"}
    assert content.images["b.png"].width is None
    write_annotations(content, "coco", tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["images"][0]["patient"] == "p1"
    assert out["annotations"][0]["attributes"] == {"acuity": "old", "rib": 5}
    assert out["annotations"][0]["reader"] == "R1"


def test_coco_ids_may_be_whole_floats(tmp_path: Path) -> None:
    content = read(tmp_path / "c.json", coco(drawn(image_id=7.0, category_id=90.0)))
    assert [(one.radiograph, one.finding) for one in content.regions] == [("a.png", "fracture")]


def test_pycocotools_reads_what_is_written_alike(tmp_path: Path) -> None:
    content = read(tmp_path / "c.json", coco(drawn(), drawn(id=6, segmentation=[TRIANGLE])))
    path = tmp_path / "out.json"
    write_annotations(content, "coco", path)
    oracle = coco_files.COCO(path)
    first, second = oracle.loadAnns(oracle.getAnnIds())
    assert first["bbox"] == [2, 3, 10, 5]
    assert second["area"] == 24
    assert second["bbox"] == [2, 3, 10, 5]
    assert oracle.loadCats(second["category_id"])[0]["name"] == "fracture"
    assert oracle.annToMask(second).sum() > 0


@pytest.mark.parametrize("compressed", [True, False])
def test_coco_masks_become_polygons_of_the_same_pixels(tmp_path: Path, compressed: bool) -> None:
    mask = np.zeros((40, 48), dtype=np.uint8)
    mask[5:20, 10:30] = 1
    mask[9:12, 15:18] = 0
    if compressed:
        code = coco_mask.encode(np.asfortranarray(mask))
        counts: Any = code["counts"].decode()
    else:
        flat = mask.ravel(order="F")
        edges = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *edges, flat.size]).tolist()
    segmentation = {"size": [40, 48], "counts": counts}
    content = read(
        tmp_path / "c.json", coco(drawn(iscrowd=1, bbox=None, segmentation=segmentation))
    )
    (region,) = content.regions
    assert region.box == (10.0, 5.0, 30.0, 20.0)
    assert region.attributes == {"iscrowd": 1}
    write_annotations(content, "coco", tmp_path / "out.json")
    (row,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert row["area"] == mask.sum()
    assert row["iscrowd"] == 1
    codes = coco_mask.frPyObjects(row["segmentation"], 40, 48)
    np.testing.assert_array_equal(coco_mask.decode(coco_mask.merge(codes)), mask)


def test_a_stated_box_beside_an_outline_is_kept(tmp_path: Path) -> None:
    content = read(tmp_path / "c.json", coco(drawn(segmentation=[TRIANGLE])))
    assert content.regions[0].box == (1.0, 1.0, 9.0, 7.0)
    write_annotations(content, "vindr", tmp_path / "out.csv")
    assert "2.0,3.0,12.0,8.0" in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (drawn(bbox=[2, 3, -4, 5]), "the size -4 x 5"),
        (drawn(bbox=[2, 3, float("nan"), 5]), "is nan, not a finite number"),
        (drawn(bbox=[2, 3, 4]), "its bbox has 3 numbers, not 4"),
        (drawn(bbox=None), "neither a polygon nor a bbox"),
        (drawn(segmentation=[[1, 1, 5, 5, 9, 9]]), "its polygon has no area"),
        (drawn(segmentation=[[1, 1, 5, 5]]), "fewer than three distinct points"),
        (drawn(segmentation={"size": [4, 4], "counts": [16]}), "its mask has 4 x 4 pixels"),
        (drawn(image_id=9), "no image has the id 9"),
        (drawn(category_id=1), "no category has the id 1"),
        (drawn(bbox=[40, 3, 10, 5]), "out of the image of 48 x 40 pixels"),
    ],
)
def test_a_coco_annotation_at_fault_is_named(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RibsightError, match=r"^c\.json, annotation 5: ") as caught:
        read(tmp_path / "c.json", coco(bad, drawn(id=6)))
    assert reason in str(caught.value)


def test_clipping_cuts_what_reaches_out_and_counts_it(tmp_path: Path) -> None:
    document = coco(
        drawn(bbox=[40, 3, 10, 5]),
        drawn(bbox=[60, 3, 10, 5]),
        drawn(segmentation=[[44, 10, 52, 10, 52, 20, 44, 20]], bbox=None),
        drawn(bbox=[0, 0, 48.005, 40]),
    )
    content = read(tmp_path / "c.json", document, clip_outside=True)
    assert [one.box for one in content.regions] == [
        (40, 3, 48, 8), (44, 10, 48, 20), (0, 0, 48.005, 40),
    ]  # fmt: skip
    assert content.notes == (
        "regions clipped at the edge of their image (2)",
        "regions left out that lie outside their image (1)",
    )


def test_keypoints_are_left_out_with_a_note(tmp_path: Path) -> None:
    content = read(
        tmp_path / "c.json", coco(drawn(bbox=None, num_keypoints=1, keypoints=[1, 2, 2]), drawn())
    )
    assert len(content.regions) == 1
    assert content.notes == ("entries left out, not a region (1)",)


def test_chestx_det_boxes_and_polygons(tmp_path: Path) -> None:
    square = [[2, 3], [12, 3], [12, 8], [2, 8]]
    content = read(
        tmp_path / "x.json",
        [
            {"file_name": "1.png", "syms": [], "boxes": [], "polygons": []},
            {
                "file_name": "2.png",
                "syms": ["Fracture", "Mass"],
                "boxes": [[2, 3, 12, 8], [0, 0, 10, 10]],
                "polygons": [square, [[1, 1], [9, 1], [9, 7]]],
            },
        ],
    )
    box, outline = content.regions
    assert box.is_box
    assert (outline.box, outline.box_to_write) == ((1, 1, 9, 7), (0, 0, 10, 10))
    assert list(content.images) == ["1.png", "2.png"]
    with pytest.raises(RibsightError, match=r"x\.json, image 1 \(1\.png\): 1 syms, 0 boxes"):
        read(
            tmp_path / "x.json",
            [{"file_name": "1.png", "syms": ["A"], "boxes": [], "polygons": []}],
        )


def result(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "abc", "type": kind, "original_width": 200, "original_height": 100,
            "image_rotation": 0, "value": value, **more}  # fmt: skip


def rectangle(**changes: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 20, "width": 5, "height": 30, "rotation": 0,
             "rectanglelabels": ["fracture"], **changes}  # fmt: skip
    return result("rectanglelabels", value)


def task(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    image = {"image": "/data/upload/1/abcd1234-a.png"}
    return {"id": 3, "data": image, "annotations": list(annotations), **more}


def test_label_studio_percent_readers_attributes_and_labels(tmp_path: Path) -> None:
    said = {"x": 10, "y": 20, "width": 5, "height": 30, "choices": ["old"]}
    choice = {"id": "abc", "type": "choices", "from_name": "acuity", "value": said}
    quality = {"id": "q", "type": "choices", "from_name": "quality", "value": {"choices": ["poor"]}}
    content = read(
        tmp_path / "l.json",
        [
            task(
                {"completed_by": {"id": 4, "email": "jo@x.org"},
                 "result": [rectangle(), choice, quality]},
                {"completed_by": 9, "result": []},
                {"completed_by": 11, "result": [rectangle()], "was_cancelled": True},
                predictions=[{"model_version": "m", "score": 0.5, "result": [rectangle()]}],
            ),
            {"id": 4, "data": {"image": "s3://b/c.png"}, "annotations": []},
        ],
    )  # fmt: skip
    (region,) = content.regions
    assert region.box == pytest.approx((20, 20, 30, 50))
    assert (region.reader, dict(region.attributes)) == ("jo@x.org", {"acuity": "old"})
    (image,) = content.images.values()
    assert (image.name, image.width, image.height) == ("a.png", 200, 100)
    assert image.readers == ("jo@x.org", "9")
    assert image.labels == (ImageLabel("poor", "jo@x.org"),)
    assert set(content.notes) == {
        "predictions passed over; --predictions reads them instead (1)",
        "cancelled annotations passed over (1)",
        "tasks without annotations passed over: nobody looked at them (1)",
    }
    predicted = read_annotations(tmp_path / "l.json", predictions=True)
    (region,) = predicted.regions
    assert (region.reader, region.score) == ("m", 0.5)


def test_a_rectangle_turns_clockwise_around_its_corner_in_pixels(tmp_path: Path) -> None:
    content = read(tmp_path / "l.json", [task({"result": [rectangle(x=30, rotation=90)]})])
    (region,) = content.regions
    # 10 wide and 30 high at (60, 20): turned, it reaches 30 to the left and 10 down.
    assert region.polygons[0] == pytest.approx(np.array([[60, 20], [60, 30], [30, 30], [30, 20]]))


def test_other_shapes_of_label_studio(tmp_path: Path) -> None:
    polygon = result("polygonlabels", {"points": [[10, 10], [20, 10], [20, 50]],
                                       "polygonlabels": ["mass"]})  # fmt: skip
    ellipse = result("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20,
                                       "rotation": 0, "ellipselabels": ["mass"]})  # fmt: skip
    point = result("keypointlabels", {"x": 5, "y": 5, "keypointlabels": ["tip"]})
    content = read(tmp_path / "l.json", [task({"result": [polygon, ellipse, point]})])
    first, second = content.regions
    assert first.polygons[0].tolist() == [[20, 10], [40, 10], [40, 50]]
    assert second.box == pytest.approx((80, 30, 120, 70))
    assert content.notes == ("entries left out, not a region (1)",)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (rectangle(width=-5), "the size -10 x 30"),
        (rectangle(x=float("nan")), "x is nan"),
        (rectangle(rectanglelabels=[]), "drawn without a label"),
        ({**rectangle(), "original_width": None}, "original_width is None, not a number"),
        ({**rectangle(), "image_rotation": 90}, "export it upright"),
        (result("brushlabels", {"format": "rle", "rle": [1, 2], "brushlabels": ["a"]}), "brush"),
        (rectangle(x=98), "out of the image of 200 x 100 pixels"),
    ],
)
def test_a_label_studio_region_at_fault_is_named(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RibsightError, match=r"^l\.json, task 3, region abc: ") as caught:
        read(tmp_path / "l.json", [task({"result": [bad]})])
    assert reason in str(caught.value)


def test_label_studio_min_json(tmp_path: Path) -> None:
    region = {**rectangle()["value"], "original_width": 200, "original_height": 100}
    document = [{"image": "/data/upload/2/00ff00ff-b.png", "id": 1, "label": [region],
                 "annotator": 4, "annotation_id": 8}]  # fmt: skip
    content = read(tmp_path / "l.json", document)
    assert content.regions[0].radiograph == "b.png"
    assert content.images["b.png"].readers == ("4",)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/abcd1234-a-b.png", "a-b.png"),
        ("/data/upload/1/abcd1234-.png", ".png"),
        ("abcd1234-a.png", "abcd1234-a.png"),
        ("/data/local-files/?d=films%2Fa.png", "a.png"),
        ("https://x.org/films/a%20b.png?token=1", "a b.png"),
        ("http://[bad/a.png", "a.png"),
    ],
)
def test_the_image_behind_an_address(address: str, name: str) -> None:
    assert image_name(address) == name


DOCUMENTS: list[Any] = [
    coco(drawn(segmentation=[TRIANGLE]), drawn(segmentation={"size": [40, 48], "counts": [1920]})),
    [{"file_name": "2.png", "syms": ["A"], "boxes": [[1, 1, 9, 7]],
      "polygons": [[[1, 1], [9, 1], [9, 7]]]}],
    [task({"completed_by": {"id": 1}, "result": [rectangle()]}, predictions=[{"result": []}])],
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(data=st.data())
@settings(max_examples=200)
def test_whatever_stands_in_a_document_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = json.loads(json.dumps(data.draw(st.sampled_from(DOCUMENTS))))
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(VALUES)
            break
        node = node[key]
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_text(json.dumps(document))
    with suppress(RibsightError):
        read_annotations(path, leave_out_faults=True)
