"""A trained detector: network images in, probability maps and predictions out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.maps import NetworkImage, StoredImage, probability_maps, read_maps
from ribsight.detector.model_file import ModelDescription, load_model
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.on_cohort import predict_cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FindingPrediction, Predictions
from ribsight.radiographs.preprocess import Preprocessing


class Detector:
    """A network, its description, and the pixel pipeline they were trained behind."""

    def __init__(self, network: DetectorNetwork, description: ModelDescription, device: str):
        """Use `network` on a torch `device`."""
        self.description = description
        self.device = torch.device(device)
        self._network = network.to(memory_format=torch.channels_last).to(self.device).eval()

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Detector":
        """Read a model folder.

        Raises:
            RibsightError: it is no model, was changed, or was trained behind another pipeline.

        """
        network, description = load_model(folder)
        detector = cls(network, description, device)
        if detector.preprocessing.key != description.preprocessing:
            raise RibsightError(
                f"{folder} was trained behind pixel pipeline '{description.preprocessing}', this "
                f"version has '{detector.preprocessing.key}': use the version that wrote it "
                f"({description.ribsight})"
            )
        return detector

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
        return probability_maps(self._network, images, self.device)

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
            self._network, self.findings, marks, cohort, cache, self.device, progress=progress
        )
        return Predictions(
            model=self.description.name,
            model_sha256=self.description.weights_sha256,
            findings=tuple(self.findings),
            images=images,
        )
