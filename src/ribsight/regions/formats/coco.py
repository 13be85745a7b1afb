"""COCO instance JSON, with the fields other tools add: https://cocodataset.org/#format-data.

Boxes are x, y, width, height and polygons x, y, x, y, ..., continuous, from the top-left corner of
the top-left pixel. `reader`, `score` and `attributes` of an annotation and `readers`, `labels` of
an image are ribsight's own; other tools pass over them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.regions.annotations import (
    AnnotatedImage,
    Annotations,
    Collector,
    Fault,
    UnusableError,
    scalars,
)
from ribsight.regions.coco_ids import plain_id
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.geometry import checked_polygon, number, numbers, signed_area, sized_box
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.masks import coco_runs, mask_polygons, runs_mask
from ribsight.regions.region import Polygon, Region
from ribsight.regions.source import Source

_LISTS = ("images", "annotations", "categories")
_OF_IMAGE = frozenset({"id", "file_name", "width", "height", "readers", "labels"})
_OF_ANNOTATION = frozenset(
    {"id", "image_id", "category_id", "bbox", "segmentation", "area", "reader", "score",
     "attributes"}
)  # fmt: skip
_SAME = 0.01
"""Pixels; a stated box this near to that around the outline is the same, but for rounding."""


def recognises(source: Source) -> bool:
    """Whether it is an object with the lists images, annotations and categories."""
    if not source.looks_like_json or not isinstance(source.json, dict):
        return False
    return all(isinstance(source.json.get(key), list) for key in _LISTS)


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read boxes, polygons and run-length masks. Ids may be numbers or strings."""
    if not recognises(source):
        raise RibsightError(
            f"{source.path} is not COCO instance JSON: it needs the lists {', '.join(_LISTS)}"
        )
    collector = Collector(source.name)
    categories: dict[str, str] = {}
    for one in source.json["categories"]:
        if not isinstance(one, dict) or not {"id", "name"} <= one.keys():
            raise RibsightError(f"{source.path} has a category without id or name")
        id_ = _id(one["id"])
        if id_ in categories:
            raise RibsightError(f"{source.path} gives two categories the id {id_}")
        categories[id_] = str(one["name"])
        collector.category(str(one["name"]))
    images = _images(source, collector)
    for position, one in enumerate(source.json["annotations"], 1):
        if not isinstance(one, dict):
            raise RibsightError(f"{source.path}: annotation {position} is not an object")
        where = f"{source.name}, annotation {one.get('id', f'at position {position}')}"
        with collector.entry(where):
            _add(collector, where, one, images, categories)
    return collector.done()


def _images(source: Source, collector: Collector) -> dict[str, str]:
    images: dict[str, str] = {}
    for position, one in enumerate(source.json["images"], 1):
        where = f"{source.name}, image {position}"
        if not isinstance(one, dict) or not {"id", "file_name"} <= one.keys():
            raise RibsightError(f"{where}: no id or no file_name")
        id_, name = _id(one["id"]), str(one["file_name"])
        if id_ in images:
            raise RibsightError(f"{where}: the id {id_} is that of another image")
        if name in collector.images:
            raise RibsightError(f"{where}: the image {name} is listed twice")
        images[id_] = name
        extra = {key: value for key, value in one.items() if key not in _OF_IMAGE}
        collector.image(name, _size(one, where), extra=extra, where=where)
        readers = one.get("readers")
        for reader in readers if isinstance(readers, list) else []:
            collector.image(name, reader=str(reader))
        labels = one.get("labels")
        for label in labels if isinstance(labels, list) else []:
            if isinstance(label, dict) and label.get("name"):
                reader = str(label.get("reader", ""))
                collector.image(name, label=str(label["name"]), reader=reader)
    return images


def _id(value: object) -> str:
    return str(plain_id(value))


def _size(image: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    if width is None or height is None:
        return None
    if not all(
        isinstance(one, int | float) and 0 < one < 2**31 and one % 1 == 0 for one in (width, height)
    ):
        raise RibsightError(f"{where}: width {width!r} and height {height!r} are no size")
    return int(width), int(height)


def _add(
    collector: Collector,
    where: str,
    annotation: Mapping[str, Any],
    images: Mapping[str, str],
    categories: Mapping[str, str],
) -> None:
    image, category = _id(annotation.get("image_id")), _id(annotation.get("category_id"))
    if image not in images:
        raise UnusableError(Fault.REFERENCE, f"no image has the id {image}")
    if category not in categories:
        raise UnusableError(Fault.REFERENCE, f"no category has the id {category}")
    name, finding = images[image], categories[category]
    given = annotation.get("attributes")
    more: dict[str, Any] = {
        "reader": str(annotation.get("reader") or ""),
        "attributes": scalars(annotation, _OF_ANNOTATION)
        | scalars(given if isinstance(given, dict) else {}, frozenset()),
    }
    if not annotation.get("iscrowd"):
        more["attributes"].pop("iscrowd", None)
    if annotation.get("score") is not None:
        more["score"] = number(annotation["score"], "its score")
    if annotation.get("num_keypoints") and not annotation.get("bbox"):
        raise UnusableError(Fault.NO_REGION, "keypoints, which enclose no area")
    box = None
    if annotation.get("bbox"):
        x, y, width, height = numbers(annotation["bbox"], "its bbox", length=4)
        box = (x, y, width, height)
    polygons = _polygons(annotation.get("segmentation"), collector.images[name])
    if not polygons:
        if box is None:
            raise UnusableError(Fault.REFERENCE, "neither a polygon nor a bbox")
        collector.box(name, finding, sized_box(*box), where, **more)
        return
    around = Region(name, finding, polygons).box
    if box is not None:
        stated = sized_box(*box)
        if max(abs(a - b) for a, b in zip(stated, around, strict=True)) > _SAME:
            more["stated_box"] = stated
    collector.outline(name, finding, polygons, where, **more)


def _polygons(segmentation: Any, image: AnnotatedImage) -> tuple[Polygon, ...]:
    if not segmentation:
        return ()
    if isinstance(segmentation, dict):
        return _mask(segmentation, image)
    if not isinstance(segmentation, list):
        raise UnusableError(Fault.REFERENCE, "its segmentation is not a list of polygons")
    return tuple(checked_polygon(numbers(one, "its polygon")) for one in segmentation)


def _mask(segmentation: Mapping[str, Any], image: AnnotatedImage) -> tuple[Polygon, ...]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or [type(one) for one in size] != [int, int]:
        raise UnusableError(Fault.REFERENCE, f"its mask has the size {size!r}")
    height, width = size
    if image.width is not None and (image.width, image.height) != (width, height):
        raise UnusableError(
            Fault.REFERENCE,
            f"its mask has {width} x {height} pixels, the image {image.width} x {image.height}",
        )
    if isinstance(counts, str):
        runs = coco_runs(counts)
    elif isinstance(counts, list) and all(type(one) is int for one in counts):
        runs = counts
    else:
        raise UnusableError(Fault.REFERENCE, "its mask has no counts")
    return mask_polygons(runs_mask(runs, height, width, by_column=True))


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write images, annotations and categories with ids from 1 on."""
    write_text(path, json.dumps(coco_document(annotations)) + "\n")
    return []


def coco_document(annotations: Annotations) -> dict[str, Any]:
    """Return what `write` writes."""
    image_id = {name: index for index, name in enumerate(annotations.images, 1)}
    category_id = {name: index for index, name in enumerate(annotations.categories, 1)}
    return {
        "images": [_image(one, image_id[name]) for name, one in annotations.images.items()],
        "annotations": [
            _annotation(one, index, image_id[one.radiograph], category_id[one.finding])
            for index, one in enumerate(annotations.regions, 1)
        ],
        "categories": [{"id": index, "name": name} for name, index in category_id.items()],
    }


def _image(image: AnnotatedImage, id_: int) -> dict[str, Any]:
    row: dict[str, Any] = {**image.extra, "id": id_, "file_name": image.name}
    if image.width is not None:
        row |= {"width": image.width, "height": image.height}
    if image.readers:
        row["readers"] = list(image.readers)
    if image.labels:
        row["labels"] = [{"name": one.name, "reader": one.reader} for one in image.labels]
    return row


def _annotation(region: Region, id_: int, image: int, category: int) -> dict[str, Any]:
    x0, y0, x1, y1 = region.box_to_write
    row: dict[str, Any] = {
        "id": id_,
        "image_id": image,
        "category_id": category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": sum(abs(signed_area(one)) for one in region.polygons),
        "iscrowd": 0,
        "segmentation": [] if region.is_box else [one.ravel().tolist() for one in region.polygons],
    }
    if region.reader:
        row["reader"] = region.reader
    if region.score is not None:
        row["score"] = region.score
    attributes = dict(region.attributes)
    if "iscrowd" in attributes:
        row["iscrowd"] = attributes.pop("iscrowd")
    if attributes:
        row["attributes"] = attributes
    return row


COCO = Format(
    name="coco",
    title="COCO instance JSON",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset(Holds),
)
