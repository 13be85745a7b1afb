"""What is watched of each image: a table of a few columns, the same on validation and at work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.predictions import ImagePrediction, InputStatistics, Levels

Words = tuple[str, ...]
SILENT = "not said"
"""The category of an image whose file says nothing."""


@dataclass(frozen=True, eq=False)
class Watched:
    """N images.

    Attributes:
        numbers: (N,) by column, NaN where not known: `score/FINDING`, `marks/FINDING` (those shown
            from doubtful on), `doubtful/FINDING` and `confident/FINDING` (1 from there on, else
            0), `long_side` and `short_side` in stored pixels, `spacing_mm`, and the quantiles
            `dark`, `middle` and `bright` of what the network sees.
        words: N categories by column: `kind`, `view`, `bits`, `inverted`.
    """

    numbers: Mapping[str, Floats]
    words: Mapping[str, Words]

    def __len__(self) -> int:
        return len(self.words["kind"])


def watch(
    images: Sequence[ImagePrediction], findings: Sequence[str], levels: Mapping[str, Levels]
) -> Watched:
    """Return the table of images; levels are applied to raw scores, whatever was said at the time.

    What an image's file does not say, and what older versions did not record, is not known.
    """
    numbers: dict[str, Floats] = {}
    for name in findings:
        said = [image.findings.get(name) for image in images]
        scores = _floats([None if one is None else one.score for one in said])
        numbers[f"score/{name}"] = scores
        if name not in levels:
            continue
        own = levels[name]
        lost = np.isnan(scores)
        for level, threshold in (("doubtful", own.doubtful), ("confident", own.confident)):
            numbers[f"{level}/{name}"] = np.where(lost, np.nan, scores >= threshold)
        numbers[f"marks/{name}"] = _floats(
            [
                None if one is None else sum(mark.score >= own.doubtful for mark in one.marks)
                for one in said
            ]
        )
    inputs = [image.input for image in images]
    numbers["long_side"] = _floats([max(image.width, image.height) for image in images])
    numbers["short_side"] = _floats([min(image.width, image.height) for image in images])
    numbers["spacing_mm"] = _floats([None if one is None else one.spacing_mm for one in inputs])
    for column, place in (("dark", 0), ("middle", 2), ("bright", 4)):
        numbers[column] = _floats(
            [None if one is None else one.intensities[place] for one in inputs]
        )
    words = {
        "kind": tuple(SILENT if one is None else one.kind for one in inputs),
        "view": tuple(SILENT if one is None else one.view or SILENT for one in inputs),
        "bits": tuple(SILENT if one is None else str(one.bits) for one in inputs),
        "inverted": tuple(map(_inverted, inputs)),
    }
    return Watched(numbers, words)


def _inverted(one: InputStatistics | None) -> str:
    if one is None or one.inverted is None:
        return SILENT
    return "yes" if one.inverted else "no"


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)
