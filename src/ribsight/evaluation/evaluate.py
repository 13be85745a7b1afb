"""Predictions against a cohort: one model, or two on the same resamples."""

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import two_sided_p
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.measure import Measured, figure, measure
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import check_complete, reading_of
from ribsight.evaluation.results import Comparison, Difference, Evaluation, Figure
from ribsight.evaluation.truth import known_only, truth_of

REPLICATES = 2000


def evaluate(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Return every figure of every finding that the predictions and the cohort share.

    Args:
        predictions: of at least every radiograph in `split`; further ones are left aside.
        cohort: with splits.
        split: `train`, `val` or `test`.
        protocol: of the FROC.
        replicates: bootstrap resamples of groups.
        seed: of the resamples.

    Raises:
        RibsightError: a radiograph of the split has no prediction, a prediction does not fit its
            radiograph, or no finding is shared.
    """
    measured = _measure_all(predictions, cohort, split, protocol, replicates, seed)
    return _evaluation(measured, predictions, cohort, split, protocol, replicates, seed)


def compare(
    predictions_a: Predictions,
    predictions_b: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Return both evaluations and, per shared finding, b - a on the same resamples.

    Arguments and errors as in `evaluate`.
    """
    a = _measure_all(predictions_a, cohort, split, protocol, replicates, seed)
    b = _measure_all(predictions_b, cohort, split, protocol, replicates, seed)
    return Comparison(
        a=_evaluation(a, predictions_a, cohort, split, protocol, replicates, seed),
        b=_evaluation(b, predictions_b, cohort, split, protocol, replicates, seed),
        differences=tuple(_difference(a[name], b[name]) for name in a if name in b),
    )


def _measure_all(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    replicates: int,
    seed: int,
) -> dict[str, Measured]:
    part = cohort.select(split)
    check_complete(predictions, part.ids)
    shared = [name for name in cohort.findings if name in predictions.findings]
    if not shared:
        raise RibsightError(
            f"the predictions are of {', '.join(predictions.findings)}, the cohort knows "
            f"{', '.join(cohort.findings)}: there is no finding to evaluate"
        )
    measured = {}
    for finding in shared:
        whole = truth_of(part, finding)
        truth = known_only(whole)
        if not truth.images:
            raise RibsightError(
                f"'{finding}' is known on none of the {len(whole.images)} radiographs in split "
                f"'{split}': there is nothing to evaluate against"
            )
        measured[finding] = measure(
            truth,
            reading_of(predictions, truth),
            protocol,
            replicates=replicates,
            seed=seed,
            left_out_unknown=len(whole.images) - len(truth.images),
        )
    return measured


def _evaluation(
    measured: dict[str, Measured],
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    replicates: int,
    seed: int,
) -> Evaluation:
    return Evaluation(
        model=predictions.model,
        model_sha256=predictions.model_sha256,
        cohort_fingerprint=cohort.fingerprint(),
        split=split,
        protocol=protocol,
        replicates=replicates,
        seed=seed,
        findings=tuple(one.result for one in measured.values()),
        not_predicted=tuple(name for name in cohort.findings if name not in measured),
    )


def _difference(a: Measured, b: Measured) -> Difference:
    lone_group = a.result.counts.groups == 1
    area, area_p = _paired(a.result.auroc, b.result.auroc, a.auroc, b.auroc, lone_group)
    score, score_p = _paired(
        a.result.froc_score, b.result.froc_score, a.froc_score, b.froc_score, lone_group
    )
    return Difference(a.result.finding, area, area_p, score, score_p)


def _paired(
    a: Figure, b: Figure, replicates_a: Floats, replicates_b: Floats, lone_group: bool
) -> tuple[Figure, float | None]:
    """Return b - a with the interval of the paired differences, and its p value."""
    differences = replicates_b - replicates_a
    if a.value is None or b.value is None:
        return figure(None, differences, lone_group, a.note or b.note), None
    difference = figure(b.value - a.value, differences, lone_group)
    return difference, two_sided_p(differences) if difference.replicates else None
