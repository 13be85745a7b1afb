"""Lesion-level detection: the free-response ROC curve and its score, plain and bootstrapped.

At threshold t: sensitivity = regions hit by marks with score >= t / all regions, and rate = false
marks with score >= t / images. Bunch et al., SPIE 1977; the protocol fixes what "hit", "false"
and "images" mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats, read_step, running_sums, tie_ends
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.truth import NEGATIVE, Truth


@dataclass(frozen=True, eq=False)
class FrocEvents:
    """The marks that move the curve, sorted once for any number of replicates.

    Attributes:
        image: (E,) image of each event, highest score first.
        score: (E,) falling.
        hit: (E,) whether it hits a region; otherwise it is a false positive.
        ends: (T,) last event of each distinct score.
        lesions: (N,) regions on each image.
        counted: (N,) images in the rate's denominator.
    """

    image: NDArray[np.int64]
    score: Floats
    hit: NDArray[np.bool_]
    ends: NDArray[np.int64]
    lesions: NDArray[np.int64]
    counted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """(T + 1,) thresholds falling from infinity, false positives per image, sensitivity."""

    thresholds: Floats
    rate: Floats
    sensitivity: Floats


def froc_events(table: MatchTable, truth: Truth, protocol: Protocol) -> FrocEvents:
    """Return what of a match table counts under `protocol`.

    Raises:
        RibsightError: no region, so no sensitivity; or no image to count false positives on.
    """
    counted = truth.located
    if protocol.denominator == "images_without_finding":
        counted = truth.state == NEGATIVE
    if not len(truth.region_image):
        raise RibsightError(f"FROC is not defined: no region of '{truth.finding}' is drawn")
    if not counted.any():
        raise RibsightError(f"FROC is not defined: no image without '{truth.finding}'")
    hit = table.outcome == Outcome.HIT
    false = table.outcome == Outcome.FALSE
    if protocol.duplicates == "false_positive":
        false |= table.outcome == Outcome.DUPLICATE
    false &= counted[table.image]
    moving = hit | false
    return FrocEvents(
        image=table.image[moving],
        score=table.score[moving],
        hit=hit[moving],
        ends=tie_ends(table.score[moving]),
        lesions=truth.lesions,
        counted=counted,
    )


def froc_curve(events: FrocEvents) -> FrocCurve:
    """Return the curve from (0, 0) on, one point a distinct score."""
    ones = np.ones((1, len(events.lesions)))
    hits, false = _passed(events, ones, len(events.ends))
    return FrocCurve(
        thresholds=np.append(np.inf, events.score[events.ends]),
        rate=false[0] / events.counted.sum(),
        sensitivity=hits[0] / events.lesions.sum(),
    )


def froc_score(curve: FrocCurve, protocol: Protocol) -> float:
    """Return the mean sensitivity at the protocol's operating points."""
    at = np.array(protocol.operating_points)
    return float(read_step(curve.rate, curve.sensitivity, at).mean())


def threshold_at(curve: FrocCurve, rate: float) -> float:
    """Return the lowest threshold with at most `rate` false positives per image."""
    return float(read_step(curve.rate, curve.thresholds, np.array([rate]))[0])


def froc_weighted(events: FrocEvents, weights: Floats, rates: Floats) -> Floats:
    """Return (R, P) sensitivity at `rates` when image n counts `weights[r, n]` times.

    Only events down to the highest rate are summed, the others cannot change the answer: memory
    is about R x N x max(rates) numbers. A replicate without regions or images is NaN.

    Args:
        events: from `froc_events`.
        weights: (R, N) resample counts.
        rates: (P,) false positives per image.
    """
    lesions, images = weights @ events.lesions, weights @ events.counted.astype(float)
    # A hair above, so that rounding never ends the sums on the very rate that is read.
    enough = rates.max() * images * (1 + 1e-9)
    used = _thresholds_within(events, 1.5 * float(rates.max()))
    hits, false = _passed(events, weights, used)
    while used < len(events.ends) and (false[:, -1] <= enough)[images > 0].any():
        used = min(2 * used, len(events.ends))
        hits, false = _passed(events, weights, used)
    read = np.full((len(weights), len(rates)), np.nan)
    for row in np.flatnonzero((lesions > 0) & (images > 0)):
        read[row] = read_step(false[row] / images[row], hits[row] / lesions[row], rates)
    return read


def _passed(events: FrocEvents, weights: Floats, thresholds: int) -> tuple[Floats, Floats]:
    """Return (R, thresholds + 1) weight of hits, and of false marks, from the highest score on."""
    ends = events.ends[:thresholds]
    stop = ends[-1] + 1 if thresholds else 0
    image, hit = events.image[:stop], events.hit[:stop]
    return running_sums(weights, image, hit, ends), running_sums(weights, image, ~hit, ends)


def _thresholds_within(events: FrocEvents, rate: float) -> int:
    """Return how many thresholds it takes to pass `rate` unweighted, at least one if any."""
    false = np.cumsum(~events.hit)[events.ends]
    passed = int(np.searchsorted(false, rate * events.counted.sum(), side="right")) + 1
    return min(passed, len(events.ends))
