"""Label Studio's export (JSON and JSON_MIN): https://labelstud.io/guide/export.

Positions and sizes are percent of the image's width and height; a rectangle is turned clockwise
around its own top-left corner, in pixels. Every annotation of a task is one reader's; predictions
are a detector's and are only read when asked for. A choice with a region's id is an attribute of
the region, any other choice a label of the image.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ribsight.errors import RibsightError
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.formats.label_studio_write import write
from ribsight.regions.geometry import (
    as_axis_box,
    checked_polygon,
    ellipse,
    number,
    numbers,
    rotated,
    sized_box,
)
from ribsight.regions.masks import brush_mask, coco_runs, mask_polygons, runs_mask
from ribsight.regions.region import Attribute, Polygon, box_polygon
from ribsight.regions.source import Source

_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")
_SHAPES = ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "labels")
_NO_REGION = ("keypointlabels", "vectorlabels", "hypertextlabels", "timeserieslabels")
_IMAGE_KEYS = ("image", "img", "picture", "url", "file")


def recognises(source: Source) -> bool:
    """Whether it is a list of tasks, or one task, as exported."""
    if not source.looks_like_json:
        return False
    tasks = _tasks(source.json)
    if not tasks or not isinstance(tasks[0], dict):
        return False
    first = tasks[0]
    if isinstance(first.get("data"), dict):
        return bool({"annotations", "completions", "predictions"} & first.keys())
    return "annotation_id" in first or "annotator" in first


def _tasks(document: Any) -> list[Any]:
    if isinstance(document, dict) and "data" in document:
        return [document]
    return document if isinstance(document, list) else []


def read(source: Source, options: ReadOptions) -> Annotations:
    """Read the tasks' annotations, or with `options.predictions` the predictions instead."""
    if not isinstance(source.json, list) and not _tasks(source.json):
        raise RibsightError(f"{source.path} is not Label Studio JSON: not a list of tasks")
    collector = Collector(source.name)
    for position, task in enumerate(_tasks(source.json), 1):
        where = f"{source.name}, task {position}"
        if not isinstance(task, dict):
            raise RibsightError(f"{where}: not an object")
        where = f"{source.name}, task {task.get('id', position)}"
        data = task["data"] if isinstance(task.get("data"), dict) else task
        name = _image_name(data, where)
        kind = "predictions" if options.predictions else "annotations"
        if "data" not in task:
            _read_min(collector, where, name, task)
            continue
        drawn = task.get(kind, task.get("completions", []) if kind == "annotations" else [])
        if not isinstance(drawn, list):
            raise RibsightError(f"{where}: {kind} is not a list")
        if not options.predictions and isinstance(task.get("predictions"), list):
            collector.note("predictions passed over; --predictions reads them instead",
                           len(task["predictions"]))  # fmt: skip
        if not drawn:
            collector.note(f"tasks without {kind} passed over: nobody looked at them")
        for one in drawn:
            if not isinstance(one, dict) or one.get("was_cancelled"):
                collector.note("cancelled annotations passed over")
                continue
            results = one.get("result") or []
            reader = _reader(one, options)
            collector.image(name, reader=reader, where=where)
            if not isinstance(results, list):
                raise RibsightError(f"{where}: result is not a list")
            _read_results(collector, where, name, reader, results, one.get("score"))
    return collector.done()


def _reader(annotation: Mapping[str, Any], options: ReadOptions) -> str:
    if options.predictions:
        return str(annotation.get("model_version") or "prediction")
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("username") or by.get("id")
    return "" if by is None else str(by)


def _image_name(data: Mapping[str, Any], where: str) -> str:
    keys = [key for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    keys += [
        key
        for key, value in data.items()
        if isinstance(value, str) and ("/" in value or PurePosixPath(value).suffix)
    ]
    if not keys:
        raise RibsightError(f"{where}: its data names no image")
    return image_name(data[keys[0]])


def image_name(address: str) -> str:
    """Return the file name that was uploaded or is stored under an address.

    >>> image_name("/data/upload/1/abcd1234-name.png")
    'name.png'
    >>> image_name("/data/local-files/?d=films/2021/name.png")
    'name.png'
    """
    path = address
    if "/" in address:
        try:
            parts = urlsplit(address)
            path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
        except ValueError:
            path = address
    name = PurePosixPath(path).name
    if "/upload/" in path:
        name = _UPLOAD_PREFIX.sub("", name, count=1)
    return name or address


def _read_min(collector: Collector, where: str, name: str, task: Mapping[str, Any]) -> None:
    reader = "" if task.get("annotator") is None else str(task["annotator"])
    collector.image(name, reader=reader)
    place = 0
    for key, results in task.items():
        if isinstance(results, list):
            for value in results:
                if isinstance(value, dict) and "original_width" in value:
                    place += 1
                    result = {**value, "value": value, "from_name": key}
                    _read_region(collector, f"{where}, region {place}", name, reader, result, {})


def _read_results(
    collector: Collector, where: str, name: str, reader: str, results: list[Any], score: Any
) -> None:
    attributes: dict[str, dict[str, Attribute]] = {}
    drawn = []
    for result in results:
        if not isinstance(result, dict):
            raise RibsightError(f"{where}: a result is not an object")
        value = result.get("value")
        value = value if isinstance(value, dict) else {}
        chosen = value.get("choices")
        if isinstance(chosen, list):
            if {"x", "y", "points", "width"} & value.keys():
                own = attributes.setdefault(str(result.get("id")), {})
                own[str(result.get("from_name"))] = "; ".join(map(str, chosen))
            else:
                for one in chosen:
                    collector.image(name, reader=reader, label=str(one))
        else:
            drawn.append(result)
    for place, result in enumerate(drawn, 1):
        own = attributes.get(str(result.get("id")), {})
        called = f"{where}, region {result.get('id', place)}"
        _read_region(collector, called, name, reader, {"score": score, **result}, own)


def _read_region(
    collector: Collector,
    where: str,
    name: str,
    reader: str,
    result: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
) -> None:
    value = result.get("value")
    with collector.entry(where):
        if not isinstance(value, dict):
            raise UnusableError(Fault.REFERENCE, "no value")
        kind = next((key for key in _SHAPES if isinstance(value.get(key), list)), None)
        if kind is None:
            what = next((key for key in _NO_REGION if key in value), str(result.get("type")))
            raise UnusableError(Fault.NO_REGION, f"{what} enclose no area or name no finding")
        if number(result.get("image_rotation") or 0, "image_rotation") % 360:
            raise UnusableError(
                Fault.REFERENCE, "drawn on the image turned in the editor: export it upright"
            )
        size = tuple(number(result.get(key), key) for key in ("original_width", "original_height"))
        if not all(0 < one < 2**31 for one in size):
            raise UnusableError(Fault.REFERENCE, f"its image has the size {size[0]} x {size[1]}")
        collector.image(name, (int(size[0]), int(size[1])), where=where)
        polygons = _polygons(value, (size[0], size[1]))
        more: dict[str, Any] = {"reader": reader, "attributes": dict(attributes)}
        if result.get("score") is not None:
            more["score"] = number(result["score"], "its score")
        if not value[kind]:
            raise UnusableError(Fault.REFERENCE, "drawn without a label")
        for category in value[kind]:
            box = as_axis_box(polygons[0]) if len(polygons) == 1 else None
            if box is not None and "points" not in value:
                collector.box(name, str(category), box, where, **more)
            else:
                collector.outline(name, str(category), polygons, where, **more)


def _polygons(value: Mapping[str, Any], size: tuple[float, float]) -> tuple[Polygon, ...]:
    width, height = size[0] / 100, size[1] / 100
    if value.get("rle") is not None:
        return _brush(value["rle"], int(size[0]), int(size[1]))
    if "points" in value:
        if not isinstance(value["points"], list):
            raise UnusableError(Fault.REFERENCE, "its points are not a list")
        points = [one for point in value["points"] for one in numbers(point, "a point", 2)]
        return (checked_polygon(points) * (width, height),)
    x, y = (number(value.get(key), key) for key in ("x", "y"))
    degrees = number(value.get("rotation") or 0, "rotation")
    if "radiusX" in value:
        radii = [number(value.get(key), key) for key in ("radiusX", "radiusY")]
        scaled = (radii[0] * width, radii[1] * height)
        return (ellipse((x * width, y * height), scaled, degrees),)
    box = sized_box(
        x * width,
        y * height,
        number(value.get("width"), "width") * width,
        number(value.get("height"), "height") * height,
    )
    corners = box_polygon(*box)
    return (rotated(corners, degrees, (box[0], box[1])) if degrees % 360 else corners,)


def _brush(code: Any, width: int, height: int) -> tuple[Polygon, ...]:
    if isinstance(code, str):
        return mask_polygons(runs_mask(coco_runs(code), height, width, by_column=True))
    if not isinstance(code, list):
        raise UnusableError(Fault.REFERENCE, "its brush is not a list of numbers")
    return mask_polygons(brush_mask(code, height, width))


LABEL_STUDIO = Format(
    name="label-studio",
    title="Label Studio JSON",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset(Holds) - {Holds.EXTRA},
)
