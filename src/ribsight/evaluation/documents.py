"""`evaluation.json` and `comparison.json`: what an evaluation found, for programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ribsight.evaluation.results import Comparison, Curve, Evaluation, FindingResult
from ribsight.files import write_text

SCHEMA = "ribsight-evaluation/1"


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write `evaluation.json` (keys in docs/evaluation.md) in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    write_text(path, json.dumps(evaluation_document(evaluation), indent=1, allow_nan=False) + "\n")


def origin(evaluation: Evaluation) -> dict[str, Any]:
    """Return what binds a document to the model, the data and the protocol it was made from."""
    return {
        "model": {"name": evaluation.model, "sha256": evaluation.model_sha256},
        "cohort": {"fingerprint": evaluation.cohort_fingerprint, "split": evaluation.split},
        "protocol": evaluation.protocol.to_dict(),
    }


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return what `write_evaluation` writes."""
    return {
        "schema": SCHEMA,
        **origin(evaluation),
        "bootstrap": {
            "resampled": "groups",
            "replicates": evaluation.replicates,
            "seed": evaluation.seed,
            "interval": "bca",
            "level": 0.95,
        },
        "findings": {
            one.finding: _finding_document(one, evaluation.protocol.describe())
            for one in evaluation.findings
        },
        "not_predicted": list(evaluation.not_predicted),
        "prevalence": evaluation.prevalence,
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
            "wafroc": _curve_document(result.wafroc, "share_of_images_without_finding"),
        },
        "figures": [asdict(one) for one in result.figures],
        "reliability": None
        if result.reliability is None
        else {name: values.tolist() for name, values in vars(result.reliability).items()},
        "strata": [asdict(one) for one in result.strata],
        "operating_points": [asdict(one) for one in result.operating_points],
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
