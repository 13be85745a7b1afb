"""ChestX-Det JSON: a list of images with parallel lists `syms`, `boxes`, `polygons`.

A box is x0, y0, x1, y1; a polygon is a list of points, one polygon a region. Both are taken as
continuous. Source: https://github.com/Deepwise-AILab/ChestX-Det-Dataset.
"""

import json
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.geometry import (
    as_axis_box,
    checked_box,
    checked_polygon,
    joined,
    numbers,
)
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.region import Box, Polygon
from ribsight.regions.source import Source

_LISTS = ("syms", "boxes", "polygons")


def recognises(source: Source) -> bool:
    """Whether it is a list of objects with file_name, syms and boxes."""
    if not source.looks_like_json or not isinstance(source.json, list) or not source.json:
        return False
    first = source.json[0]
    return isinstance(first, dict) and {"file_name", "syms", "boxes"} <= first.keys()


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read boxes and polygons; a polygon that is the box itself is a drawn box."""
    if not isinstance(source.json, list):
        raise RibsightError(f"{source.path} is not ChestX-Det JSON: not a list")
    collector = Collector(source.name)
    for position, image in enumerate(source.json, 1):
        where = f"{source.name}, image {position}"
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            raise RibsightError(f"{where}: no file_name")
        name = image["file_name"]
        where = f"{where} ({name})"
        if name in collector.images:
            raise RibsightError(f"{where}: listed twice")
        syms, boxes, polygons = (image.get(key, []) for key in _LISTS)
        if not all(isinstance(one, list) for one in (syms, boxes, polygons)):
            raise RibsightError(f"{where}: syms, boxes and polygons are not lists")
        polygons = polygons or [[]] * len(boxes)
        if not len(syms) == len(boxes) == len(polygons):
            raise RibsightError(
                f"{where}: {len(syms)} syms, {len(boxes)} boxes and {len(polygons)} polygons"
            )
        collector.image(name)
        for number, entry in enumerate(zip(syms, boxes, polygons, strict=True), 1):
            with collector.entry(f"{where}, box {number}"):
                _add(collector, name, f"{where}, box {number}", *entry)
    return collector.done()


def _add(
    collector: Collector, name: str, where: str, category: Any, corners: Any, points: Any
) -> None:
    if not isinstance(category, str) or not category:
        raise UnusableError(Fault.REFERENCE, f"its name in syms is {category!r}")
    x0, y0, x1, y1 = numbers(corners, "its box", length=4)
    box: Box = checked_box(x0, y0, x1, y1)
    polygon = _polygon(points)
    if polygon is None or as_axis_box(polygon) == box:
        collector.box(name, category, box, where)
        return
    x, y = polygon.T
    around = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    stated = box if box != around else None
    collector.outline(name, category, (polygon,), where, stated_box=stated)


def _polygon(points: Any) -> Polygon | None:
    if not points:
        return None
    if not isinstance(points, list):
        raise UnusableError(Fault.REFERENCE, "its polygon is not a list of points")
    values = [value for point in points for value in numbers(point, "a point", length=2)]
    return checked_polygon(values)


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write one object an image, also for those without a region."""
    document = []
    for name, regions in annotations.by_image().items():
        document.append(
            {
                "file_name": name,
                "syms": [one.finding for one in regions],
                "boxes": [list(one.box_to_write) for one in regions],
                "polygons": [joined(one.polygons).tolist() for one in regions],
            }
        )
    write_text(path, json.dumps(document) + "\n")
    return []


CHESTX_DET = Format(
    name="chestx-det",
    title="ChestX-Det JSON",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset({Holds.CATEGORIES, Holds.OUTLINES, Holds.NEGATIVES}),
)
