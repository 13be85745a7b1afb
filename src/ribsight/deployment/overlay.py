"""Pictures of radiographs with their marks drawn."""

import re
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.evaluation.drawing import draw_example
from ribsight.evaluation.predictions import Predictions
from ribsight.files import atomic_path
from ribsight.radiographs.guarded import read_guarded
from ribsight.radiographs.preprocess import eight_bit

LONGEST_SIDE = 1600
"""Pixels of an overlay; larger radiographs are reduced."""


def write_overlays(predictions: Predictions, folder: Path, *, least_score: float) -> None:
    """Write `<id>.png` for every predicted image: its marks from `least_score` on.

    Raises:
        RibsightError: the folder cannot be written to.

    """
    if folder.exists() and not folder.is_dir():
        raise RibsightError(f"cannot write overlays: {folder} is not a folder")
    for image in predictions.images:
        marks = [
            mark
            for one in image.findings.values()
            for mark in one.marks
            if mark.score >= least_score
        ]
        pixels = eight_bit(read_guarded(Path(image.file)))
        picture = draw_example(
            pixels, (image.width, image.height), [], marks, longest_side=LONGEST_SIDE
        )
        # An id may be a path where file names repeat.
        name = re.sub(r"[^\w.-]+", "_", image.id).strip("_")
        with atomic_path(folder / f"{name}.png") as temporary:
            picture.save(temporary, format="PNG")
