"""One detector's answers against the truth, from wherever they come; two of them compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import two_sided_p
from ribsight.evaluation.comparing import holm, permutation_p
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.delong_figures import delong_change
from ribsight.evaluation.measure import Measured, figure, measure
from ribsight.evaluation.protocol import Protocol, require_equal
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.results import (
    Comparison,
    Difference,
    Evaluation,
    Figure,
    NamedDifference,
    OperatingPoint,
)
from ribsight.evaluation.strata import Column, usual_columns
from ribsight.evaluation.truth import Truth, known_only

REPLICATES = 2000


@dataclass(frozen=True, eq=False)
class TruthSet:
    """What is true of every finding, and where that is written.

    Attributes:
        truths: by finding, all on the same images.
        fingerprint: SHA-256 of the data.
        split: the part of it.
    """

    truths: Mapping[str, Truth]
    fingerprint: str
    split: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What a detector said.

    Attributes:
        model: its name.
        sha256: of its weights, or of the file of its answers.
        findings: what it answers about.
        reading: its answers on a truth's images; raises RibsightError where they do not fit.
        names: what its file calls its findings, if that names any.
    """

    model: str
    sha256: str
    findings: tuple[str, ...]
    reading: Callable[[Truth], Reading]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scoring:
    """How to score.

    Attributes:
        protocol: what marks count for.
        replicates: bootstrap resamples of groups.
        seed: of the resamples.
        points: operating points to apply as they are.
        prevalence: for predictive values; None for the images' own.
        strata: columns to part by; None for the usual ones.
    """

    protocol: Protocol = field(default_factory=Protocol)
    replicates: int = REPLICATES
    seed: int = 0
    points: tuple[OperatingPoint, ...] = ()
    prevalence: float | None = None
    strata: tuple[Column, ...] | None = ()


@dataclass(frozen=True, eq=False)
class Scored:
    """An evaluation, and by finding what it was made from."""

    evaluation: Evaluation
    measured: Mapping[str, Measured]


def score(truth: TruthSet, answers: Answers, scoring: Scoring) -> Scored:
    """Return every figure of every finding that the truth and the answers share.

    Raises:
        RibsightError: no finding is shared, nothing is known of one, or the answers do not fit.
    """
    shared = [name for name in truth.truths if name in answers.findings]
    if not shared:
        raise RibsightError(
            f"the predictions are of {', '.join(answers.findings)}, the cohort knows "
            f"{', '.join(truth.truths)}: there is no finding to evaluate"
        )
    measured = {name: _measured(truth, name, answers, scoring) for name in shared}
    evaluation = Evaluation(
        model=answers.model,
        model_sha256=answers.sha256,
        cohort_fingerprint=truth.fingerprint,
        split=truth.split,
        protocol=scoring.protocol,
        replicates=scoring.replicates,
        seed=scoring.seed,
        findings=tuple(one.result for one in measured.values()),
        not_predicted=tuple(name for name in truth.truths if name not in measured),
        prevalence=scoring.prevalence,
    )
    return Scored(evaluation, measured)


def _measured(truth: TruthSet, name: str, answers: Answers, scoring: Scoring) -> Measured:
    whole = truth.truths[name]
    known = known_only(whole)
    if not known.images:
        raise RibsightError(
            f"'{name}' is known on none of the {len(whole.images)} radiographs in split "
            f"'{truth.split}': there is nothing to evaluate against"
        )
    return measure(
        known,
        answers.reading(known),
        scoring.protocol,
        replicates=scoring.replicates,
        seed=scoring.seed,
        left_out_unknown=len(whole.images) - len(known.images),
        points=[one for one in scoring.points if one.finding == name],
        prevalence=scoring.prevalence,
        strata=usual_columns(known) if scoring.strata is None else scoring.strata,
    )


def compare_scored(a: Scored, b: Scored, *, permutations: int, seed: int) -> Comparison:
    """Return, per shared finding, every figure of b minus that of a, paired.

    Raises:
        RibsightError: the two were scored under different protocols, on different data or with
            different resamples.
    """
    one, other = a.evaluation, b.evaluation
    require_equal(one.protocol, other.protocol)
    for what, left, right in (
        ("data", one.cohort_fingerprint, other.cohort_fingerprint),
        ("splits", one.split, other.split),
        ("resamples", (one.replicates, one.seed), (other.replicates, other.seed)),
    ):
        if left != right:
            raise RibsightError(
                f"results on different {what} cannot be compared: {left} in one and {right} in "
                "the other"
            )
    differences = [
        _difference(a.measured[name], b.measured[name], permutations, seed)
        for name in a.measured
        if name in b.measured
    ]
    (adjusted,) = adjust([Comparison(one, other, tuple(differences))])
    return adjusted


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with the permutation p values of all of them as one Holm family."""
    family = [
        one.p_permutation
        for comparison in comparisons
        for difference in comparison.differences
        for one in difference.figures
    ]
    adjusted = iter(holm(family))
    return [
        replace(
            comparison,
            differences=tuple(
                replace(
                    difference,
                    figures=tuple(
                        replace(one, p_holm=next(adjusted)) for one in difference.figures
                    ),
                )
                for difference in comparison.differences
            ),
        )
        for comparison in comparisons
    ]


def _difference(a: Measured, b: Measured, permutations: int, seed: int) -> Difference:
    permuted: Mapping[str, float] = {}
    if permutations and a.result.counts.groups > 1:
        both = ((a.reading, a.table), (b.reading, b.table))
        permuted = permutation_p(a.truth, *both, permutations=permutations, seed=seed)
    named = []
    for one in a.result.figures:
        other = b.result.find(one.key)
        if other is None or one.key == "ece_corrected":
            continue
        if one.key.endswith("_delong"):
            named.append(delong_change(a.truth, a.reading, b.reading, one.key))
            continue
        change, p = _paired(
            one.figure,
            other,
            a.replicates.get(one.key, np.zeros(0)),
            b.replicates.get(one.key, np.zeros(0)),
            a.result.counts.groups,
        )
        named.append(
            NamedDifference(one.key, one.label, one.level, change, p, permuted.get(one.key))
        )
    area = next(one for one in named if one.key == "auroc")
    froc = next(one for one in named if one.key == "froc_score")
    return Difference(
        a.result.finding, area.difference, area.p, froc.difference, froc.p, tuple(named)
    )


def _paired(
    a: Figure, b: Figure, replicates_a: Floats, replicates_b: Floats, groups: int
) -> tuple[Figure, float | None]:
    """Return b - a with the interval of the paired differences, and its p value."""
    if a.value is None or b.value is None:
        return Figure(None, None, None, 0, 0, a.note or b.note), None
    differences = replicates_b - replicates_a
    difference = figure(b.value - a.value, differences, groups)
    return difference, two_sided_p(differences) if difference.replicates else None
