"""Images of one patient as one: a patient is as suspicious as the most suspicious image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import NOT_KNOWN, Truth


@dataclass(frozen=True, eq=False)
class Patients:
    """(P,) patients: highest image score, whether any image is positive, one of its images."""

    score: Floats
    positive: NDArray[np.bool_]
    image: NDArray[np.int64]


def patients_of(truth: Truth, reading: Reading) -> Patients:
    """Return the patients with an image of known state.

    Raises:
        RibsightError: patients are not known, or one is in two groups of resampling.
    """
    known = np.flatnonzero(truth.state != NOT_KNOWN)
    if not truth.patients:
        raise RibsightError("patient AUROC is not defined: the patients are not known")
    names, first, patient = np.unique(
        np.array(truth.patients)[known], return_index=True, return_inverse=True
    )
    if (truth.groups[known] != truth.groups[known][first][patient]).any():
        raise RibsightError(
            "patient AUROC is not defined: a patient is in two groups of resampling"
        )
    score = np.full(len(names), -np.inf)
    np.maximum.at(score, patient, reading.image_scores[known])
    positive = np.bincount(patient, weights=truth.positive[known], minlength=len(names)) > 0
    return Patients(score, positive, known[first])
