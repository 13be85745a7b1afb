"""What a detector does at one fixed threshold: of images, and of marks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.froc import denominator, false_marks
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.ranking import ratio
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import NEGATIVE, Truth


@dataclass(frozen=True, eq=False)
class Calls:
    """(N,) counts on each image at one threshold.

    Attributes:
        called: 1 where the image's score reaches the threshold.
        positive: 1 where the finding is there.
        negative: 1 where it is not.
        hits: marks at the threshold or above that hit.
        false: false marks at the threshold or above, on images in the rate's denominator.
        lesions: regions.
        counted: what each image adds to the rate's denominator.
    """

    called: Floats
    positive: Floats
    negative: Floats
    hits: Floats
    false: Floats
    lesions: Floats
    counted: Floats


def calls_at(threshold: float, truth: Truth, reading: Reading, table: MatchTable) -> Calls:
    """Return the counts when a score >= `threshold` calls an image positive and shows a mark."""
    counted = denominator(truth, table.protocol)
    loud = table.score >= threshold
    false = false_marks(table, table.protocol) & (counted[table.image] > 0) & loud
    return Calls(
        called=(reading.image_scores >= threshold).astype(float),
        positive=truth.positive.astype(float),
        negative=(truth.state == NEGATIVE).astype(float),
        hits=_per_image(table.image[(table.outcome == Outcome.HIT) & loud], truth),
        false=_per_image(table.image[false], truth),
        lesions=truth.lesions.astype(float),
        counted=counted,
    )


def figures_at(calls: Calls, weights: Floats, prevalence: float | None = None) -> dict[str, Floats]:
    """Return (R,) figures by key; a figure that is not defined is NaN.

    Args:
        calls: from `calls_at`.
        weights: (R, N) resample counts.
        prevalence: share of images with the finding for which predictive values are stated; the
            images' own if not given.
    """
    positives, negatives = weights @ calls.positive, weights @ calls.negative
    sensitivity = ratio(weights @ (calls.called * calls.positive), positives)
    specificity = 1 - ratio(weights @ (calls.called * calls.negative), negatives)
    share = ratio(positives, positives + negatives) if prevalence is None else prevalence
    hits, false = weights @ calls.hits, weights @ calls.false
    recall, precision = ratio(hits, weights @ calls.lesions), ratio(hits, hits + false)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ratio(sensitivity * share, sensitivity * share + (1 - specificity) * (1 - share)),
        "npv": ratio(
            specificity * (1 - share), specificity * (1 - share) + (1 - sensitivity) * share
        ),
        "lesion_recall": recall,
        "lesion_precision": precision,
        "lesion_f1": f_score(precision, recall, 1.0),
        "lesion_f2": f_score(precision, recall, 2.0),
        "false_positives_per_image": ratio(false, np.round(weights @ calls.counted, 9)),
    }


def f_score(precision: Floats, recall: Floats, beta: float) -> Floats:
    """Return (1 + b^2) P R / (b^2 P + R): recall counts `beta` times as much as precision.

    0 where nothing is hit; NaN where recall is not defined. van Rijsbergen 1979.
    """
    precision = np.where(np.isnan(precision), 0.0, precision)
    score = ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)
    return np.where((recall == 0) & np.isnan(score), 0.0, score)


def _per_image(image: NDArray[np.int64], truth: Truth) -> Floats:
    return np.bincount(image, minlength=len(truth.images)).astype(np.float64)
