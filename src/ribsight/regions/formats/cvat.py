"""CVAT's XML 1.1, for images and for video: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/.

Coordinates are continuous pixels. A box or ellipse is turned clockwise around its centre. A mask's
runs go row by row from (left, top), beginning outside. A reader has no place of its own: it is the
attribute `reader`, as a score is `score`.
"""

import io
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ribsight.errors import RibsightError
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.cvat_write import write
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.geometry import checked_box, checked_polygon, ellipse, number, rotated
from ribsight.regions.masks import mask_polygons, runs_mask
from ribsight.regions.region import Attribute, Polygon, box_polygon
from ribsight.regions.source import Source

_SHAPES = frozenset({"box", "polygon", "mask", "ellipse"})
_LINES = frozenset({"polyline", "points", "cuboid", "skeleton"})


def recognises(source: Source) -> bool:
    """Whether it is XML with the root `annotations`."""
    return source.looks_like_xml and b"<annotations" in source.content[:4096]


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read boxes, polygons, masks and ellipses of images, and the visible ones of tracks.

    Raises:
        RibsightError: no such XML; or one that declares entities or refers to other documents.
    """
    collector = Collector(source.name)
    size: tuple[int, int] | None = None
    depth = 0
    try:
        for event, element in iterparse(
            io.BytesIO(source.content), events=("start", "end"), forbid_dtd=True
        ):
            if event == "start":
                depth += 1
                if depth == 1 and element.tag != "annotations":
                    raise RibsightError(f"{source.path} is not CVAT XML: no <annotations>")
                continue
            depth -= 1
            if element.tag == "label" and depth > 1 and element.findtext("name"):
                collector.category(str(element.findtext("name")))
            elif element.tag == "original_size":
                size = _size(element.findtext("width"), element.findtext("height"), source.name)
            elif depth == 1 and element.tag == "image":
                _read_image(collector, source, element)
                element.clear()
            elif depth == 1 and element.tag == "track":
                _read_track(collector, source, element, size)
                element.clear()
    except ET.ParseError as error:
        raise RibsightError(f"{source.path} is not valid XML: {error}") from error
    except DefusedXmlException as error:
        raise RibsightError(
            f"{source.path} declares a document type or entities, which may be an attack: "
            "remove the <!DOCTYPE ...>"
        ) from error
    return collector.done()


def _read_image(collector: Collector, source: Source, element: ET.Element) -> None:
    name = element.get("name")
    where = f"{source.name}, image {element.get('id', '?')}"
    if not name:
        raise RibsightError(f"{where}: no name")
    if name in collector.images:
        raise RibsightError(f"{where}: the image {name} is listed twice")
    size = _size(element.get("width"), element.get("height"), where)
    collector.image(name, size, where=where)
    for place, shape in enumerate(element, 1):
        called = f"{where} ({name}), {shape.tag} {place}"
        if shape.tag == "tag":
            label = shape.get("label", "")
            collector.image(name, label=label, reader=str(_attributes(shape).get("reader", "")))
        else:
            _read_shape(collector, called, name, shape, shape.get("label", ""), {})


def _read_track(
    collector: Collector, source: Source, element: ET.Element, size: tuple[int, int] | None
) -> None:
    track = element.get("id", "?")
    for shape in element:
        frame = shape.get("frame", "")
        where = f"{source.name}, track {track}, frame {frame}"
        if not frame.isdecimal():
            raise RibsightError(f"{where}: no number of a frame")
        name = f"frame_{int(frame):06d}"
        collector.image(name, size, where=where)
        if shape.get("outside") != "1":
            label = element.get("label", "")
            _read_shape(collector, where, name, shape, label, {"track": track})


def _read_shape(
    collector: Collector,
    where: str,
    name: str,
    shape: ET.Element,
    label: str,
    attributes: Mapping[str, Attribute],
) -> None:
    with collector.entry(where):
        if shape.tag in _LINES:
            raise UnusableError(Fault.NO_REGION, f"a {shape.tag} encloses no area")
        if shape.tag not in _SHAPES:
            raise UnusableError(Fault.NO_REGION, f"a {shape.tag} is not known")
        if not label:
            raise UnusableError(Fault.REFERENCE, "no label")
        given = {**attributes, **_attributes(shape)}
        more: dict[str, Any] = {"reader": str(given.pop("reader", ""))}
        if "score" in given:
            more["score"] = number(given.pop("score"), "its score")
        more["attributes"] = given
        values = shape.attrib
        if shape.tag == "box":
            corners = [number(values.get(key), key) for key in ("xtl", "ytl", "xbr", "ybr")]
            box = checked_box(corners[0], corners[1], corners[2], corners[3])
            degrees = number(values.get("rotation", "0"), "rotation")
            if not degrees % 360:
                collector.box(name, label, box, where, **more)
                return
            centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            polygons: tuple[Polygon, ...] = (rotated(box_polygon(*box), degrees, centre),)
        elif shape.tag == "mask":
            polygons = _mask(values)
        elif shape.tag == "ellipse":
            cx, cy, rx, ry, degrees = (
                number(values.get(key, "0"), key) for key in ("cx", "cy", "rx", "ry", "rotation")
            )
            polygons = (ellipse((cx, cy), (rx, ry), degrees),)
        else:
            pairs = [one.split(",") for one in values.get("points", "").split(";")]
            if not all(len(one) == 2 for one in pairs):
                raise UnusableError(Fault.REFERENCE, "its points are not x,y;x,y;...")
            polygons = (checked_polygon([number(v, "a point") for one in pairs for v in one]),)
        collector.outline(name, label, polygons, where, **more)


def _mask(values: Mapping[str, str]) -> tuple[Polygon, ...]:
    try:
        left, top, width, height = (int(values[key]) for key in ("left", "top", "width", "height"))
        runs = [int(one) for one in values["rle"].split(",")]
    except (KeyError, ValueError):
        raise UnusableError(Fault.REFERENCE, "its mask has no rle, left, top, width or height"
                            ) from None  # fmt: skip
    return mask_polygons(runs_mask(runs, height, width, by_column=False), (left, top))


def _attributes(shape: ET.Element) -> dict[str, Attribute]:
    given: dict[str, Attribute] = {
        str(one.get("name")): one.text or "" for one in shape.findall("attribute")
    }
    if shape.get("occluded") == "1":
        given["occluded"] = 1
    return given


def _size(width: str | None, height: str | None, where: str) -> tuple[int, int] | None:
    if width is None or height is None:
        return None
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise RibsightError(f"{where}: width {width!r} and height {height!r} are no size")
    return int(width), int(height)


CVAT = Format(
    name="cvat",
    title="CVAT XML 1.1",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset(Holds) - {Holds.READERS_OF_IMAGES, Holds.EXTRA},
)
