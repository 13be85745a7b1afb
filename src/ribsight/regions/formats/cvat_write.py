"""Annotations -> CVAT XML 1.1 for images."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.files import write_bytes
from ribsight.regions.annotations import Annotations
from ribsight.regions.formats.format import csv_number
from ribsight.regions.geometry import joined
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.region import Region

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write the labels with their attributes, then the images.

    Raises:
        RibsightError: an image of unknown size, or a name with characters XML cannot hold.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    ET.SubElement(task, "name").text = annotations.source
    ET.SubElement(task, "size").text = str(len(annotations.images))
    ET.SubElement(task, "mode").text = "annotation"
    _write_labels(ET.SubElement(task, "labels"), annotations)
    for index, (name, regions) in enumerate(annotations.by_image().items()):
        image = annotations.images[name]
        if image.width is None:
            raise RibsightError(
                f"the size of {name} is not known, and CVAT needs it; give --images, the folder "
                "of the images or a CSV with image, width, height"
            )
        node = ET.SubElement(root, "image", id=str(index), name=name, width=str(image.width),
                             height=str(image.height))  # fmt: skip
        for label in image.labels:
            tag = ET.SubElement(node, "tag", label=label.name, source="manual")
            if label.reader:
                ET.SubElement(tag, "attribute", name="reader").text = label.reader
        for region in regions:
            _write_region(node, region)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    if found := _NO_XML.search(text):
        raise RibsightError(f"XML cannot hold the character {found[0]!r} of a name or attribute")
    write_bytes(path, b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode() + b"\n")
    return []


def _write_labels(node: ET.Element, annotations: Annotations) -> None:
    labels: dict[str, dict[str, None]] = {name: {} for name in annotations.categories}
    for region in annotations.regions:
        labels[region.finding].update(dict.fromkeys(_said(region)))
    for image in annotations.images.values():
        for label in image.labels:
            own = labels.setdefault(label.name, {})
            if label.reader:
                own["reader"] = None
    for name, attributes in labels.items():
        label_node = ET.SubElement(node, "label")
        ET.SubElement(label_node, "name").text = name
        listed = ET.SubElement(label_node, "attributes")
        for one in attributes:
            attribute = ET.SubElement(listed, "attribute")
            ET.SubElement(attribute, "name").text = one
            ET.SubElement(attribute, "mutable").text = "False"
            ET.SubElement(attribute, "input_type").text = "text"
            ET.SubElement(attribute, "default_value")
            ET.SubElement(attribute, "values")


def _write_region(node: ET.Element, region: Region) -> None:
    fields = {"label": region.finding, "source": "manual", "occluded": "0"}
    if region.is_box:
        corners = zip(("xtl", "ytl", "xbr", "ybr"), region.box, strict=True)
        fields |= {key: csv_number(value) for key, value in corners}
    else:
        points = joined(region.polygons).tolist()
        fields["points"] = ";".join(f"{csv_number(x)},{csv_number(y)}" for x, y in points)
    shape = ET.SubElement(node, "box" if region.is_box else "polygon", {**fields, "z_order": "0"})
    for name, value in _said(region).items():
        ET.SubElement(shape, "attribute", name=name).text = value


def _said(region: Region) -> Mapping[str, str]:
    said = {name: str(value) for name, value in region.attributes.items()}
    if region.reader:
        said["reader"] = region.reader
    if region.score is not None:
        said["score"] = repr(float(region.score))
    return said
