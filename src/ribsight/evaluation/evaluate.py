"""Predictions against a cohort: one model, or two on the same resamples."""

from collections.abc import Sequence

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.image_columns import with_columns
from ribsight.evaluation.inputs.rows import ImageRow
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import check_complete, reading_of
from ribsight.evaluation.results import Comparison, Evaluation, OperatingPoint
from ribsight.evaluation.score import (
    REPLICATES,
    Answers,
    Scored,
    Scoring,
    TruthSet,
    compare_scored,
    score,
)
from ribsight.evaluation.strata import Column
from ribsight.evaluation.truth import truth_of


def evaluate(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    points: Sequence[OperatingPoint] = (),
    prevalence: float | None = None,
    strata: Sequence[Column] | None = (),
) -> Evaluation:
    """Return every figure of every finding that the predictions and the cohort share.

    Args:
        predictions: of at least every radiograph in `split`; further ones are left aside.
        cohort: with splits.
        split: `train`, `val` or `test`.
        protocol: of the FROC.
        replicates: bootstrap resamples of groups.
        seed: of the resamples.
        points: operating points, applied as they are.
        prevalence: for predictive values; None for the split's own.
        strata: columns to part by; None for the usual ones.

    Raises:
        RibsightError: a radiograph of the split has no prediction, a prediction does not fit its
            radiograph, or no finding is shared.
    """
    columns = None if strata is None else tuple(strata)
    scoring = Scoring(protocol, replicates, seed, tuple(points), prevalence, columns)
    return score_on_cohort(predictions, cohort, split, scoring).evaluation


def compare(
    predictions_a: Predictions,
    predictions_b: Predictions,
    cohort: Cohort,
    split: str,
    protocol: Protocol,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    permutations: int = 0,
) -> Comparison:
    """Return both evaluations and, per shared finding, b - a on the same resamples.

    Arguments and errors as in `evaluate`; `permutations` of the groups, for their p values.
    """
    scoring = Scoring(protocol, replicates, seed)
    a, b = (score_on_cohort(one, cohort, split, scoring) for one in (predictions_a, predictions_b))
    return compare_scored(a, b, permutations=permutations, seed=seed)


def score_on_cohort(
    predictions: Predictions,
    cohort: Cohort,
    split: str,
    scoring: Scoring,
    further: Sequence[ImageRow] | None = None,
) -> Scored:
    """Return what `evaluate` does, with the matches and resamples it was made from.

    `further` are rows about images or patients whose columns become strata.
    """
    part = cohort.select(split)
    check_complete(predictions, part.ids)
    shared = [name for name in cohort.findings if name in predictions.findings]
    if not shared:
        raise RibsightError(
            f"the predictions are of {', '.join(predictions.findings)}, the cohort knows "
            f"{', '.join(cohort.findings)}: there is no finding to evaluate"
        )
    truths = {name: truth_of(part, name) for name in cohort.findings}
    if further is not None:
        truths = {
            name: with_columns(one, further, "the CSV of images") for name, one in truths.items()
        }
    truth = TruthSet(
        truths=truths,
        fingerprint=cohort.fingerprint(),
        split=split,
    )
    return score(truth, answers_of(predictions), scoring)


def answers_of(predictions: Predictions) -> Answers:
    """Return predictions as answers to any truth."""
    return Answers(
        model=predictions.model,
        sha256=predictions.model_sha256,
        findings=predictions.findings,
        reading=lambda truth: reading_of(predictions, truth),
    )
