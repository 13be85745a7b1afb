import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ribsight.errors import RibsightError
from ribsight.regions import CocoRegions, coco_categories, read_coco

TRIANGLE = [1.0, 1.0, 9.0, 1.0, 9.0, 7.0]


def document(*annotations: object) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": 48, "height": 40}],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "fractured"}, {"id": 2, "name": "plate"}],
    }


def annotation(**changes: object) -> dict[str, object]:
    return {"id": 5, "image_id": 7, "category_id": 1, "bbox": [2, 3, 10, 5], **changes}


def read(path: Path, *annotations: object) -> CocoRegions:
    path.write_text(json.dumps(document(*annotations)))
    return read_coco(path, categories={"fractured": "fracture"})


def test_a_box_becomes_its_four_corners(tmp_path: Path) -> None:
    read_regions = read(tmp_path / "r.json", annotation())
    image = read_regions.images["a.png"]
    assert (image.width, image.height) == (48, 40)
    (region,) = image.regions
    assert region.box == (2.0, 3.0, 12.0, 8.0)
    assert region.finding == "fracture"
    assert region.is_box
    assert region.source == "r.json, annotation 5"
    assert read_regions.rejected == ()


def test_ids_may_be_whole_floats(tmp_path: Path) -> None:
    (image,) = read(tmp_path / "r.json", annotation(image_id=7.0, category_id=1.0)).images.values()
    assert [one.finding for one in image.regions] == ["fracture"]


def test_an_image_may_state_no_size(tmp_path: Path) -> None:
    written = {**document(annotation()), "images": [{"id": 7, "file_name": "a.png"}]}
    (tmp_path / "r.json").write_text(json.dumps(written))
    image = read_coco(tmp_path / "r.json", categories={"fractured": "fracture"}).images["a.png"]
    assert (image.width, image.height) == (None, None)
    assert len(image.regions) == 1


def test_an_annotation_with_polygons_and_a_box_is_its_polygons(tmp_path: Path) -> None:
    second = [20.0, 20.0, 30.0, 20.0, 30.0, 30.0, 20.0, 30.0]
    read_regions = read(tmp_path / "r.json", annotation(segmentation=[TRIANGLE, second]))
    (region,) = read_regions.images["a.png"].regions
    assert not region.is_box
    assert [polygon.shape for polygon in region.polygons] == [(3, 2), (4, 2)]
    np.testing.assert_array_equal(region.polygons[0], [[1, 1], [9, 1], [9, 7]])


def test_who_drew_a_region_is_kept(tmp_path: Path) -> None:
    read_regions = read(tmp_path / "r.json", annotation(reader="A"), annotation())
    assert [one.reader for one in read_regions.images["a.png"].regions] == ["A", ""]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (annotation(bbox=[2, 3, 0, 5]), "its box is 0 x 5 pixels"),
        (annotation(bbox=[2, 3, -4, -5]), "its box is -4 x -5 pixels"),
        (annotation(bbox=[2, 3, float("nan"), 5]), "its box is not a list of finite numbers"),
        (annotation(bbox=[2, 3, "4", 5]), "its box is not a list of finite numbers"),
        (annotation(bbox=[2, 3]), "its box has 2 numbers"),
        (annotation(bbox=None), "has neither a polygon nor a box"),
        (annotation(segmentation=[[1, 1, 5, 5]]), "fewer than three distinct points"),
        (annotation(segmentation=[[1, 1, 5, 5, 1, 1]]), "fewer than three distinct points"),
        (annotation(segmentation=[[1, 1, 5, 5, 9, 9]]), "its polygon has no area"),
        (annotation(segmentation=[[*TRIANGLE, 4]]), "its polygon has 7 numbers"),
        (annotation(segmentation={"counts": "x", "size": [1, 1]}), "`ribsight regions convert"),
        (annotation(iscrowd=1), "is a crowd"),
        (annotation(category_id=9), "category 9, which the file does not list"),
        (annotation(category_id=[1]), "category [1], which the file does not list"),
        (annotation(category_id=2), "'plate' stands for no finding"),
        (annotation(image_id=8), "image 8, which the file does not list"),
    ],
)
def test_a_bad_annotation_is_rejected_by_name_and_the_good_one_kept(
    tmp_path: Path, bad: dict[str, object], reason: str
) -> None:
    read_regions = read(tmp_path / "r.json", bad, annotation(id=6))
    (rejected,) = read_regions.rejected
    assert rejected.annotation == "annotation 5"
    assert rejected.reason.startswith("r.json, annotation 5: ")
    assert reason in rejected.reason
    (region,) = read_regions.images["a.png"].regions
    assert region.source == "r.json, annotation 6"


def test_an_annotation_that_is_no_object_is_rejected_by_its_position(tmp_path: Path) -> None:
    (rejected,) = read(tmp_path / "r.json", 3).rejected
    assert rejected.reason == "r.json, annotation at position 0: is not a JSON object"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is not valid JSON"),
        ("[1]", "no list 'images'"),
        ('{"images": [], "annotations": []}', "no list 'categories'"),
        (json.dumps({**document(), "images": [{"id": 1}]}), "image at position 0 has no usable"),
        (json.dumps({**document(), "images": [{"id": [1], "file_name": "a"}]}), "no usable 'id'"),
        (json.dumps({**document(), "categories": [{"id": 1}]}), "a category without"),
        (json.dumps({**document(), "images": document()["images"] * 2}), "same id 7"),
        (
            json.dumps(
                {
                    **document(),
                    "images": [
                        *document()["images"],
                        {"id": 8, "file_name": "a.png", "width": 1, "height": 1},
                    ],
                }
            ),
            "lists the image a.png twice",
        ),
    ],
)
def test_what_is_not_coco_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(RibsightError, match=sentence):
        read_coco(tmp_path / "r.json", categories={"fractured": "fracture"})


def test_an_undeclared_category_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(document()))
    with pytest.raises(RibsightError, match=r"no category 'fracture' \(did you mean 'fractured'"):
        read_coco(tmp_path / "r.json", categories={"fracture": "fracture"})


def test_categories_are_listed(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(document()))
    assert coco_categories(tmp_path / "r.json") == ("fractured", "plate")


def test_fracatlas_has_645_polygons_on_513_images(fracatlas: Path) -> None:
    drawn = read_coco(fracatlas / "annotations.coco.json", categories={"fractured": "fracture"})
    regions = [region for image in drawn.images.values() for region in image.regions]
    assert (len(drawn.images), len(regions), len(drawn.rejected)) == (513, 645, 0)
