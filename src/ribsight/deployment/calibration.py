"""What raw scores mean as probabilities, kept beside the model they were fitted for."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ribsight.documents import read_document, reading, require_model
from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.documents import origin
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.measure import Measured
from ribsight.evaluation.score import Scored
from ribsight.evaluation.score_maps import Fitted, Isotonic, Known, Method, Platt, ScoreMap, fit
from ribsight.evaluation.truth import Truth
from ribsight.files import write_text

SCHEMA = "ribsight-calibration/1"
FILE = "calibration.json"


@dataclass(frozen=True)
class FindingCalibration:
    """Maps of one finding; `marks` is None where no region was drawn to fit it to."""

    image: ScoreMap
    marks: ScoreMap | None


@dataclass(frozen=True)
class Calibration:
    """Maps by finding; of a finding without one, no probability is said."""

    findings: Mapping[str, FindingCalibration] = field(default_factory=dict)

    def of_image(self, finding: str, score: float) -> float | None:
        """Return the probability that the image has the finding; None without a map."""
        one = self.findings.get(finding)
        return None if one is None else _probability(one.image, score)

    def of_mark(self, finding: str, score: float) -> float | None:
        """Return the probability that a mark lies on the finding; None without a map."""
        one = self.findings.get(finding)
        return None if one is None or one.marks is None else _probability(one.marks, score)


@dataclass(frozen=True)
class FittedFinding:
    """What was fitted for one finding; `no_marks` says why `marks` is None."""

    image: Fitted
    marks: Fitted | None
    no_marks: str = ""


def fit_finding(
    measured: Measured,
    method: Method | Literal["auto"] = "auto",
    *,
    prevalence: float | None = None,
    seed: int = 0,
) -> FittedFinding:
    """Fit both maps of one finding to scored validation images.

    A mark is true if it hits a region or lies on one that another mark has hit.

    Args:
        measured: matches and truth, of images whose state is known.
        method: `isotonic`, `platt` or `auto`.
        prevalence: share of images with the finding where the detector will work; images are
            weighted to it. None for the validation images' own.
        seed: of the cross-validation that chooses.

    Raises:
        RibsightError: no image has the finding, or all have it.
    """
    truth = measured.truth
    positives = int(truth.positive.sum())
    if positives in (0, len(truth.images)):
        which = "no image has" if positives == 0 else "every image has"
        raise RibsightError(
            f"'{truth.finding}' cannot be calibrated: {which} it on validation, and a probability "
            "needs both"
        )
    weights = _weights(truth, prevalence)
    images = Known(
        scores=measured.reading.image_scores,
        true=truth.positive.astype(np.float64),
        groups=truth.groups,
        weights=weights,
    )
    marks = _known_marks(truth, measured.table, weights)
    lacking = "" if marks.positives and marks.negatives else _lacking(truth, marks)
    return FittedFinding(
        image=fit(images, method, seed=seed),
        marks=None if lacking else fit(marks, method, seed=seed),
        no_marks=lacking,
    )


def _weights(truth: Truth, prevalence: float | None) -> Floats:
    if prevalence is None:
        return np.ones(len(truth.images))
    share = truth.positive.mean()
    return np.asarray(
        np.where(truth.positive, prevalence / share, (1 - prevalence) / (1 - share)), np.float64
    )


def _known_marks(truth: Truth, table: MatchTable, weights: Floats) -> Known:
    told = table.outcome != Outcome.LEFT_OUT
    image = table.image[told]
    true = np.isin(table.outcome[told], (Outcome.HIT, Outcome.DUPLICATE))
    return Known(table.score[told], true.astype(np.float64), truth.groups[image], weights[image])


def _lacking(truth: Truth, marks: Known) -> str:
    if not len(truth.region_image):
        return "no region is drawn on validation, so nobody knows which mark is right"
    return "no mark hits a region" if not marks.positives else "no mark is false"


def write_calibration(
    fitted: Mapping[str, FittedFinding], scored: Scored, prevalence: float | None, path: Path
) -> None:
    """Write maps and what they stand on as JSON, bound to the model, in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    document = {
        "schema": SCHEMA,
        **origin(scored.evaluation),
        "prevalence": prevalence,
        "findings": {
            name: {
                "image": _fitted_document(one.image),
                "marks": None if one.marks is None else _fitted_document(one.marks),
                "no_marks": one.no_marks,
            }
            for name, one in fitted.items()
        },
    }
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_calibration(folder: Path, model_sha256: str) -> Calibration:
    """Return the calibration beside a model; an empty one if nobody made any.

    Args:
        folder: holds `calibration.json`, as `ribsight calibrate` writes it.
        model_sha256: identity of the model it must have been fitted for.

    Raises:
        RibsightError: the file is damaged, or was written for another model.
    """
    path = folder / FILE
    with reading(path, "calibration"):
        if not path.exists():
            return Calibration()
        document = read_document(path, SCHEMA)
        model = document["model"]["sha256"]
        findings = {
            name: FindingCalibration(
                image=_map_from(one["image"]),
                marks=None if one["marks"] is None else _map_from(one["marks"]),
            )
            for name, one in document["findings"].items()
        }
    require_model(
        model,
        model_sha256,
        f"the calibration in {path} was fitted",
        "probabilities do not carry over, run ribsight calibrate",
    )
    return Calibration(findings)


def _probability(score_map: ScoreMap, score: float) -> float:
    return round(float(score_map(np.array([score]))[0]), 6)


def _fitted_document(fitted: Fitted) -> dict[str, Any]:
    figures = {
        "positives": fitted.positives,
        "negatives": fitted.negatives,
        "brier_raw": fitted.brier_raw,
        "brier": None if math.isnan(fitted.brier) else fitted.brier,
        "brier_constant": fitted.brier_constant,
        "why": fitted.why,
    }
    if isinstance(fitted.map, Platt):
        return {
            "method": "platt", "slope": fitted.map.slope, "offset": fitted.map.offset, **figures,
        }  # fmt: skip
    return {
        "method": "isotonic",
        "scores": list(fitted.map.scores),
        "probabilities": list(fitted.map.probabilities),
        **figures,
    }


def _map_from(document: Mapping[str, Any]) -> ScoreMap:
    if document["method"] == "platt":
        return Platt(float(document["slope"]), float(document["offset"]))
    if document["method"] != "isotonic":
        raise ValueError(f"no method is named {document['method']}")
    scores = tuple(map(float, document["scores"]))
    probabilities = tuple(map(float, document["probabilities"]))
    if len(scores) != len(probabilities) or not scores:
        raise ValueError("steps without a probability each")
    if list(scores) != sorted(scores) or list(probabilities) != sorted(probabilities):
        raise ValueError("steps that do not rise")
    return Isotonic(scores, probabilities)
