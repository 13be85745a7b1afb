"""All figures of one finding and one detector, with the resamples behind their intervals."""

from dataclasses import dataclass

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import band, interval, weight_parts
from ribsight.evaluation.curves import Floats, read_linear, read_step
from ribsight.evaluation.froc import FrocEvents, froc_curve, froc_events, froc_weighted
from ribsight.evaluation.matching import MatchTable, match
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.results import Counts, Curve, Figure, FindingResult, SensitivityAt
from ribsight.evaluation.roc import auroc, auroc_weighted, roc_curve, roc_weighted
from ribsight.evaluation.truth import Truth

_CURVE_POINTS = 201


@dataclass(frozen=True, eq=False)
class Measured:
    """A finding's result and its (R,) replicates, NaN where a resample has no figure."""

    result: FindingResult
    auroc: Floats
    froc_score: Floats


def measure(
    truth: Truth,
    reading: Reading,
    protocol: Protocol,
    *,
    replicates: int,
    seed: int,
    left_out_unknown: int = 0,
) -> Measured:
    """Return every figure of `truth.finding`; equal truth and seed give equal resamples.

    A figure that is not defined (no positive, no region, ...) has value None and says why.

    Args:
        truth: images of known state only (`known_only`).
        reading: what the detector said on them.
        protocol: of the FROC.
        replicates: R resamples of groups.
        seed: of the resamples.
        left_out_unknown: how many images `known_only` took away, for the record.
    """
    table = match(truth, reading, protocol)
    resamples = _resample(truth, reading, table, protocol, replicates, seed)
    value, roc, auroc_note = _plain_roc(truth, reading, resamples)
    sensitivities, froc, froc_note = _plain_froc(truth, table, protocol, resamples)
    score = None if sensitivities is None else float(sensitivities.mean())
    points = len(protocol.operating_points)
    at = [None] * points if sensitivities is None else sensitivities.tolist()
    counts = _counts(truth, table, left_out_unknown)
    lone = counts.groups == 1
    result = FindingResult(
        finding=truth.finding,
        counts=counts,
        auroc=figure(value, resamples.auroc, lone, auroc_note),
        froc_score=figure(score, resamples.froc.mean(axis=1), lone, froc_note),
        sensitivity_at=tuple(
            SensitivityAt(rate, figure(at[i], resamples.froc[:, i], lone, froc_note))
            for i, rate in enumerate(protocol.operating_points)
        ),
        roc=roc,
        froc=froc,
    )
    return Measured(result, resamples.auroc, resamples.froc.mean(axis=1))


def figure(value: float | None, replicates: Floats, lone_group: bool, note: str = "") -> Figure:
    """Return a value with the interval of its (R,) replicates, or the reason there is none."""
    if value is None:
        return Figure(None, None, None, 0, len(replicates), note)
    if lone_group:
        return Figure(value, None, None, 0, 0, "no interval: all images are of one group")
    bounds = interval(replicates)
    if not bounds.used:
        return Figure(value, None, None, 0, bounds.dropped, "no interval: no usable resample")
    return Figure(value, bounds.low, bounds.high, bounds.used, bounds.dropped)


@dataclass(frozen=True, eq=False)
class _Resamples:
    """(R,) AUROC, (R, Q) ROC, (R, P) sensitivity at the operating points, (R, Q) FROC."""

    auroc: Floats
    roc: Floats
    froc: Floats
    froc_curve: Floats


def _roc_grid() -> Floats:
    return np.arange(_CURVE_POINTS) / (_CURVE_POINTS - 1)


def _froc_grid(protocol: Protocol) -> Floats:
    """Return (Q,) false positives per image: to 1, or twice the last operating point."""
    return _roc_grid() * max(1.0, 2 * protocol.operating_points[-1])


def _events(table: MatchTable, truth: Truth, protocol: Protocol) -> FrocEvents | str:
    """Return the FROC's events, or why there is no FROC."""
    try:
        return froc_events(table, truth, protocol)
    except RibsightError as error:
        return str(error)


def _resample(
    truth: Truth,
    reading: Reading,
    table: MatchTable,
    protocol: Protocol,
    replicates: int,
    seed: int,
) -> _Resamples:
    rates = np.concatenate([protocol.operating_points, _froc_grid(protocol)])
    events = _events(table, truth, protocol)

    def figures(weights: Floats) -> tuple[Floats, Floats, Floats]:
        return (
            auroc_weighted(reading.image_scores, truth.positive, weights),
            roc_weighted(reading.image_scores, truth.positive, weights, _roc_grid()),
            np.full((len(weights), len(rates)), np.nan)
            if isinstance(events, str)
            else froc_weighted(events, weights, rates),
        )

    parts = [figures(weights) for weights in weight_parts(truth.groups, replicates, seed)]
    areas, rocs, frocs = (np.concatenate(part) for part in zip(*parts, strict=True))
    points = len(protocol.operating_points)
    return _Resamples(areas, rocs, frocs[:, :points], frocs[:, points:])


def _plain_roc(
    truth: Truth, reading: Reading, resamples: _Resamples
) -> tuple[float | None, Curve | None, str]:
    try:
        value = auroc(reading.image_scores, truth.positive)
    except RibsightError as error:
        return None, None, str(error)
    points = roc_curve(reading.image_scores, truth.positive)
    grid = _roc_grid()
    read = read_linear(points.false_positive_rate, points.sensitivity, grid)
    return value, _curve(grid, read, resamples.roc), ""


def _plain_froc(
    truth: Truth, table: MatchTable, protocol: Protocol, resamples: _Resamples
) -> tuple[Floats | None, Curve | None, str]:
    events = _events(table, truth, protocol)
    if isinstance(events, str):
        return None, None, events
    points = froc_curve(events)
    grid = _froc_grid(protocol)
    at = read_step(points.rate, points.sensitivity, np.array(protocol.operating_points))
    read = read_step(points.rate, points.sensitivity, grid)
    return at, _curve(grid, read, resamples.froc_curve), ""


def _curve(x: Floats, y: Floats, replicates: Floats) -> Curve:
    low, high = band(replicates)
    if np.isnan(low).any():
        return Curve(x, y, None, None)
    return Curve(x, y, low, high)


def _counts(truth: Truth, table: MatchTable, left_out_unknown: int) -> Counts:
    positive = int(truth.positive.sum())
    return Counts(
        images=len(truth.images),
        positive=positive,
        negative=len(truth.images) - positive,
        groups=len(np.unique(truth.groups)),
        lesions=len(truth.region_image),
        marks=len(table),
        left_out_unknown=left_out_unknown,
        left_out_of_froc=int((~truth.located).sum()),
    )
