"""All figures of one finding and one detector, with the resamples behind their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ribsight.evaluation.bootstrap import (
    band,
    bca_interval,
    interval,
    jackknife_weights,
    tails,
    weight_parts,
)
from ribsight.evaluation.calibration import error_bounds, reliability
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.delong_figures import delong_figure
from ribsight.evaluation.figures import (
    ROC_GRID,
    Items,
    Replicates,
    items_of,
    replicate,
)
from ribsight.evaluation.matching import MatchTable, match
from ribsight.evaluation.names import ORDER, level_and_label
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.results import (
    Counts,
    Curve,
    Figure,
    FindingResult,
    NamedFigure,
    OperatingPoint,
    Reliability,
    SensitivityAt,
    Stratum,
)
from ribsight.evaluation.strata import Column, Part, parts_of, restrict
from ribsight.evaluation.truth import NOT_KNOWN, Truth

_CURVE_POINTS = 201
_ATTRIBUTE = {
    "auroc": "images",
    "image_ap": "images",
    "auroc_and_ap": "images",
    "patient_auroc": "patients",
    "afroc": "afroc",
    "wafroc": "afroc",
    "afroc1": "afroc1",
    "wafroc1": "afroc1",
    "brier": "probabilities",
    "ece": "probabilities",
    "ece_corrected": "probabilities",
}


@dataclass(frozen=True, eq=False)
class Measured:
    """A finding's result, its matches, and (R,) replicates by key, NaN where there is no figure."""

    result: FindingResult
    truth: Truth
    reading: Reading
    table: MatchTable
    replicates: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Figures and curves of the data as they are, of R resamples, and without each group."""

    items: Items
    plain: Replicates
    drawn: Replicates
    left_out: Replicates
    replicates: int
    groups: int

    @property
    def lone_group(self) -> bool:
        """Whether there is nothing to resample."""
        return self.groups == 1

    def figure(self, key: str) -> Figure:
        """Return a figure with its interval, or the reason there is none."""
        corrected = key == "ece_corrected"
        if corrected and "gaps" in self.plain.curves and self.lone_group:
            return Figure(None, None, None, 0, 0, "not defined: all images are of one group")
        if (corrected or key == "ece") and "gaps" in self.plain.curves and not self.lone_group:
            return self._calibration_error(corrected=corrected)
        drawn = self.drawn.figures.get(key, np.full(self.replicates, np.nan))
        if key not in self.plain.figures:
            attribute = _ATTRIBUTE.get(key, "froc")
            note = self.items.why.get(attribute) or self.items.why.get("froc", "not defined")
            return figure(None, drawn, self.groups, note)
        value = float(self.plain.figures[key][0])
        if np.isnan(value):
            return figure(None, drawn, self.groups, _NAN_NOTES.get(key, _NAN_NOTE))
        if self.lone_group:
            return figure(value, drawn, self.groups)
        bounds = bca_interval(value, drawn, self.left_out.figures[key], groups=self.groups)
        if not bounds.used:
            return figure(value, drawn, self.groups)
        return Figure(value, bounds.low, bounds.high, bounds.used, bounds.dropped)

    def _calibration_error(self, *, corrected: bool) -> Figure:
        drawn = self.drawn.curves["gaps"]
        bounds = error_bounds(self.plain.curves["gaps"][0], drawn)
        value = bounds.middle if corrected else float(self.plain.figures["ece"][0])
        return Figure(value, bounds.low, bounds.high, len(drawn), 0)

    def named(self, key: str) -> NamedFigure:
        """Return `figure` with its words."""
        level, label = level_and_label(key)
        return NamedFigure(key, label, level, self.figure(key))


_NAN_NOTE = "not defined: nothing to divide by (no image or mark of the kind it is a share of)"
_NAN_NOTES = {
    "froc_score": "FROC score is not defined: the marks never reach its last operating point, and "
    "the protocol leaves what lies beyond undefined"
}


def measure(
    truth: Truth,
    reading: Reading,
    protocol: Protocol,
    *,
    replicates: int,
    seed: int,
    left_out_unknown: int = 0,
    points: Sequence[OperatingPoint] = (),
    prevalence: float | None = None,
    strata: Sequence[Column] = (),
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
        points: operating points to apply as they are.
        prevalence: for predictive values; None for the images' own.
        strata: columns to part by.

    Raises:
        RibsightError: the protocol needs what is not known (`match`), or a column is not there.
    """
    table = match(truth, reading, protocol)
    thresholds = [(one.aim, one.threshold) for one in points]
    items = items_of(truth, reading, table, thresholds=thresholds, prevalence=prevalence)
    counts = _counts(truth, table, left_out_unknown)
    grid = froc_grid(protocol)
    sampled = resample(items, truth, replicates, seed, grid)
    parts = [part for column in strata for part in parts_of(truth, column)]
    result = FindingResult(
        finding=truth.finding,
        counts=counts,
        auroc=sampled.figure("auroc"),
        froc_score=sampled.figure("froc_score"),
        sensitivity_at=tuple(
            SensitivityAt(rate, sampled.figure(f"sensitivity_at_{rate:g}"))
            for rate in protocol.operating_points
        ),
        roc=_curve(ROC_GRID, sampled, "roc"),
        froc=_curve(grid, sampled, "froc"),
        figures=_all_figures(sampled, truth, reading),
        wafroc=_curve(ROC_GRID, sampled, "wafroc"),
        reliability=_reliability(sampled, truth),
        strata=tuple(_stratum(truth, reading, table, part, replicates, seed) for part in parts),
        operating_points=tuple(points),
    )
    return Measured(result, truth, reading, table, sampled.drawn.figures)


def resample(
    items: Items, truth: Truth, replicates: int, seed: int, grid: Floats | None = None
) -> Resampled:
    """Return the figures of the data as they are and of `replicates` resamples of groups."""
    plain = replicate(items, np.ones((1, len(truth.images))), grid)
    parts = [
        replicate(items, weights, grid) for weights in weight_parts(truth.groups, replicates, seed)
    ]
    drawn = Replicates(
        {key: np.concatenate([one.figures[key] for one in parts]) for key in plain.figures},
        {key: np.concatenate([one.curves[key] for one in parts]) for key in plain.curves},
    )
    left_out = replicate(items, jackknife_weights(truth.groups))
    groups = len(np.unique(truth.groups[truth.state != NOT_KNOWN]))
    return Resampled(items, plain, drawn, left_out, replicates, groups)


def figure(value: float | None, replicates: Floats, groups: int, note: str = "") -> Figure:
    """Return a value with the percentiles of its (R,) replicates, or why there are none."""
    if value is None:
        return Figure(None, None, None, 0, len(replicates), note)
    if groups == 1:
        return Figure(value, None, None, 0, 0, "no interval: all images are of one group")
    bounds = interval(replicates, groups=groups)
    if not bounds.used:
        return Figure(value, None, None, 0, bounds.dropped, "no interval: no usable resample")
    return Figure(value, bounds.low, bounds.high, bounds.used, bounds.dropped)


def _all_figures(sampled: Resampled, truth: Truth, reading: Reading) -> tuple[NamedFigure, ...]:
    """Return all figures in reading order; those that are not defined too, with their reason."""
    keys = [one for one in ORDER if not one.endswith("_delong")]
    after = keys.index("froc_score") + 1
    keys[after:after] = [
        f"sensitivity_at_{rate:g}" for rate in sampled.items.protocol.operating_points
    ]
    made = {key: sampled.named(key) for key in keys}
    made |= {key: sampled.named(key) for key in sampled.plain.figures if "/" in key}
    if sampled.items.protocol.headline != "auroc_and_ap":
        del made["auroc_and_ap"]
    if not truth.patients:
        del made["patient_auroc"]
    figures: list[NamedFigure] = []
    for key, one in made.items():
        figures.append(one)
        if key in {"auroc", "patient_auroc"}:
            figures.append(delong_figure(truth, reading, f"{key}_delong"))
    return tuple(figures)


def _stratum(
    truth: Truth,
    reading: Reading,
    table: MatchTable,
    part: Part,
    replicates: int,
    seed: int,
) -> Stratum:
    smaller, own = restrict(truth, table, part)
    sampled = resample(items_of(smaller, reading, own, lean=True), smaller, replicates, seed)
    keys = ("auroc", "froc_score", "wafroc") if part.kind == "images" else ("froc_score", "wafroc")
    known = smaller.state != NOT_KNOWN
    if part.kind == "regions":
        known = smaller.lesions > 0
    return Stratum(
        column=part.column,
        label=part.label,
        kind=part.kind,
        images=int(known.sum()),
        positive=int((known & smaller.positive).sum()),
        lesions=len(smaller.region_image),
        figures=tuple(sampled.named(key) for key in keys),
    )


def froc_grid(protocol: Protocol) -> Floats:
    """Return (Q,) false positives per image for curves: to 1, or twice the last operating point."""
    steps = np.arange(_CURVE_POINTS) / (_CURVE_POINTS - 1)
    return steps * max(1.0, 2 * protocol.operating_points[-1])


def _curve(x: Floats, sampled: Resampled, name: str) -> Curve | None:
    if name not in sampled.plain.curves:
        return None
    low, high = band(sampled.drawn.curves[name], groups=sampled.groups)
    if sampled.lone_group or np.isnan(low).any():
        return Curve(x, sampled.plain.curves[name][0], None, None)
    return Curve(x, sampled.plain.curves[name][0], low, high)


def _reliability(sampled: Resampled, truth: Truth) -> Reliability | None:
    images = sampled.items.probabilities
    if images is None or sampled.lone_group:
        return None
    plain = reliability(images, np.ones((1, len(truth.images))))
    drawn = sampled.drawn.curves["reliability"]
    # A bin that a resample leaves empty has no share there; the others still say how wide it is.
    low, high = np.nanquantile(drawn, tails(0.95, sampled.groups), axis=0)
    return Reliability(plain.weight[0].astype(np.int64), plain.said[0], plain.true[0], low, high)


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
