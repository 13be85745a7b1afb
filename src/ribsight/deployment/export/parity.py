"""Does an exported model say what the original says: maps, marks, and figures against the truth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.detect import Detector
from ribsight.detector.maps import NetworkImage, StoredImage, read_maps
from ribsight.detector.settings import STRIDE
from ribsight.errors import RibsightError
from ribsight.evaluation.evaluate import score_on_cohort
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Predictions
from ribsight.evaluation.results import Difference
from ribsight.evaluation.score import Scoring, compare_scored
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.preprocess import Preprocessing, preprocess
from ribsight.radiographs.radiograph import Radiograph
from ribsight.radiographs.read import image_files

LEAST_SCORE = 0.1
"""Marks from this score on are counted apart: those below are many, and seldom shown."""

_BATCH = 4


@dataclass(frozen=True, eq=False)
class Shown:
    """A network image that both models are shown, and where it comes from."""

    id: str
    file: str
    pixels: NetworkImage
    stored: StoredImage


@dataclass(frozen=True)
class MarkAgreement:
    """Marks of the original, of the exported model, and those that both have within one cell."""

    original: int
    exported: int
    both: int

    @property
    def share(self) -> float:
        """Return the share of all marks that both have; 1 where there is none."""
        total = self.original + self.exported
        return 2 * self.both / total if total else 1.0


@dataclass(frozen=True)
class Parity:
    """What the comparison found.

    Attributes:
        images: how many were shown.
        map_difference: largest absolute difference of a probability.
        worst_image: where that is.
        score_difference: largest absolute difference of an image's score.
        marks: all of them.
        shown_marks: those from `LEAST_SCORE` on.
        differences: exported - original against the truth, by finding; empty without a truth.
    """

    images: int
    map_difference: float
    worst_image: str
    score_difference: float
    marks: MarkAgreement
    shown_marks: MarkAgreement
    differences: tuple[Difference, ...] = ()


@dataclass
class _Answers:
    original: list[ImagePrediction] = field(default_factory=list)
    exported: list[ImagePrediction] = field(default_factory=list)
    difference: float = 0.0
    worst: str = ""


def compare_models(
    original: Detector,
    exported: Detector,
    shown: Iterable[Shown],
    count: int,
    truth: tuple[Cohort, str] | None,
    scoring: Scoring,
    *,
    progress: bool = True,
) -> Parity:
    """Show both models the same images.

    Args:
        original: as it was trained.
        exported: as it is loaded from its folder.
        shown: the images.
        count: how many.
        truth: the cohort that has them, and the split; None if nothing is known of them.
        scoring: of the figures.
        progress: show a progress bar.
    """
    answers = _Answers()
    bar = tqdm(total=count, desc="comparing", unit="image", disable=not progress)
    with bar:
        for part in _parts(shown):
            _ask(original, exported, part, answers)
            bar.update(len(part))
    pairs = [
        (one, other)
        for left, right in zip(answers.original, answers.exported, strict=True)
        for one, other in _findings(left, right)
    ]
    scores = [abs(one.score - other.score) for one, other in pairs]
    cells = [
        STRIDE * max(image.width, image.height) / original.description.images.size
        for image in answers.original
        for _ in image.findings
    ]
    differences: tuple[Difference, ...] = ()
    if truth is not None:
        both = (_predictions(original, answers.original), _predictions(exported, answers.exported))
        a, b = (score_on_cohort(one, *truth, scoring) for one in both)
        differences = compare_scored(a, b, permutations=0, seed=scoring.seed).differences
    return Parity(
        images=len(answers.original),
        map_difference=answers.difference,
        worst_image=answers.worst,
        score_difference=max(scores, default=0.0),
        marks=_agreement(pairs, cells, 0.0),
        shown_marks=_agreement(pairs, cells, LEAST_SCORE),
        differences=differences,
    )


def shown_cohort(cohort: Cohort, cache: PixelCache) -> Iterator[Shown]:
    """Yield the cached radiographs of a cohort."""
    for index, row in enumerate(cohort.radiographs.iter_rows(named=True)):
        stored = StoredImage(cache.affine(index), row["width"], row["height"])
        yield Shown(row["radiograph"], row["file"], cache.pixels(index), stored)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return the files, and those in folders.

    Raises:
        RibsightError: one is not there, or a folder holds no image.
    """
    files: list[Path] = []
    for path in paths:
        inside = image_files(path) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise RibsightError(f"there is no image at {path}")
        files += inside
    return files


def shown_files(files: Sequence[Path], preprocessing: Preprocessing) -> Iterator[Shown]:
    """Yield image files as the pixel pipeline makes them.

    Raises:
        RibsightError: one cannot be read.
    """
    with GuardedReader() as reader:
        for path, result in zip(files, reader.map(files), strict=True):
            if not isinstance(result, Radiograph):
                raise result
            pixels, affine = preprocess(result, preprocessing)
            height, width = result.pixels.shape
            yield Shown(str(path), str(path), pixels, StoredImage(affine, width, height))


def _parts(shown: Iterable[Shown]) -> Iterator[list[Shown]]:
    part: list[Shown] = []
    for one in shown:
        part.append(one)
        if len(part) == _BATCH:
            yield part
            part = []
    if part:
        yield part


def _ask(original: Detector, exported: Detector, part: list[Shown], answers: _Answers) -> None:
    images = [one.pixels for one in part]
    maps = original.maps(images), exported.maps(images)
    for one, left, right in zip(part, *maps, strict=True):
        difference = float(np.nan_to_num(np.abs(left - right).max(), nan=np.inf))
        if difference > answers.difference or not answers.worst:
            answers.difference, answers.worst = difference, one.id
        answers.original.append(_said(original, one, left))
        answers.exported.append(_said(exported, one, right))


def _said(detector: Detector, one: Shown, maps: Any) -> ImagePrediction:
    found = read_maps(maps, detector.findings, detector.description.marks, one.stored)
    return ImagePrediction(one.id, one.file, one.stored.width, one.stored.height, found)


def _predictions(detector: Detector, images: list[ImagePrediction]) -> Predictions:
    description = detector.description
    return Predictions(
        description.name, description.weights_sha256, tuple(detector.findings), tuple(images)
    )


def _findings(
    left: ImagePrediction, right: ImagePrediction
) -> list[tuple[FindingPrediction, FindingPrediction]]:
    return [(one, right.findings[name]) for name, one in left.findings.items()]


def _agreement(
    pairs: Sequence[tuple[FindingPrediction, FindingPrediction]],
    cells: Sequence[float],
    least: float,
) -> MarkAgreement:
    """Pair marks of one finding on one image, best first, that lie within one cell."""
    original = exported = both = 0
    for (one, other), cell in zip(pairs, cells, strict=True):
        left = [mark for mark in one.marks if mark.score >= least]
        right = [mark for mark in other.marks if mark.score >= least]
        original, exported = original + len(left), exported + len(right)
        for mark in left:
            near = [
                index
                for index, candidate in enumerate(right)
                if max(abs(candidate.x - mark.x), abs(candidate.y - mark.y)) <= 1.01 * cell
            ]
            if near:
                both += 1
                del right[near[0]]
    return MarkAgreement(original, exported, both)
