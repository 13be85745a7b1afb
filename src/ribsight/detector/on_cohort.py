"""A detector on the cached radiographs of a cohort."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.maps import MapFunction, StoredImage, batches, probability_maps, read_maps
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.predictions import ImagePrediction

_BATCH = 8


def predict_cohort(
    maps_of: MapFunction,
    findings: Sequence[str],
    marks: MarkSettings,
    cohort: Cohort,
    cache: PixelCache,
    *,
    progress: bool = False,
    see: Callable[[int, NDArray[np.float32]], None] | None = None,
) -> tuple[ImagePrediction, ...]:
    """Return the prediction of every radiograph of `cohort`, in its order.

    Args:
        maps_of: network images -> maps.
        findings: names of the maps.
        marks: how to read marks.
        cohort: radiographs.
        cache: their network images, in the order of `cohort.ids`.
        progress: show a progress bar.
        see: called with each row and its probability maps (K, S/4, S/4).

    """
    rows = list(cohort.radiographs.iter_rows(named=True))
    predictions: list[ImagePrediction] = []
    bar = tqdm(total=len(rows), desc="detecting", unit="image", disable=not progress)
    for part in batches(len(rows), _BATCH):
        maps = probability_maps(maps_of, [cache.pixels(row) for row in part])
        for row, one in zip(part, maps, strict=True):
            if see is not None:
                see(row, one)
            width, height = rows[row]["width"], rows[row]["height"]
            stored = StoredImage(cache.affine(row), width, height)
            predictions.append(
                ImagePrediction(
                    id=rows[row]["radiograph"],
                    file=rows[row]["file"],
                    width=width,
                    height=height,
                    findings=read_maps(one, findings, marks, stored),
                )
            )
        bar.update(len(part))
    bar.close()
    return tuple(predictions)
