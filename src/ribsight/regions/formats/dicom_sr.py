"""DICOM structured reports, TID 1500: closed outlines on images, with their finding and observer.

Spatial coordinates are column, row, from 0, 0 at the top-left corner of the top-left pixel to
their counts (PS3.3 C.18.6.1.2), kept as 32-bit numbers. An image is named by its SOP instance, or
by its file where the images are given. Any report with SCOORD items is read, not only TID 1500.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ribsight.errors import RibsightError
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.dicom_codes import (
    FINDING_OF,
    NAME_OF_DEVICE,
    SCORE,
    SCORES,
    SIDE_OF,
)
from ribsight.regions.formats.dicom_sr_write import write
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.geometry import (
    as_axis_box,
    checked_box,
    checked_polygon,
    ellipse,
    numbers,
)
from ribsight.regions.region import Attribute, Polygon
from ribsight.regions.source import Source

_FINDING = {"121071", "F-01796"}
_SITE = {"363698007", "G-C0E3", "121074"}
_LATERALITY = {"272741003", "G-C171"}
_TRACKING = {"112039": "tracking_id", "112040": "tracking_uid"}
_PERSON, _DEVICE, _DEVICE_UID = "121008", "121013", "121012"
_IMAGE_LIBRARY = "111028"
_GROUP = "125007"
_CERTAINTY_OF = {code.value: certainty for certainty, code in SCORES.items()}
_DICOM_MAGIC = slice(128, 132)


class _Node(NamedTuple):
    item: Any
    above: tuple[Any, ...]


def recognises(source: Source) -> bool:
    """Whether it is a DICOM file, or a folder with one and no other label file."""
    if not source.is_folder:
        return source.content[_DICOM_MAGIC] == b"DICM"
    return any(_is_dicom(one) for one in source.path.iterdir() if one.is_file())


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[_DICOM_MAGIC] == b"DICM"


def read(source: Source, options: ReadOptions) -> Annotations:
    """Read one report, or all reports of a folder; other DICOM files there are passed over.

    Raises:
        RibsightError: no report, or one that cannot be read.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    files = sorted(source.path.rglob("*")) if source.is_folder else [source.path]
    collector = Collector(source.name)
    reports = 0
    for file in files:
        if not file.is_file() or not _is_dicom(file):
            continue
        called = file.relative_to(source.path).as_posix() if source.is_folder else file.name
        try:
            report = pydicom.dcmread(file)
            if "ContentSequence" not in report:
                continue
            reports += 1
            _read_report(collector, called, report, options)
        except (InvalidDicomError, ValueError, TypeError, AttributeError, KeyError, IndexError,
                NotImplementedError, EOFError, RecursionError, OSError) as error:  # fmt: skip
            raise RibsightError(f"{called} is no readable DICOM report: {error}") from error
    if not reports:
        raise RibsightError(f"{source.path} holds no DICOM structured report")
    return collector.done()


def _read_report(collector: Collector, called: str, report: Any, options: ReadOptions) -> None:
    for node in _walk(report, ()):
        kind = str(node.item.get("ValueType", ""))
        if kind == "IMAGE" and _is_looked_at(node):
            name = _image(node.item, options)
            _add_image(collector, name, _observer(node), options)
        elif kind in ("SCOORD", "SCOORD3D"):
            where = f"{called}, {_place(node)}"
            with collector.entry(where):
                _read_region(collector, where, node, options)


def _walk(item: Any, above: tuple[Any, ...]) -> Iterator[_Node]:
    for child in item.get("ContentSequence", ()):
        yield _Node(child, (*above, item))
        yield from _walk(child, (*above, item))


def _place(node: _Node) -> str:
    """Return the item's position in the tree, like 1.3.2, as report viewers number it."""
    steps = [*node.above, node.item]
    numbers_ = [
        next(n for n, one in enumerate(up.ContentSequence, 1) if one is down)
        for up, down in pairwise(steps)
    ]
    return "item 1." + ".".join(map(str, numbers_))


def _concept(item: Any) -> str:
    return _code(item, "ConceptNameCodeSequence")[0]


def _code(item: Any, keyword: str) -> tuple[str, str]:
    """Return the value and meaning of a code sequence, empty if there is none."""
    for one in item.get(keyword, ()):
        value = one.get("CodeValue") or one.get("LongCodeValue") or ""
        return str(value), str(one.get("CodeMeaning", ""))
    return "", ""


def _is_looked_at(node: _Node) -> bool:
    """Whether the image is in the library, or is the source of a measurement group."""
    concepts = [_concept(one) for one in node.above]
    return _IMAGE_LIBRARY in concepts or concepts[-1] == _GROUP


def _observer(node: _Node) -> str:
    """Return who observed: of the nearest item above that says so, a person before a device."""
    for item in reversed(node.above):
        said: dict[str, str] = {}
        for child in item.get("ContentSequence", ()):
            value = child.get("PersonName") or child.get("TextValue") or child.get("UID")
            if _concept(child) in (_PERSON, _DEVICE, _DEVICE_UID) and value:
                said[_concept(child)] = str(value).rstrip("^")
        for concept in (_PERSON, _DEVICE, _DEVICE_UID):
            if concept in said:
                return "" if said[concept] == NAME_OF_DEVICE else said[concept]
    return ""


def _image(item: Any, options: ReadOptions) -> str:
    uid = str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    found = options.known.find(uid) if options.known else None
    return found.name if found else uid


def _add_image(collector: Collector, name: str, reader: str, options: ReadOptions) -> None:
    found = options.known.find(name) if options.known else None
    collector.image(name, (found.width, found.height) if found else None, reader=reader)


def _read_region(collector: Collector, where: str, node: _Node, options: ReadOptions) -> None:
    if node.item.ValueType == "SCOORD3D":
        raise UnusableError(Fault.NO_REGION, "an outline in the patient's space, not on an image")
    images = [one for one in node.item.get("ContentSequence", ()) if one.ValueType == "IMAGE"]
    if not images:
        raise UnusableError(Fault.REFERENCE, "an outline that refers to no image")
    name = _image(images[0], options)
    _add_image(collector, name, _observer(node), options)
    polygon = _polygon(str(node.item.GraphicType), list(node.item.GraphicData))
    category = _category(node)
    if not category:
        raise UnusableError(Fault.REFERENCE, "an outline without a finding")
    score, attributes = _said(node)
    frames = images[0].ReferencedSOPSequence[0].get("ReferencedFrameNumber")
    if frames is not None:
        attributes["frame"] = str(frames)
    more: dict[str, Any] = {"reader": _observer(node), "attributes": attributes, "score": score}
    if (box := as_axis_box(polygon)) is not None:
        collector.box(name, category, checked_box(*box), where, **more)
    else:
        collector.outline(name, category, (polygon,), where, **more)


def _polygon(kind: str, data: list[Any]) -> Polygon:
    values = numbers([float(one) for one in data], "its coordinates")
    if len(values) % 2:
        raise UnusableError(Fault.REFERENCE, f"its outline has {len(values)} numbers")
    points = np.array(values).reshape(-1, 2)
    if kind in ("POINT", "MULTIPOINT"):
        raise UnusableError(Fault.NO_REGION, f"a {kind} encloses no area")
    if kind == "CIRCLE" and len(points) == 2:
        radius = math.dist(points[0], points[1])
        return ellipse((points[0, 0], points[0, 1]), (radius, radius))
    if kind == "ELLIPSE" and len(points) == 4:
        centre = points.mean(axis=0)
        along, across = points[1] - points[0], points[3] - points[2]
        degrees = math.degrees(math.atan2(along[1], along[0]))
        radii = (float(np.hypot(*along)) / 2, float(np.hypot(*across)) / 2)
        return ellipse((float(centre[0]), float(centre[1])), radii, degrees)
    if kind not in ("POLYLINE", "POLYGON"):
        raise UnusableError(Fault.REFERENCE, f"{kind} of {len(points)} points is not known")
    if kind == "POLYLINE" and (points[0] != points[-1]).any():
        raise UnusableError(Fault.NO_REGION, "a line that is not closed encloses no area")
    return checked_polygon(values)


def _category(node: _Node) -> str:
    for item in reversed(node.above):
        children = item.get("ContentSequence", ())
        finding = next((one for one in children if _concept(one) in _FINDING), None)
        if finding is not None and "ConceptCodeSequence" in finding:
            code, meaning = _code(finding, "ConceptCodeSequence")
            sites = [
                _code(one, "ConceptCodeSequence")[0]
                for one in (*children, *finding.get("ContentSequence", ()))
                if _concept(one) in _SITE
            ]
            known = [FINDING_OF[(code, one)] for one in (*sites, "") if (code, one) in FINDING_OF]
            return known[0] if known else meaning
        if finding is not None and finding.get("TextValue"):
            return str(finding.TextValue)
    # Without the template's "Finding": what the outline was inferred for.
    parent = node.above[-1]
    if parent.get("ValueType") == "CODE":
        return _code(parent, "ConceptCodeSequence")[1]
    return _code(node.item, "ConceptNameCodeSequence")[1] if parent.get("ValueType") else ""


def _said(node: _Node) -> tuple[float | None, dict[str, Attribute]]:
    """Return the score and the attributes that stand beside the outline."""
    score: float | None = None
    attributes: dict[str, Attribute] = {}
    for item in node.above[-1].get("ContentSequence", ()):
        concept = _concept(item)
        if concept in _TRACKING:
            attributes[_TRACKING[concept]] = str(item.get("TextValue") or item.get("UID") or "")
        elif concept in _SITE:
            site, meaning = _code(item, "ConceptCodeSequence")
            attributes |= {"site": meaning} if site else {}
            for child in item.get("ContentSequence", ()):
                side = _code(child, "ConceptCodeSequence")[0]
                if _concept(child) in _LATERALITY and side in SIDE_OF:
                    attributes["side"] = SIDE_OF[side]
        elif concept in (SCORE.value, *_CERTAINTY_OF) and item.ValueType == "NUM":
            score = float(item.MeasuredValueSequence[0].NumericValue)
            if concept in _CERTAINTY_OF:
                attributes["certainty"] = _CERTAINTY_OF[concept]
    return score, attributes


DICOM_SR = Format(
    name="dicom-sr",
    title="DICOM SR TID 1500",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset(
        {
            Holds.CATEGORIES,
            Holds.OUTLINES,
            Holds.NEGATIVES,
            Holds.READERS,
            Holds.READERS_OF_IMAGES,
            Holds.SCORES,
        }
    ),
    attributes=frozenset({"side", "site", "tracking_id", "tracking_uid"}),
)
