"""Pictures of radiographs with their marks drawn."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.evaluation.drawing import draw_example
from ribsight.evaluation.predictions import ImagePrediction, Levels, Mark
from ribsight.files import atomic_path
from ribsight.radiographs.preprocess import eight_bit
from ribsight.radiographs.radiograph import Radiograph

LONGEST_SIDE = 1600
"""Pixels of an overlay; larger radiographs are reduced."""
_MOST_CHARACTERS = 64
"""Of an id in a file's name, as long as UIDs are; a file system takes 255 bytes."""


def write_overlay(
    image: ImagePrediction,
    radiograph: Radiograph,
    folder: Path,
    levels: Mapping[str, Levels],
    least_score: float,
) -> None:
    """Write the image's picture: doubtful marks dotted, confident ones solid.

    It is `<id>.png`, or where an id cannot name a file what can of it, and a hash of the id.

    Args:
        image: what is said of it.
        radiograph: its pixels.
        folder: is made if it is not there.
        levels: of findings that have thresholds.
        least_score: from which marks of other findings are drawn, solid.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise RibsightError(f"cannot write overlays: {folder} is not a folder")
    marks = [
        mark
        for name, one in image.findings.items()
        for mark in one.marks
        if _is_shown(mark, levels.get(name), least_score)
    ]
    picture = draw_example(
        eight_bit(radiograph), (image.width, image.height), [], marks, longest_side=LONGEST_SIDE
    )
    with atomic_path(folder / f"{_name(image.id)}.png") as temporary:
        picture.save(temporary, format="PNG")


def _name(id_: str) -> str:
    """Return a name for a file that no other id gets."""
    # An id may be a path where file names repeat.
    name = re.sub(r"[^\w.-]+", "_", id_)[-_MOST_CHARACTERS:].strip("._")
    if name == id_:
        return name
    return f"{name}-{hashlib.sha256(id_.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _is_shown(mark: Mark, levels: Levels | None, least_score: float) -> bool:
    return mark.score >= least_score if levels is None else mark.certainty is not None
