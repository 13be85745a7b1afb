"""What an evaluation found, and `evaluation.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.protocol import Protocol
from ribsight.files import write_text

SCHEMA = "ribsight-evaluation/1"


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval; a value or bound that is not defined is None.

    Attributes:
        value: the figure on the images as they are.
        low: lower bound of the clustered bootstrap interval.
        high: upper bound.
        replicates: resamples that gave the interval.
        dropped: resamples without a positive, a negative or a region, so without a figure.
        note: why the value or the interval is missing; otherwise empty.
    """

    value: float | None
    low: float | None
    high: float | None
    replicates: int
    dropped: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """(Q,) points of a curve, and its pointwise 95 % bounds where there are some."""

    x: Floats
    y: Floats
    low: Floats | None
    high: Floats | None


@dataclass(frozen=True)
class Counts:
    """What the figures of one finding stand on.

    Attributes:
        images: images of known state: positive + negative.
        positive: images with the finding.
        negative: images without.
        groups: patients, or whatever the cohort groups by.
        lesions: drawn regions.
        marks: marks on the images that count in the FROC.
        left_out_unknown: images of uncertain or unknown state, in no figure.
        left_out_of_froc: positive images without a drawn region, in the AUROC only.
    """

    images: int
    positive: int
    negative: int
    groups: int
    lesions: int
    marks: int
    left_out_unknown: int
    left_out_of_froc: int


@dataclass(frozen=True)
class SensitivityAt:
    """Share of regions hit at a rate of false positives per image."""

    false_positives_per_image: float
    sensitivity: Figure


@dataclass(frozen=True, eq=False)
class FindingResult:
    """All figures of one finding; a curve that is not defined is None."""

    finding: str
    counts: Counts
    auroc: Figure
    froc_score: Figure
    sensitivity_at: tuple[SensitivityAt, ...]
    roc: Curve | None
    froc: Curve | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model on one split under one protocol.

    Attributes:
        model: its name.
        model_sha256: of its weights.
        cohort_fingerprint: `Cohort.fingerprint` of the whole cohort.
        split: the part that was evaluated.
        protocol: what the FROC numbers mean.
        replicates: bootstrap resamples asked for.
        seed: of the resamples.
        findings: one result a finding that the model predicts and the cohort knows.
        not_predicted: findings of the cohort that the model does not predict.
    """

    model: str
    model_sha256: str
    cohort_fingerprint: str
    split: str
    protocol: Protocol
    replicates: int
    seed: int
    findings: tuple[FindingResult, ...]
    not_predicted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Figures of model b minus model a on the same resamples, and two-sided p values."""

    finding: str
    auroc: Figure
    auroc_p: float | None
    froc_score: Figure
    froc_score_p: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models on the same images, resampled alike, so that differences are paired."""

    a: Evaluation
    b: Evaluation
    differences: tuple[Difference, ...]


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write `evaluation.json` (keys in docs/evaluation.md) in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    write_text(path, json.dumps(evaluation_document(evaluation), indent=1, allow_nan=False) + "\n")


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return what `write_evaluation` writes."""
    return {
        "schema": SCHEMA,
        "model": {"name": evaluation.model, "sha256": evaluation.model_sha256},
        "cohort": {"fingerprint": evaluation.cohort_fingerprint, "split": evaluation.split},
        "protocol": evaluation.protocol.to_dict(),
        "bootstrap": {
            "resampled": "groups",
            "replicates": evaluation.replicates,
            "seed": evaluation.seed,
            "interval": "percentile",
            "level": 0.95,
        },
        "findings": {
            one.finding: _finding_document(one, evaluation.protocol.describe())
            for one in evaluation.findings
        },
        "not_predicted": list(evaluation.not_predicted),
    }


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return both evaluations and the paired differences b - a, ready for JSON."""
    return {
        "a": evaluation_document(comparison.a),
        "b": evaluation_document(comparison.b),
        "differences": [asdict(one) for one in comparison.differences],
    }


def _finding_document(result: FindingResult, sentence: str) -> dict[str, Any]:
    return {
        "counts": asdict(result.counts),
        "auroc": asdict(result.auroc),
        "froc_score": {**asdict(result.froc_score), "protocol": sentence},
        "sensitivity_at": [asdict(one) for one in result.sensitivity_at],
        "curves": {
            "roc": _curve_document(result.roc, "false_positive_rate"),
            "froc": _curve_document(result.froc, "false_positives_per_image"),
        },
    }


def _curve_document(curve: Curve | None, x_name: str) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        x_name: curve.x.tolist(),
        "sensitivity": curve.y.tolist(),
        "low": None if curve.low is None else curve.low.tolist(),
        "high": None if curve.high is None else curve.high.tolist(),
    }
