"""What a detector said of one finding, checked and aligned with the truth, as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import ImagePrediction, Predictions
from ribsight.evaluation.truth import Truth


@dataclass(frozen=True, eq=False)
class Reading:
    """One detector, one finding, the N images of a `Truth`, M marks in any order.

    Attributes:
        image_scores: (N,) score of each image, higher for more suspicious.
        mark_image: (M,) index of the image each mark lies on.
        mark_xy: (M, 2) location x, y in stored pixels, origin at the top-left corner of the
            top-left pixel.
        mark_scores: (M,) score of each mark.
        mark_boxes: (M, 4) x0, y0, x1, y1 in stored pixels; NaN where a mark has no box; empty if
            none has.
    """

    image_scores: NDArray[np.float64]
    mark_image: NDArray[np.int64]
    mark_xy: NDArray[np.float64]
    mark_scores: NDArray[np.float64]
    mark_boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))


def check_complete(predictions: Predictions, images: Sequence[str]) -> None:
    """Hold that every image was predicted, and once: skipping hard images would look better.

    Raises:
        RibsightError: how many images have no prediction and the first of them, or the first
            that has two.
    """
    seen: set[str] = set()
    for one in predictions.images:
        if one.id in seen:
            raise RibsightError(f"the predictions hold radiograph {one.id} twice")
        seen.add(one.id)
    missing = [id_ for id_ in images if id_ not in seen]
    if missing:
        failed = f" ({len(predictions.failed)} files failed there)" if predictions.failed else ""
        raise RibsightError(
            f"{len(missing)} of {len(images)} radiographs have no prediction{failed}, the first is "
            f"{missing[0]}: predict all of them, a figure over the others would flatter"
        )


def reading_of(predictions: Predictions, truth: Truth) -> Reading:
    """Return what `predictions` say of the truth's finding on the truth's images.

    Predictions of further images are left aside.

    Raises:
        RibsightError: an image or the finding is missing, was predicted at another size, has a
            score that is not a number, or a mark outside the image.
    """
    check_complete(predictions, truth.images)
    by_id = {one.id: one for one in predictions.images}
    rows: list[tuple[float, ...]] = []
    image_scores = np.zeros(len(truth.images))
    for index, id_ in enumerate(truth.images):
        width, height = truth.sizes[index]
        one = by_id[id_]
        if not np.isnan(width) and (one.width, one.height) != (width, height):
            raise RibsightError(
                f"radiograph {id_} was predicted at {one.width} x {one.height} pixels but the "
                f"cohort has {width:g} x {height:g}: marks must be in stored pixels"
            )
        image_scores[index], marks = _finding_marks(one, truth.finding)
        rows.extend((index, *mark) for mark in marks)
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    reading = Reading(
        image_scores=image_scores,
        mark_image=table[:, 0].astype(np.int64),
        mark_xy=table[:, 1:3],
        mark_scores=table[:, 3],
        mark_boxes=table[:, 4:],
    )
    check_reading(reading, truth)
    return reading


def check_reading(
    reading: Reading, truth: Truth, where: Callable[[int], str] = lambda _: ""
) -> None:
    """Hold that scores are finite and marks lie in their images.

    Args:
        reading: to check.
        truth: that knows the images' names and sizes.
        where: what a message about a mark of this index begins with, such as file and row.

    Raises:
        RibsightError: naming the first image where that is not so.
    """
    for image in np.flatnonzero(~np.isfinite(reading.image_scores)):
        raise RibsightError(
            f"the score of '{truth.finding}' on radiograph {truth.images[image]} is "
            f"{reading.image_scores[image]}, not a finite number"
        )
    for mark in np.flatnonzero(~np.isfinite(reading.mark_scores)):
        raise RibsightError(
            f"{where(int(mark))}a mark of '{truth.finding}' on radiograph "
            f"{truth.images[reading.mark_image[mark]]} has score "
            f"{reading.mark_scores[mark]}, not a finite number"
        )
    sizes = truth.sizes[reading.mark_image]
    # Written so that NaN is outside, and an image of unknown size has no right and lower edge.
    inside = (reading.mark_xy >= 0) & ((reading.mark_xy <= sizes) | np.isnan(sizes))
    for mark in np.flatnonzero(~inside.all(axis=1)):
        (x, y), image = reading.mark_xy[mark], reading.mark_image[mark]
        width, height = truth.sizes[image]
        raise RibsightError(
            f"{where(int(mark))}a mark of '{truth.finding}' at ({x:g}, {y:g}) lies outside "
            f"radiograph {truth.images[image]} of {width:g} x {height:g} stored pixels"
        )


def _finding_marks(image: ImagePrediction, finding: str) -> tuple[float, list[tuple[float, ...]]]:
    one = image.findings.get(finding)
    if one is None:
        raise RibsightError(f"the predictions of radiograph {image.id} lack '{finding}'")
    return one.score, [(mark.x, mark.y, mark.score, *mark.box) for mark in one.marks]
