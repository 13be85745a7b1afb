"""COCO instance annotations -> regions: https://cocodataset.org/#format-data."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ribsight.errors import RibsightError, nearest
from ribsight.regions.coco_ids import plain_id
from ribsight.regions.region import Polygon, Region, box_polygon

MIN_AREA = 1e-6
"""Square pixels; what is drawn smaller than this has no area but rounding."""


@dataclass(frozen=True)
class RejectedAnnotation:
    """An annotation that gave no region: its id in the file, and why."""

    annotation: str
    reason: str


@dataclass(frozen=True)
class CocoImage:
    """One image of a COCO file: the size it states in pixels, None if none, and its regions."""

    width: int | None
    height: int | None
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class CocoRegions:
    """What a COCO file holds.

    Attributes:
        images: by file name as the file gives it; a region's `radiograph` is that name too.
        rejected: the annotations that gave no region.
    """

    images: Mapping[str, CocoImage]
    rejected: tuple[RejectedAnnotation, ...]


def coco_categories(path: Path) -> tuple[str, ...]:
    """Return the names of the categories a COCO file declares.

    Raises:
        RibsightError: no such file, or not COCO instance JSON.
    """
    return tuple(_category_names(path, _read_document(path)).values())


def read_coco(path: Path, *, categories: Mapping[str, str]) -> CocoRegions:
    """Read polygons and boxes from COCO instance JSON.

    An annotation's polygons are used if it has any, else its box. Coordinates are x, y in stored
    pixels, with their origin at the top-left corner of the top-left pixel. Who drew it is what
    ribsight's own field `reader` says.

    Args:
        path: the JSON file.
        categories: name of the finding of each category.

    Raises:
        RibsightError: no such file, not COCO instance JSON, a name in `categories` that the file
            does not declare, an image without id, name or usable size, or two images of one id or
            file name.
    """
    document = _read_document(path)
    names = _category_names(path, document)
    for name in categories:
        if name not in names.values():
            raise RibsightError(
                f"{path} has no category '{name}'{nearest(name, names.values())}; "
                f"it has: {', '.join(names.values()) or 'none'}"
            )
    images = _images(path, document)
    drawn: defaultdict[str, list[Region]] = defaultdict(list)
    rejected = []
    for position, annotation in enumerate(document["annotations"]):
        label = _label(annotation, position)
        try:
            name, finding = _image_and_finding(annotation, images, names, categories)
            polygons, is_box = _outline(annotation)
        except _RejectedError as error:
            rejected.append(RejectedAnnotation(label, f"{path.name}, {label}: {error}"))
            continue
        source = f"{path.name}, {label}"
        reader = str(annotation.get("reader") or "")
        drawn[name].append(
            Region(name, finding, polygons, is_box=is_box, reader=reader, source=source)
        )
    return CocoRegions(
        images={
            name: CocoImage(width, height, tuple(drawn[name]))
            for name, width, height in images.values()
        },
        rejected=tuple(rejected),
    )


_Listed = tuple[str, int | None, int | None]
"""Name of an image, and the width and height that the file states."""


class _RejectedError(Exception):
    """Why one annotation gives no region."""


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise RibsightError(f"{path} is not valid JSON: {error}") from error
    content: dict[str, Any] = document if isinstance(document, dict) else {}
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise RibsightError(f"{path} is not COCO instance JSON: it has no list '{key}'")
    return content


def _category_names(path: Path, document: Mapping[str, Any]) -> dict[object, str]:
    try:
        return {one["id"]: str(one["name"]) for one in document["categories"]}
    except (KeyError, TypeError) as error:
        raise RibsightError(f"{path} has a category without 'id' or 'name'") from error


def _images(path: Path, document: Mapping[str, Any]) -> dict[object, _Listed]:
    images: dict[object, _Listed] = {}
    names = set()
    for position, one in enumerate(document["images"]):
        try:
            id_, name = one["id"], str(one["file_name"])
            listed = name, *_size(one)
            known = images.get(id_)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RibsightError(
                f"{path}: the image at position {position} has no usable 'id', 'file_name', "
                "'width' or 'height'"
            ) from error
        if known is not None:
            raise RibsightError(
                f"{path} gives the images {known[0]} and {name} the same id {id_}: correct one "
                "of them"
            )
        if name in names:
            raise RibsightError(f"{path} lists the image {name} twice: remove one of them")
        images[id_] = listed
        names.add(name)
    return images


def _size(image: Mapping[str, Any]) -> tuple[int, int] | tuple[None, None]:
    """Return what an image states, which may be nothing. Raises ValueError, TypeError if amiss."""
    width, height = image.get("width"), image.get("height")
    if width is None or height is None:
        return None, None
    return int(width), int(height)


def _label(annotation: object, position: int) -> str:
    if isinstance(annotation, dict) and "id" in annotation:
        return f"annotation {annotation['id']}"
    return f"annotation at position {position}"


def _image_and_finding(
    annotation: object,
    images: Mapping[object, _Listed],
    names: Mapping[object, str],
    categories: Mapping[str, str],
) -> tuple[str, str]:
    if not isinstance(annotation, dict):
        raise _RejectedError("is not a JSON object")
    image, category = (plain_id(annotation.get(key)) for key in ("image_id", "category_id"))
    for kind, id_, listed in (("image", image, images), ("category", category, names)):
        if not isinstance(id_, int | str) or id_ not in listed:
            raise _RejectedError(f"refers to {kind} {id_}, which the file does not list")
    if names[category] not in categories:
        raise _RejectedError(f"its category '{names[category]}' stands for no finding")
    return images[image][0], categories[names[category]]


def _outline(annotation: Mapping[str, Any]) -> tuple[tuple[Polygon, ...], bool]:
    segmentation = annotation.get("segmentation")
    if annotation.get("iscrowd"):
        raise _RejectedError("is a crowd; only single regions are read")
    if isinstance(segmentation, dict):
        raise _RejectedError(
            "is a run-length mask; `ribsight regions convert ... --to coco` makes polygons of it"
        )
    if segmentation:
        if not isinstance(segmentation, list):
            raise _RejectedError("its segmentation is not a list of polygons")
        return tuple(_polygon(one) for one in segmentation), False
    if not annotation.get("bbox"):
        raise _RejectedError("has neither a polygon nor a box")
    x, y, width, height = _numbers(annotation["bbox"], "box", length=4)
    if width * height < MIN_AREA or width < 0:
        raise _RejectedError(f"its box is {width:g} x {height:g} pixels")
    return (box_polygon(x, y, x + width, y + height),), True


def _polygon(values: object) -> Polygon:
    polygon = np.array(_numbers(values, "polygon"), dtype=np.float64).reshape(-1, 2)
    if len(np.unique(polygon, axis=0)) < 3:
        raise _RejectedError("its polygon has fewer than three distinct points")
    if _area(polygon) < MIN_AREA:
        raise _RejectedError("its polygon has no area")
    return polygon


def _numbers(values: object, what: str, length: int | None = None) -> Sequence[float]:
    if not isinstance(values, list) or not all(
        isinstance(one, int | float) and math.isfinite(one) for one in values
    ):
        raise _RejectedError(f"its {what} is not a list of finite numbers")
    if len(values) % 2 or (length is not None and len(values) != length):
        raise _RejectedError(f"its {what} has {len(values)} numbers")
    return values


def _area(polygon: Polygon) -> float:
    # Shoelace formula around the first vertex, where far-off coordinates lose no digits.
    x, y = (polygon - polygon[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
