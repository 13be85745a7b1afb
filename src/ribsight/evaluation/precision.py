"""Precision against recall: average precision of images and of regions, weighted for resamples."""

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.ranking import Passed, passed, ratio
from ribsight.evaluation.roc import rank_images

_COCO_RECALLS = np.linspace(0, 1, 101)


def average_precision(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the average precision of (N,) image scores: sum of precision times gain in recall.

    NaN without a positive image. Equal scores are one threshold.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    0.8333333333333333
    """
    sums = passed(rank_images(scores, positive), np.ones((1, len(scores))))
    return float(area_under_precision(sums, sums.positives)[0])


def area_under_precision(sums: Passed, positives: Floats) -> Floats:
    """Return (R,) sum over thresholds of (gain in recall) x precision.

    Args:
        sums: positive items (images with the finding; hits) against negative ones (images
            without; false marks).
        positives: (R,) weight of all that could be found, found or not.
    """
    precision = ratio(sums.true, sums.true + sums.through)
    return ratio(np.nansum(sums.gained * precision, axis=1), positives)


def coco_average_precision(sums: Passed, positives: Floats) -> Floats:
    """Return (R,) COCO's: mean over 101 recalls of the highest precision at that recall or more."""
    precision = np.nan_to_num(ratio(sums.true, sums.true + sums.through))
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    highest = np.concatenate([highest, np.zeros((len(highest), 1))], axis=1)
    recall = ratio(sums.true, positives[:, None])
    place = [np.searchsorted(row, _COCO_RECALLS, side="left") for row in recall]
    read = np.take_along_axis(highest, np.array(place).reshape(len(recall), -1), axis=1)
    values: Floats = read.mean(axis=1)
    values[positives == 0] = np.nan
    return values
