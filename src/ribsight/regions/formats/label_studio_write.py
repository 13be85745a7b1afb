"""Annotations -> tasks for Label Studio's import."""

import json
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.regions.annotations import Annotations
from ribsight.regions.geometry import joined
from ribsight.regions.image_sizes import KnownImages, last_part
from ribsight.regions.region import Region


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write one task an image, one annotation a reader; attributes become choices of a region.

    Raises:
        RibsightError: a region on an image of unknown size.
    """
    tasks = []
    for number, (name, regions) in enumerate(annotations.by_image().items(), 1):
        image = annotations.images[name]
        if regions and (image.width is None or image.height is None):
            raise RibsightError(
                f"the size of {name} is not known, and Label Studio's numbers are percent of it; "
                "give --images, the folder of the images or a CSV with image, width, height"
            )
        size = (image.width or 0, image.height or 0)
        said = [*(one.reader for one in regions), *(one.reader for one in image.labels)]
        readers = list(dict.fromkeys([*image.readers, *said]))
        drawn = []
        for reader in readers or [""]:
            results = [
                result
                for place, one in enumerate(regions, 1)
                if one.reader == reader
                for result in _results(one, f"r{number}-{place}", size)
            ]
            results += [
                _choice(f"l{number}-{place}", "image_label", label.name, {})
                for place, label in enumerate(image.labels, 1)
                if label.reader == reader
            ]
            drawn.append({"result": results, **_completed_by(reader)})
        tasks.append({"id": number, "data": {"image": last_part(name)}, "annotations": drawn})
    write_text(path, json.dumps(tasks) + "\n")
    return []


def _completed_by(reader: str) -> dict[str, Any]:
    if not reader:
        return {}
    is_id = reader.isdecimal() and str(int(reader)) == reader
    return {"completed_by": int(reader) if is_id else {"email": reader}}


def _results(region: Region, id_: str, size: tuple[int, int]) -> list[dict[str, Any]]:
    width, height = size[0] / 100, size[1] / 100
    value: dict[str, Any]
    if region.is_box:
        x0, y0, x1, y1 = region.box
        kind = "rectanglelabels"
        value = {"x": x0 / width, "y": y0 / height, "width": (x1 - x0) / width,
                 "height": (y1 - y0) / height, "rotation": 0}  # fmt: skip
    else:
        kind = "polygonlabels"
        value = {"points": (joined(region.polygons) / (width, height)).tolist(), "closed": True}
    result: dict[str, Any] = {
        "id": id_,
        "from_name": "label" if region.is_box else "polygon",
        "to_name": "image",
        "type": kind,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": {**value, kind: [region.finding]},
    }
    if region.score is not None:
        result["score"] = region.score
    choices = [_choice(id_, name, str(chosen), value) for name, chosen in region.attributes.items()]
    return [result, *choices]


def _choice(id_: str, name: str, chosen: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "from_name": name,
        "to_name": "image",
        "type": "choices",
        "value": {**value, "choices": [chosen]},
    }
