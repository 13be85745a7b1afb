"""Truth from COCO instance JSON: https://cocodataset.org/#format-data."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.json_file import read_json
from ribsight.evaluation.inputs.rows import ImageRow, RegionRow, TruthRows
from ribsight.regions import Polygon
from ribsight.regions.coco_ids import plain_id

_OF_IMAGES = {"id", "file_name", "width", "height", "patient", "patient_id", "group", "spacing"}
_OF_REGIONS = {
    "id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "ignore", "reader", "area",
    "attributes",
}  # fmt: skip
_HARMLESS = {"license", "coco_url", "flickr_url", "date_captured"}


def read_truth_coco(path: Path) -> TruthRows:
    """Read a COCO file: its images, regions, and crowds as ignore regions.

    An image without a region of a category is without that finding. `patient` (or `patient_id`),
    `group` and `spacing` (mm per pixel) of an image, `ignore` and `reader` of an annotation are
    understood; further plain fields, and an annotation's `attributes`, are columns for strata.

    Raises:
        RibsightError: no such file, not COCO, an image twice, an annotation of an image or
            category that is not listed, or a box without area; with the annotation's id.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    ):
        raise RibsightError(
            f"{path} is not COCO instance JSON: it needs the lists images, annotations, categories"
        )
    try:
        categories = {plain_id(one["id"]): str(one["name"]) for one in document["categories"]}
        images = {plain_id(one["id"]): _image(path, one) for one in document["images"]}
    except (KeyError, TypeError) as error:
        raise RibsightError(
            f"{path} has an image without id or file_name, or a category without id or name"
        ) from error
    if len(images) < len(document["images"]):
        raise RibsightError(f"{path} gives two images the same id: correct one of them")
    names = [one.name for one in images.values()]
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise RibsightError(f"{path} lists the image {twice} twice: remove one of them")
    regions = [
        _region(path, one, images, categories, position)
        for position, one in enumerate(document["annotations"])
    ]
    return TruthRows(
        images=tuple(images.values()),
        regions=regions,
        states=(),
        findings=tuple(dict.fromkeys(categories.values())),
        coco_images=_either_type({id_: one.name for id_, one in images.items()}),
        coco_categories=_either_type(categories),
    )


def _either_type(by_id: Mapping[Any, str]) -> dict[object, str]:
    """Return the names by id, 7 and "7" being the same one where only one of them is there."""
    other: dict[object, str] = {}
    for id_, name in by_id.items():
        if isinstance(id_, int):
            other[str(id_)] = name
        elif isinstance(id_, str) and id_.isdecimal():
            other[int(id_)] = name
    return {**other, **by_id}


def _image(path: Path, image: Mapping[str, Any]) -> ImageRow:
    where = f"{path.name}, image {image['id']}"
    return ImageRow(
        name=str(image["file_name"]),
        where=where,
        patient=str(image.get("patient") or image.get("patient_id") or ""),
        group=str(image.get("group") or ""),
        width=_positive(image.get("width"), where, "width"),
        height=_positive(image.get("height"), where, "height"),
        spacing=_positive(image.get("spacing"), where, "spacing"),
        columns=_columns(image, _OF_IMAGES),
    )


def _positive(value: object, where: str, name: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise RibsightError(f"{where}: {name} is {value!r}, which is no number above 0")
    return float(value)


def _region(
    path: Path,
    annotation: Any,
    images: Mapping[object, ImageRow],
    categories: Mapping[object, str],
    position: int,
) -> RegionRow:
    if not isinstance(annotation, dict):
        raise RibsightError(f"{path}: the annotation at position {position} is no JSON object")
    where = f"{path.name}, annotation {annotation.get('id', f'at position {position}')}"
    image, category = (plain_id(annotation.get(key)) for key in ("image_id", "category_id"))
    for kind, id_, listed in (("image", image, images), ("category", category, categories)):
        if not isinstance(id_, int | str) or id_ not in listed:
            raise RibsightError(f"{where}: {kind} {id_!r} is not listed in the file")
    outline = _outline(annotation.get("segmentation"), where)
    attributes = annotation.get("attributes")
    extra = attributes if isinstance(attributes, dict) else {}
    return RegionRow(
        image=images[image].name,
        finding=categories[category],
        box=_box(annotation, outline, where),
        outline=outline,
        reader=str(annotation.get("reader") or ""),
        ignore=bool(annotation.get("iscrowd") or annotation.get("ignore")),
        where=where,
        columns=_columns(annotation, _OF_REGIONS) | _columns(extra, set()),
    )


def _outline(segmentation: object, where: str) -> tuple[Polygon, ...]:
    if not isinstance(segmentation, list):
        # Nothing, or a run-length mask: the box stands for it.
        return ()
    polygons = []
    for one in segmentation:
        try:
            polygon = np.array(one, dtype=np.float64).reshape(-1, 2)
        except (TypeError, ValueError) as error:
            raise RibsightError(f"{where}: a polygon is not a list of x, y, x, y, ...") from error
        if len(polygon) < 3 or not np.isfinite(polygon).all():
            raise RibsightError(f"{where}: a polygon needs three points of finite numbers")
        polygons.append(polygon)
    return tuple(polygons)


def _box(
    annotation: Mapping[str, Any], outline: tuple[Polygon, ...], where: str
) -> tuple[float, float, float, float]:
    if outline:
        points = np.concatenate(outline)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    elif annotation.get("segmentation") and annotation.get("bbox") is None:
        raise RibsightError(
            f"{where}: a run-length mask without a bbox; `ribsight regions convert` makes polygons "
            "of it"
        )
    else:
        x0, y0, x1, y1 = corners(annotation.get("bbox"), where)
    if not (x1 > x0 and y1 > y0):
        raise RibsightError(f"{where}: its box has no area")
    return float(x0), float(y0), float(x1), float(y1)


def corners(bbox: object, where: str) -> tuple[float, float, float, float]:
    """Turn COCO's x, y, width, height into corners. Raises RibsightError if it is none."""
    if (
        not isinstance(bbox, list)
        or len(bbox) != 4
        or not all(isinstance(one, int | float) and math.isfinite(one) for one in bbox)
    ):
        raise RibsightError(f"{where}: bbox is {bbox!r}, not x, y, width, height")
    x, y, width, height = bbox
    return x, y, x + width, y + height


def _columns(fields: Mapping[str, Any], known: set[str]) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in fields.items()
        if key not in known | _HARMLESS and isinstance(value, str | int | float)
    }
