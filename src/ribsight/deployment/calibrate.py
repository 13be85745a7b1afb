"""Validation images -> thresholds, calibration and reference of a detector at work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from tqdm import tqdm

from ribsight.cohort.tables import Cohort
from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.calibration import FILE as CALIBRATION
from ribsight.deployment.calibration import FittedFinding, fit_finding, write_calibration
from ribsight.deployment.inputs import GivenImage
from ribsight.deployment.members import FILE as MEMBERS
from ribsight.deployment.members import write_members
from ribsight.deployment.predict import Outcome, Working, predict_each
from ribsight.deployment.reference import FILE as REFERENCE
from ribsight.deployment.reference import Reference, write_reference
from ribsight.deployment.watched import watch
from ribsight.errors import RibsightError
from ribsight.evaluation.evaluate import score_on_cohort
from ribsight.evaluation.operating_points import FILE as POINTS
from ribsight.evaluation.operating_points import Aim, choose_levels, points_beside, write_points
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Levels, Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.results import OperatingPoint
from ribsight.evaluation.score import Scored, Scoring
from ribsight.evaluation.score_maps import Method
from ribsight.findings import Certainty, Split
from ribsight.radiographs.eligibility import KINDS, Policy

# Of figures that calibration does not read.
_FEWEST_REPLICATES = 100


@dataclass(frozen=True)
class Wanted:
    """What calibration is asked for.

    Attributes:
        doubtful: aim of the lower threshold.
        confident: aim of the upper one.
        method: of the maps to probabilities.
        prevalence: share of images with the finding where the detector will work; None for that of
            the validation images.
        protocol: what makes a mark a hit.
        seed: of resamples and folds.
    """

    doubtful: Aim
    confident: Aim
    method: Method | Literal["auto"] = "auto"
    prevalence: float | None = None
    protocol: Protocol = field(default_factory=Protocol)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What calibration found; `left_out` says why a finding has no thresholds and maps."""

    scored: Scored
    points: tuple[OperatingPoint, ...]
    fitted: Mapping[str, FittedFinding]
    left_out: Mapping[str, str]
    reference: Reference


def predict_validation(
    at_work: DetectorAtWork, cohort: Cohort, working: Working, *, progress: bool = True
) -> Predictions:
    """Return predictions of a cohort's validation images, read from their files as new ones are.

    Raises:
        RibsightError: there is none, one cannot be read, or is no longer the file that the cohort
            was built from.
    """
    part = cohort.select(Split.VAL)
    rows = part.radiographs.select("radiograph", "file", "sha256").rows()
    given = [GivenImage(name, str(cohort.images / file), cohort.images / file)
             for name, file, _ in rows]  # fmt: skip
    # What is in a cohort was let into it.
    every_kind = replace(working, policy=Policy(KINDS), classify_views=False)
    outcomes = predict_each(at_work, given, every_kind)
    bar = tqdm(outcomes, "detecting", len(given), unit="image", disable=not progress)
    images = [_sound(one, sha256) for one, (_, _, sha256) in zip(bar, rows, strict=True)]
    return Predictions(
        at_work.identity.name, at_work.identity.sha256, at_work.findings, tuple(images)
    )


def _sound(outcome: Outcome, sha256: str) -> ImagePrediction:
    if isinstance(outcome, FailedImage):
        raise RibsightError(f"a validation image cannot be used: {outcome.reason}")
    if outcome.sha256 != sha256:
        raise RibsightError(
            f"{outcome.file} has changed since the cohort was built: build it again"
        )
    return outcome


def calibrate(predictions: Predictions, cohort: Cohort, wanted: Wanted) -> Calibrated:
    """Choose thresholds and fit maps on the validation split, and nothing else.

    Raises:
        RibsightError: no finding has images with and without it, an aim cannot be reached, or
            doubtful would be above confident.
    """
    scoring = Scoring(wanted.protocol, _FEWEST_REPLICATES, wanted.seed)
    scored = score_on_cohort(predictions, cohort, Split.VAL, scoring)
    left_out = {
        name: f"{'no' if not one.truth.positive.any() else 'every'} validation image has it"
        for name, one in scored.measured.items()
        if one.truth.positive.all() or not one.truth.positive.any()
    }
    usable = {name: one for name, one in scored.measured.items() if name not in left_out}
    if not usable:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise RibsightError(f"nothing can be calibrated ({why}): thresholds need both kinds")
    scored = replace(scored, measured=usable)
    points = choose_levels(wanted.doubtful, wanted.confident, scored)
    return Calibrated(
        scored=scored,
        points=tuple(points),
        fitted={
            name: fit_finding(one, wanted.method, prevalence=wanted.prevalence, seed=wanted.seed)
            for name, one in usable.items()
        },
        left_out=left_out,
        reference=_reference(predictions, cohort, points),
    )


def _reference(
    predictions: Predictions, cohort: Cohort, points: Iterable[OperatingPoint]
) -> Reference:
    chosen = {(one.finding, one.level): one.threshold for one in points}
    levels = {
        finding: Levels(chosen[finding, Certainty.DOUBTFUL], chosen[finding, Certainty.CONFIDENT])
        for finding, _ in chosen
    }
    part = cohort.select(Split.VAL).radiographs
    groups = part.select(pl.coalesce("group", "radiograph"))["group"].to_numpy()
    return Reference(
        model=predictions.model,
        model_sha256=predictions.model_sha256,
        cohort=cohort.fingerprint(),
        levels=levels,
        watched=watch(predictions.images, predictions.findings, levels),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
    )


def require_folder(at_work: DetectorAtWork, given: Path, out: Path | None) -> Path:
    """Return where the files of a detector at work belong: beside one model, or in `out`.

    Args:
        at_work: what is calibrated.
        given: what it was loaded from; a folder that names its models keeps its own files.
        out: a folder that was asked for.

    Raises:
        RibsightError: several models, or one with the mirrored image, have no folder.
    """
    if out is not None:
        return out
    if (given / MEMBERS).is_file():
        return given
    if len(at_work.members.folders) > 1 or at_work.members.flip:
        raise RibsightError(
            "several models, or one with --tta, have no folder of their own yet: give --out FOLDER"
        )
    return at_work.members.folders[0]


def write_calibrated(
    found: Calibrated, at_work: DetectorAtWork, prevalence: float | None, folder: Path
) -> None:
    """Write the three files, and `at_work.json` into a folder that is not the model's own.

    Points that were chosen on the same data for other aims stay in the file.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    if folder.resolve() != at_work.members.folders[0].resolve():
        write_members(at_work.members, at_work.member_sha256s, at_work.identity.name, folder)
    path = folder / POINTS
    others = points_beside(path, found.scored, levels=False)
    write_points([*others, *found.points], found.scored, path)
    write_calibration(found.fitted, found.scored, prevalence, folder / CALIBRATION)
    write_reference(found.reference, folder / REFERENCE)
