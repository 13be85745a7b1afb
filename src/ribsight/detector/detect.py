"""A trained detector: network images in, probability maps and predictions out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.maps import (
    MapFunction,
    NetworkImage,
    StoredImage,
    probability_maps,
    read_maps,
)
from ribsight.detector.model_file import ModelDescription, load_weights, read_description
from ribsight.detector.on_cohort import predict_cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FindingPrediction, Predictions
from ribsight.radiographs.preprocess import Preprocessing


class Detector:
    """What makes maps, its description, and the pixel pipeline it was trained behind."""

    def __init__(self, maps_of: MapFunction, description: ModelDescription):
        """Use `maps_of` as the network that `description` describes."""
        self.description = description
        self._maps_of = maps_of

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", *, threads: int | None = None) -> "Detector":
        """Read a model folder, trained or exported.

        Args:
            folder: holds `model.json`.
            device: of torch; an exported model runs on the CPU.
            threads: that the network may use; None for what the runtime thinks best. Those of
                torch are set for the whole process.

        Raises:
            RibsightError: it is no model, was changed, was trained behind another pipeline, or
                what would run it is not installed.

        """
        description = read_description(folder)
        key = description.images.preprocessing.key
        if key != description.preprocessing:
            raise RibsightError(
                f"{folder} was trained behind pixel pipeline '{description.preprocessing}', this "
                f"version has '{key}': use the version that wrote it ({description.ribsight})"
            )
        return cls(_maps_function(folder, description, device, threads), description)

    @property
    def preprocessing(self) -> Preprocessing:
        """How stored pixels become network images."""
        return self.description.images.preprocessing

    @property
    def findings(self) -> list[str]:
        """Names of the maps."""
        return self.description.findings

    def maps(self, images: Sequence[NetworkImage]) -> NDArray[np.float32]:
        """Return the probability maps (N, K, S/4, S/4) of network images (S, S)."""
        return probability_maps(self._maps_of, images)

    def predict(
        self, images: Sequence[NetworkImage], stored: Sequence[StoredImage]
    ) -> list[dict[str, FindingPrediction]]:
        """Return, per image and finding, the image score and the marks in stored pixels."""
        maps = self.maps(images)
        marks = self.description.marks
        return [
            read_maps(one, self.findings, marks, origin)
            for one, origin in zip(maps, stored, strict=True)
        ]

    def predict_cohort(
        self, cohort: Cohort, cache: PixelCache, *, progress: bool = False
    ) -> Predictions:
        """Return the predictions of a cohort's radiographs from their cached network images."""
        marks = self.description.marks
        images = predict_cohort(
            self._maps_of, self.findings, marks, cohort, cache, progress=progress
        )
        return Predictions(
            model=self.description.name,
            model_sha256=self.description.weights_sha256,
            findings=tuple(self.findings),
            images=images,
        )


def _maps_function(
    folder: Path, description: ModelDescription, device: str, threads: int | None
) -> MapFunction:
    if description.exported is None:
        from ribsight.detector.runtimes.eager import eager_on

        return eager_on(load_weights(folder, description), device, threads)
    if device != "cpu":
        raise RibsightError(
            f"{folder} is a model exported as {description.exported.format}, which runs on the "
            f"CPU: for '{device}' give the run it was exported from"
        )
    from ribsight.detector.runtimes.exported import exported_maps

    return exported_maps(folder, description, threads)
