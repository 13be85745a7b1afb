"""AUROCs of images and patients with intervals that need no resampling, and their differences."""

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.delong import delong_difference, delong_logit
from ribsight.evaluation.names import level_and_label
from ribsight.evaluation.patients import patients_of
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.results import Figure, NamedDifference, NamedFigure
from ribsight.evaluation.truth import Truth


def delong_figure(truth: Truth, reading: Reading, key: str) -> NamedFigure:
    """Return `auroc_delong` or `patient_auroc_delong` with its interval, or why there is none."""
    level, label = level_and_label(key)
    try:
        one = delong_logit(*ranked_by_delong(truth, reading, key))
    except RibsightError as error:
        return NamedFigure(key, label, level, Figure(None, None, None, 0, 0, str(error)))
    if np.isnan(one.low):
        note = "no interval: no pair is in the wrong order (or all are), so there is no variance"
        return NamedFigure(key, label, level, Figure(one.value, None, None, 0, 0, note))
    return NamedFigure(key, label, level, Figure(one.value, one.low, one.high, 0, 0))


def ranked_by_delong(
    truth: Truth, reading: Reading, key: str
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Return scores, truth and groups of images, or of patients for `patient_auroc_delong`.

    Raises:
        RibsightError: the patients are not known.
    """
    if not key.startswith("patient"):
        return reading.image_scores, truth.positive, truth.groups
    one = patients_of(truth, reading)
    return one.score, one.positive, truth.groups[one.image]


def delong_change(truth: Truth, a: Reading, b: Reading, key: str) -> NamedDifference:
    """Return b minus a of one of those figures, paired, with DeLong's interval and p value."""
    level, label = level_and_label(key)
    scores, positive, groups = ranked_by_delong(truth, a, key)
    other, _, _ = ranked_by_delong(truth, b, key)
    try:
        one = delong_difference(scores, other, positive, groups)
    except RibsightError as error:
        nothing = Figure(None, None, None, 0, 0, str(error))
        return NamedDifference(key, label, level, nothing, None)
    p = 1.0 if one.p is None and one.value == 0 else one.p
    return NamedDifference(key, label, level, Figure(one.value, one.low, one.high, 0, 0), p)
