"""Drawn regions that go with the images: COCO instance annotations under the new names."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ribsight.deidentification.folder import Folder
from ribsight.deidentification.subject import Policy
from ribsight.deidentification.tables import Links, new_image
from ribsight.errors import RibsightError
from ribsight.files import write_text

_IMAGE = ("id", "width", "height")
_ANNOTATION = ("id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd")


def deidentify_annotations(
    path: Path, folder: Folder, policy: Policy, links: Links
) -> tuple[int, int]:
    """Write `tables/NAME` of a COCO file: sizes, shapes and categories, nothing else.

    Returns:
        How many images it is about, and how many it named that the folder does not hold.

    Raises:
        RibsightError: no COCO file, or one whose numbers are no numbers.
    """
    try:
        document = json.loads(path.read_bytes())
        images, annotations, categories = (
            list(document[name]) for name in ("images", "annotations", "categories")
        )
        named = {int(one["id"]): new_image(path, f"image {int(one['id'])}", str(one["file_name"]),
                                           policy, links) for one in images}  # fmt: skip
        kept = [
            {**_only_numbers(one, _IMAGE), "file_name": f"{named[one['id']]}.dcm"}
            for one in images
            if named[one["id"]]
        ]
        shapes = [
            _only_numbers(one, _ANNOTATION) for one in annotations if named.get(one["image_id"])
        ]
        kinds = [{"id": int(one["id"]), "name": str(one["name"])} for one in categories]
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise RibsightError(f"{path} is no COCO file of boxes and polygons") from None
    result = {"images": kept, "annotations": shapes, "categories": kinds}
    write_text(folder.out / "tables" / f"{path.stem}.json", json.dumps(result) + "\n")
    return len(kept), len(images) - len(kept)


def _only_numbers(item: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _numbers(item[name]) for name in names if name in item}


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    if isinstance(value, (int, float)):
        return value
    raise ValueError("neither a number nor a list of them")
