"""Every figure of one finding and one detector, as functions of how often each image counts.

Weights of one are the data as they are, resample counts are a bootstrap, and 0 or 1 by image choose
among two pooled detectors in a permutation test: one path for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.afroc import rank_lesions
from ribsight.evaluation.calibration import (
    Calibrated,
    brier,
    calibrated,
    calibration_error,
    gaps,
    reliability,
)
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.froc import FrocEvents, false_marks, froc_events, froc_from
from ribsight.evaluation.matching import MatchTable, Outcome, match
from ribsight.evaluation.patients import patients_of
from ribsight.evaluation.precision import area_under_precision, coco_average_precision
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.ranking import Passed, Ranked, area, passed, rank
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.roc import rank_images, roc_read
from ribsight.evaluation.threshold import Calls, calls_at, figures_at
from ribsight.evaluation.truth import NOT_KNOWN, Truth

ROC_GRID: Floats = np.arange(201) / 200


@dataclass(frozen=True, eq=False)
class Items:
    """What the figures rank and count, sorted once; None where `why` says what is missing.

    Attributes:
        protocol: the rules.
        images: images with the finding against images without.
        patients: likewise patients, each by its highest image score.
        froc: hits against false marks.
        precision: for the average precision of regions: hits against false marks, once for each
            IoU of the protocol.
        lesions: (N,) regions on each image.
        afroc: lesions against images without the finding, each lesion counting 1.
        wafroc: likewise, the lesions of an image sharing 1.
        afroc1: as `afroc`, against all located images.
        wafroc1: as `wafroc`, likewise.
        probabilities: image scores in bins.
        calls: by name of the operating point.
        prevalence: for predictive values; None for the images' own.
        why: reason by name of a missing attribute.
    """

    protocol: Protocol
    images: Ranked | None
    patients: Ranked | None
    froc: FrocEvents | None
    precision: tuple[Ranked, ...]
    lesions: Floats
    afroc: Ranked | None
    wafroc: Ranked | None
    afroc1: Ranked | None
    wafroc1: Ranked | None
    probabilities: Calibrated | None
    calls: dict[str, Calls]
    prevalence: float | None
    why: dict[str, str]


@dataclass(frozen=True, eq=False)
class Replicates:
    """(R,) figures by key, and (R, Q) curves by name.

    Curves are `roc`, `froc`, `wafroc`, and of the bins of calibration `reliability` and `gaps`.
    """

    figures: dict[str, Floats]
    curves: dict[str, Floats]


def items_of(
    truth: Truth,
    reading: Reading,
    table: MatchTable,
    *,
    thresholds: Sequence[tuple[str, float]] = (),
    prevalence: float | None = None,
    lean: bool = False,
) -> Items:
    """Sort what the figures need. A figure that is not defined is missing, with its reason.

    Args:
        truth: N images; those of unknown state count in nothing.
        reading: of the truth.
        table: `match(truth, reading, protocol)`.
        thresholds: name and score of operating points.
        prevalence: for predictive values.
        lean: without calibration, the average precision of regions, AFROC1 and wAFROC1.
    """
    protocol, why = table.protocol, {}
    for name, missing in (("positive", truth.positive), ("negative", truth.state == 0)):
        if not missing.any():
            why["images"] = f"AUROC is not defined: no image is {name}"
    try:
        froc = froc_events(table, truth, protocol)
    except RibsightError as error:
        froc, why["froc"] = None, str(error)
    ranked: dict[bool, tuple[Ranked | None, Ranked | None]] = {}
    for all_images, name in ((False, "afroc"), (True, "afroc1")):
        ranked[all_images] = None, None
        if lean and all_images:
            continue
        try:
            afroc, wafroc = (
                rank_lesions(table, truth, weighted=one, all_images=all_images)
                for one in (False, True)
            )
        except RibsightError as error:
            why[name] = str(error)
        else:
            ranked[all_images] = afroc, wafroc
    known = np.flatnonzero(truth.state != NOT_KNOWN)
    probabilities = None
    if not lean:
        probabilities = calibrated(reading.image_scores[known], truth.positive[known], known)
    if probabilities is None:
        why["probabilities"] = "calibration is not defined: an image score is outside 0 ... 1"
    patients = _patients(truth, reading, why)
    return Items(
        protocol=protocol,
        images=None if "images" in why else _known_images(truth, reading),
        patients=patients,
        froc=froc,
        precision=() if froc is None or lean else _precision(truth, reading, table, froc),
        lesions=truth.lesions.astype(np.float64),
        afroc=ranked[False][0],
        wafroc=ranked[False][1],
        afroc1=ranked[True][0],
        wafroc1=ranked[True][1],
        probabilities=probabilities,
        calls={name: calls_at(at, truth, reading, table) for name, at in thresholds},
        prevalence=prevalence,
        why=why,
    )


def replicate(items: Items, weights: Floats, froc_grid: Floats | None = None) -> Replicates:
    """Return all figures when image n counts `weights[r, n]` times; NaN where not defined.

    Args:
        items: from `items_of`.
        weights: (R, N).
        froc_grid: (Q,) false positives per image at which the curves are read too; no curves if
            not given.
    """
    figures: dict[str, Floats] = {}
    curves: dict[str, Floats] = {}
    if items.images is not None:
        sums = passed(items.images, weights)
        figures["auroc"] = area(sums)
        figures["image_ap"] = area_under_precision(sums, sums.positives)
        if froc_grid is not None:
            curves["roc"] = roc_read(sums, ROC_GRID)
    if items.patients is not None:
        figures["patient_auroc"] = area(passed(items.patients, weights))
    if items.froc is not None:
        _froc_figures(items, items.froc, weights, froc_grid, figures, curves)
    if items.wafroc is not None and items.afroc is not None:
        figures["afroc"] = area(passed(items.afroc, weights))
        sums = passed(items.wafroc, weights)
        figures["wafroc"] = area(sums)
        if froc_grid is not None:
            curves["wafroc"] = roc_read(sums, ROC_GRID)
    if items.wafroc1 is not None and items.afroc1 is not None:
        figures["afroc1"] = area(passed(items.afroc1, weights))
        figures["wafroc1"] = area(passed(items.wafroc1, weights))
    if items.probabilities is not None:
        bins = reliability(items.probabilities, weights)
        curves["gaps"] = gaps(bins)
        figures["brier"] = brier(items.probabilities, weights)
        figures["ece"] = calibration_error(bins)
        if froc_grid is not None:
            curves["reliability"] = bins.true
    for name, calls in items.calls.items():
        for key, values in figures_at(calls, weights, items.prevalence).items():
            figures[f"{name}/{key}"] = values
    if "auroc" in figures and "lesion_ap" in figures:
        figures["auroc_and_ap"] = (figures["auroc"] + figures["lesion_ap"]) / 2
    return Replicates(figures, curves)


def _froc_figures(
    items: Items,
    froc: FrocEvents,
    weights: Floats,
    grid: Floats | None,
    figures: dict[str, Floats],
    curves: dict[str, Floats],
) -> None:
    points = np.array(items.protocol.operating_points)
    rates = points if grid is None else np.concatenate([points, grid])
    sums = passed(froc.ranked, weights)
    read = froc_from(sums, froc, weights, rates)
    at = read[:, : len(points)]
    figures["froc_score"] = at.mean(axis=1)
    for column, rate in enumerate(points):
        figures[f"sensitivity_at_{rate:g}"] = at[:, column]
    if grid is not None:
        curves["froc"] = read[:, len(points) :]
    if not items.precision:
        return
    lesions = weights @ items.lesions
    parts = [
        _region_ap(sums if one is froc.ranked else passed(one, weights), lesions, items.protocol)
        for one in items.precision
    ]
    figures["lesion_ap"] = np.mean(parts, axis=0)


def _region_ap(sums: Passed, lesions: Floats, protocol: Protocol) -> Floats:
    if protocol.average_precision == "coco":
        return coco_average_precision(sums, lesions)
    return area_under_precision(sums, lesions)


def _precision(
    truth: Truth, reading: Reading, table: MatchTable, froc: FrocEvents
) -> tuple[Ranked, ...]:
    protocol = table.protocol
    if not protocol.ap_ious:
        return (froc.ranked,) if protocol.denominator == "all_images" else (_hits_ranked(table),)
    return tuple(
        _hits_ranked(match(truth, reading, replace(protocol, hit_rule="iou", minimum_iou=iou)))
        for iou in protocol.ap_ious
    )


def _hits_ranked(table: MatchTable) -> Ranked:
    hit, false = table.outcome == Outcome.HIT, false_marks(table, table.protocol)
    return rank(table.score[hit], table.image[hit], table.score[false], table.image[false])


def _known_images(truth: Truth, reading: Reading) -> Ranked:
    known = np.flatnonzero(truth.state != NOT_KNOWN)
    ranked = rank_images(reading.image_scores[known], truth.positive[known])
    return replace(
        ranked,
        positive_image=known[ranked.positive_image],
        negative_image=known[ranked.negative_image],
    )


def _patients(truth: Truth, reading: Reading, why: dict[str, str]) -> Ranked | None:
    try:
        one = patients_of(truth, reading)
    except RibsightError as error:
        why["patients"] = str(error)
        return None
    score, positive, image = one.score, one.positive, one.image
    if positive.all() or not positive.any():
        kind = "negative" if positive.all() else "positive"
        why["patients"] = f"patient AUROC is not defined: no patient is {kind}"
        return None
    return rank(score[positive], image[positive], score[~positive], image[~positive])
