"""Lesion-level detection: the free-response ROC curve and its score, plain and bootstrapped.

At threshold t: sensitivity = regions hit by marks with score >= t / all regions, and rate = false
marks with score >= t / images. Bunch et al., SPIE 1977; the protocol fixes what "hit", "false"
and "images" mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import (
    Floats,
    linear_rows,
    read_step,
    running_sums,
    step_rows,
    tie_ends,
)
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.protocol import Protocol, require_equal
from ribsight.evaluation.ranking import Passed, Ranked, corners, passed, rank, ratio
from ribsight.evaluation.truth import NEGATIVE, Truth


@dataclass(frozen=True, eq=False)
class FrocEvents:
    """The marks that move the curve, sorted once for any number of replicates.

    Attributes:
        image: (E,) image of each event, highest score first.
        score: (E,) falling.
        hit: (E,) whether it hits a region; otherwise it is a false positive.
        lesions: (N,) regions on each image.
        counted: (N,) what each image adds to the rate's denominator.
        protocol: how the curve is read.
        ranked: hits against false marks.
    """

    image: NDArray[np.int64]
    score: Floats
    hit: NDArray[np.bool_]
    lesions: NDArray[np.int64]
    counted: Floats
    protocol: Protocol
    ranked: Ranked


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """(T + 1,) thresholds falling from infinity, false positives per image, sensitivity."""

    thresholds: Floats
    rate: Floats
    sensitivity: Floats


def froc_events(table: MatchTable, truth: Truth, protocol: Protocol) -> FrocEvents:
    """Return what of a match table counts under `protocol`.

    Raises:
        RibsightError: no region, so no sensitivity; no image to count false positives on; or the
            table was made under another protocol.
    """
    require_equal(table.protocol, protocol)
    counted = denominator(truth, protocol)
    if not len(truth.region_image):
        raise RibsightError(f"FROC is not defined: no region of '{truth.finding}' is drawn")
    if not counted.any():
        raise RibsightError(f"FROC is not defined: no image without '{truth.finding}'")
    hit = table.outcome == Outcome.HIT
    false = false_marks(table, protocol) & (counted[table.image] > 0)
    moving = hit | false
    return FrocEvents(
        image=table.image[moving],
        score=table.score[moving],
        hit=hit[moving],
        lesions=truth.lesions,
        counted=counted,
        protocol=protocol,
        ranked=rank(table.score[hit], table.image[hit], table.score[false], table.image[false]),
    )


def false_marks(table: MatchTable, protocol: Protocol) -> NDArray[np.bool_]:
    """Return (M,) whether a mark is a false positive under the protocol."""
    false: NDArray[np.bool_] = table.outcome == Outcome.FALSE
    if protocol.duplicates == "false_positive":
        false |= table.outcome == Outcome.DUPLICATE
    return false


def denominator(truth: Truth, protocol: Protocol) -> Floats:
    """Return (N,) what each image adds to the number of images (or patients) of the rate.

    Raises:
        RibsightError: the protocol divides by patients and they are not known.
    """
    if protocol.denominator == "images_without_finding":
        return np.equal(truth.state, NEGATIVE).astype(np.float64)
    if protocol.denominator == "all_images":
        return truth.located.astype(np.float64)
    if not truth.patients:
        raise RibsightError(
            f"FROC is not defined: the protocol counts '{truth.finding}' per patient and the "
            "patients are not known"
        )
    patient = np.unique(np.array(truth.patients), return_inverse=True)[1]
    located = truth.located.astype(np.float64)
    of_patient = np.bincount(patient, weights=located)[patient]
    share: Floats = located / np.maximum(of_patient, 1)
    return share


def froc_curve(events: FrocEvents) -> FrocCurve:
    """Return the curve from (0, 0) on, one point a distinct score."""
    ones = np.ones((1, len(events.lesions)))
    ends = tie_ends(events.score)
    hits = running_sums(ones, events.image, events.hit, ends)
    false = running_sums(ones, events.image, ~events.hit, ends)
    return FrocCurve(
        thresholds=np.append(np.inf, events.score[ends]),
        rate=false[0] / _images(events, ones)[0],
        sensitivity=hits[0] / events.lesions.sum(),
    )


def froc_read(curve: FrocCurve, rates: Floats, protocol: Protocol) -> Floats:
    """Return (P,) sensitivity at `rates`; NaN beyond the last if the protocol says undefined."""
    read = step_rows if protocol.interpolation == "step" else linear_rows
    values: Floats = read(curve.rate[None], curve.sensitivity[None], rates)[0]
    if protocol.beyond == "undefined":
        values[rates > curve.rate[-1]] = np.nan
    return values


def froc_score(curve: FrocCurve, protocol: Protocol) -> float:
    """Return the mean sensitivity at the protocol's operating points."""
    return float(froc_read(curve, np.array(protocol.operating_points), protocol).mean())


def threshold_at(curve: FrocCurve, rate: float) -> float:
    """Return the lowest threshold with at most `rate` false positives per image."""
    return float(read_step(curve.rate, curve.thresholds, np.array([rate]))[0])


def froc_weighted(events: FrocEvents, weights: Floats, rates: Floats) -> Floats:
    """Return (R, P) sensitivity at `rates` when image n counts `weights[r, n]` times.

    A replicate without regions or images is NaN.

    Args:
        events: from `froc_events`.
        weights: (R, N) resample counts.
        rates: (P,) false positives per image.
    """
    return froc_from(passed(events.ranked, weights), events, weights, rates)


def froc_from(sums: Passed, events: FrocEvents, weights: Floats, rates: Floats) -> Floats:
    """Return what `froc_weighted` does, from sums already made."""
    lesions = weights @ events.lesions.astype(np.float64)
    images = _images(events, weights)
    if events.protocol.interpolation == "step":
        read = step_rows(ratio(sums.through, images[:, None]), sums.true, rates)
    else:
        x, y = corners(sums)
        read = linear_rows(ratio(x, images[:, None]), y, rates)
    read = ratio(read, lesions[:, None])
    if events.protocol.beyond == "undefined":
        read[rates > ratio(sums.negatives, images)[:, None]] = np.nan
    read[images == 0] = np.nan
    return read


def _images(events: FrocEvents, weights: Floats) -> Floats:
    """Return (R,) the rate's denominator; whole numbers stay whole despite shares of patients."""
    return np.round(weights @ events.counted, 9)
