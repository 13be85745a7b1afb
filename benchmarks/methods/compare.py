"""Means over trainings and paired differences, with intervals over trainings and patients."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.methods.plan import REFERENCE, Plan, Unit
from benchmarks.methods.runs import predict_elsewhere, predictions_file, shown_cohort
from benchmarks.methods.screening import Screening
from benchmarks.methods.table import LOW_LEVEL
from numpy.typing import NDArray

from ribsight.cohort.tables import load_cohort
from ribsight.evaluation.comparing import holm
from ribsight.evaluation.evaluate import score_on_cohort
from ribsight.evaluation.measure import Measured
from ribsight.evaluation.predictions_file import read_predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.score import Scoring
from ribsight.findings import Split

FIGURES = ("froc_score", "auroc", "wafroc")
Floats = NDArray[np.float64]
Over = Callable[[Floats, Floats], Floats]
"""(S,) values and (S, R) resamples of S trainings -> (R,) resamples of their mean."""
_REPLICATES = 2000


@dataclass(frozen=True)
class Row:
    """One figure of one variant, or its difference to a reference.

    Attributes:
        finding: what is detected.
        reveal: revealed radiographs.
        variant: as the plan names it.
        against: the reference of a difference; empty for the figure itself. `LOW_LEVEL` for the
            effect of a screened factor, whose name then is the variant's.
        figure: its key.
        trainings: how many.
        mean: over trainings.
        low: of the 95 % interval, over patients and trainings.
        high: likewise.
        deviation: standard deviation over trainings; None for one.
        p: two-sided, of a difference; None for a figure.
        p_holm: adjusted over all variants against the same reference.
        drawn: regions that training saw, mean over trainings, rounded.

    """

    finding: str
    reveal: int
    variant: str
    against: str
    figure: str
    trainings: int
    mean: float
    low: float
    high: float
    deviation: float | None
    p: float | None = None
    p_holm: float | None = None
    drawn: int | None = None


def compare(
    plan: Plan,
    out: Path,
    cohort: Path,
    references: tuple[str, ...],
    elsewhere: Path | None = None,
) -> pl.DataFrame:
    """Return a row a figure and difference, for all trainings that are finished.

    With `elsewhere` they are compared on the test split of that cohort instead of the plan's.
    """
    shared = elsewhere or (None if plan.folds else cohort)
    fixed = None if shared is None else load_cohort(shared)
    over = over_folds if shared is None else over_trainings
    split = plan.evaluate if elsewhere is None else Split.TEST.value
    rows: list[Row] = []
    for reveal in plan.reveal:
        scored: dict[str, dict[int, dict[str, Measured]]] = {}
        for variant in plan.variants:
            for seed in plan.seeds:
                unit = Unit(variant=variant, reveal=reveal, seed=seed)
                file: Path | None = predictions_file(out, unit, plan.evaluate)
                if elsewhere is not None:
                    file = predict_elsewhere(unit, out, elsewhere)
                if file is not None and file.exists():
                    truth = fixed or load_cohort(shown_cohort(cohort, unit, out, plan))
                    # Patients of different folds are resampled apart.
                    scoring = Scoring(Protocol(), _REPLICATES, seed if shared is None else 0)
                    one = score_on_cohort(read_predictions(file), truth, split, scoring)
                    scored.setdefault(variant, {})[seed] = dict(one.measured)
        own: list[Row] = []
        for variant, trainings in scored.items():
            own += _figures(variant, reveal, trainings, over)
        for reference in references:
            if reference in scored:
                own += _differences(scored, reference, reveal, over)
        if plan.screening is not None:
            own += _effects(plan.screening, scored, reveal, over)
        seeds = sorted({seed for trainings in scored.values() for seed in trainings})
        drawn = [_drawn_regions(plan, out, cohort, reveal, seed) for seed in seeds]
        rows += [replace(one, drawn=round(float(np.mean(drawn)))) for one in own]
    return pl.DataFrame(rows)


def _drawn_regions(plan: Plan, out: Path, cohort: Path, reveal: int, seed: int) -> int:
    unit = Unit(variant=REFERENCE, reveal=reveal, seed=seed)
    training = load_cohort(shown_cohort(cohort, unit, out, plan)).select("train")
    return sum(len(regions) for regions in training.drawn(revealed_only=True))


def _figures(
    variant: str, reveal: int, trainings: dict[int, dict[str, Measured]], over: Over
) -> list[Row]:
    findings = next(iter(trainings.values())).keys()
    return [
        _row(
            finding,
            reveal,
            variant,
            "",
            key,
            [one[finding] for one in trainings.values()],
            None,
            over,
        )
        for finding in findings
        for key in FIGURES
    ]


def _differences(
    scored: dict[str, dict[int, dict[str, Measured]]], reference: str, reveal: int, over: Over
) -> list[Row]:
    base = scored[reference]
    rows = []
    for variant, trainings in scored.items():
        shared = sorted(trainings.keys() & base.keys())
        if variant == reference or not shared:
            continue
        rows += [
            _row(
                finding,
                reveal,
                variant,
                reference,
                key,
                [trainings[seed][finding] for seed in shared],
                [base[seed][finding] for seed in shared],
                over,
            )
            for finding in base[shared[0]]
            for key in FIGURES
        ]
    return _adjusted(rows)


def _effects(
    screening: Screening, scored: dict[str, dict[int, dict[str, Measured]]], reveal: int, over: Over
) -> list[Row]:
    """Return the effect of every factor, over the seeds with which the whole design is done."""
    runs = [scored.get(name, {}) for name in screening.names]
    seeds = sorted(set.intersection(*(set(one) for one in runs)))
    if not seeds:
        return []
    rows = []
    for name, weights in screening.contrasts().items():
        for finding in runs[0][seeds[0]]:
            for key in FIGURES:
                measured = [[one[seed][finding] for seed in seeds] for one in runs]
                values = weights @ np.stack([_values(one, key) for one in measured])
                drawn = np.tensordot(weights, [_resamples(one, key) for one in measured], 1)
                head = (finding, reveal, name, LOW_LEVEL, key)
                rows.append(_summed_up(head, values, drawn, over))
    return _adjusted(rows)


def _adjusted(rows: list[Row]) -> list[Row]:
    """Fill in `p_holm`, over all variants of a finding's figure."""
    adjusted = list(rows)
    for finding, key in {(one.finding, one.figure) for one in rows}:
        family = [i for i, one in enumerate(rows) if (one.finding, one.figure) == (finding, key)]
        for place, p in zip(family, holm([rows[i].p for i in family]), strict=True):
            adjusted[place] = replace(rows[place], p_holm=p)
    return adjusted


def _row(
    finding: str,
    reveal: int,
    variant: str,
    against: str,
    key: str,
    runs: list[Measured],
    base: list[Measured] | None,
    over: Over,
) -> Row:
    values, drawn = _values(runs, key), _resamples(runs, key)
    if base is not None:
        # The same seed has the same regions and stage 1: trainings are paired, as patients are.
        values, drawn = values - _values(base, key), drawn - _resamples(base, key)
    head = (finding, reveal, variant, against, key)
    return _summed_up(head, values, drawn, over)


def _summed_up(
    head: tuple[str, int, str, str, str], values: Floats, drawn: Floats, over: Over
) -> Row:
    """Return the row of S trainings, (S,) values and (S, R) resamples; p if it is a difference."""
    resampled = over(values, drawn)
    low, high = np.quantile(resampled, [0.025, 0.975])
    against = head[3]
    return Row(
        *head,
        len(values),
        float(values.mean()),
        float(low),
        float(high),
        float(values.std(ddof=1)) if len(values) > 1 else None,
        _two_sided(resampled) if against else None,
    )


def _values(runs: list[Measured], key: str) -> NDArray[np.float64]:
    found = [one.result.find(key) for one in runs]
    return np.array([np.nan if one is None or one.value is None else one.value for one in found])


def _resamples(runs: list[Measured], key: str) -> NDArray[np.float64]:
    return np.stack([one.replicates[key] for one in runs])


def over_trainings(values: Floats, drawn: Floats) -> Floats:
    """Return (R,) means over trainings that share their test patients, drawn with replacement.

    Args:
        values: (S,) figure of each training; not needed here.
        drawn: (S, R) the same on resampled patients, the same resamples for all trainings.

    """
    del values
    trainings, replicates = drawn.shape
    chosen = np.random.default_rng(0).integers(trainings, size=(trainings, replicates))
    mean: Floats = np.take_along_axis(drawn, chosen, axis=0).mean(axis=0)
    return mean[np.isfinite(mean)]


def over_folds(values: Floats, drawn: Floats) -> Floats:
    """Return (R,) means over trainings that were tested on patients of their own.

    Folds differ by their patients, whom the resamples speak for, and by their training. What is
    left of the variance between folds is the trainings' (random effects, DerSimonian and Laird,
    Control Clin Trials 1986) and is added as normal noise.

    Args:
        values: (S,) figure of each fold.
        drawn: (S, R) the same on resampled patients, independent between folds.

    """
    folds, replicates = drawn.shape
    mean: Floats = drawn.mean(axis=0)
    if folds > 1:
        of_trainings = max(0.0, float(values.var(ddof=1) - drawn.var(axis=1, ddof=1).mean()))
        noise = np.random.default_rng(0).standard_normal(replicates)
        mean = mean + noise * np.sqrt(of_trainings / folds)
    return mean[np.isfinite(mean)]


def _two_sided(drawn: NDArray[np.float64]) -> float:
    below, above = int((drawn <= 0).sum()), int((drawn >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (len(drawn) + 1))
