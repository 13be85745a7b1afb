"""A detector with its thresholds: radiographs in, findings with certainty out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ribsight.deployment.certainty import Levels, certainty, read_levels
from ribsight.deployment.identity import ModelIdentity
from ribsight.detector.detect import Detector
from ribsight.detector.maps import NetworkImage, StoredImage, read_maps
from ribsight.detector.model_file import find_model
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, InputStatistics
from ribsight.radiographs.preprocess import Preprocessing, preprocess
from ribsight.radiographs.radiograph import Radiograph

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A radiograph as the network sees it, and what is left to say of the file.

    Attributes:
        pixels: (S, S) network image.
        stored: the way back to stored pixels.
        input: what the image was like.
        warnings: what was noticed while reading it.
    """

    pixels: NetworkImage
    stored: StoredImage
    input: InputStatistics
    warnings: tuple[str, ...]


class DetectorAtWork:
    """A detector, the two thresholds of each finding, and the calibration of its scores."""

    def __init__(self, detector: Detector, levels: dict[str, Levels]):
        """Use a detector with thresholds on its raw scores, by finding; {} for none."""
        self._detector = detector
        self.levels = levels
        description = detector.description
        self.identity = ModelIdentity(
            description.name, description.weights_sha256, description.ribsight
        )

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> "DetectorAtWork":
        """Read a run or a model folder, and what `ribsight calibrate` wrote beside the model.

        Raises:
            RibsightError: there is no model, it is damaged, or the thresholds are another model's.
        """
        folder = find_model(path)
        detector = Detector.load(folder, device)
        return cls(detector, read_levels(folder, detector.description.weights_sha256))

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings, in the order of the maps."""
        return tuple(self._detector.findings)

    @property
    def preprocessing(self) -> Preprocessing:
        """How stored pixels become network images."""
        return self._detector.preprocessing

    def prepare(self, radiograph: Radiograph) -> Prepared:
        """Return the network image of a radiograph, whose own pixels may then be forgotten."""
        pixels, affine = preprocess(radiograph, self.preprocessing)
        height, width = radiograph.pixels.shape
        stored = StoredImage(affine, width, height)
        statistics = _input_statistics(radiograph, pixels, stored)
        return Prepared(pixels, stored, statistics, radiograph.warnings)

    def maps(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return the probability maps (N, K, S/4, S/4) of prepared radiographs."""
        return self._detector.maps([one.pixels for one in prepared])

    def read_maps(
        self, maps: NDArray[np.float32], prepared: Prepared
    ) -> dict[str, FindingPrediction]:
        """Return the findings that the maps (K, S/4, S/4) of one prepared radiograph show."""
        raw = read_maps(maps, self.findings, self._detector.description.marks, prepared.stored)
        return {name: self._judged(name, one) for name, one in raw.items()}

    def read(self, radiographs: Sequence[Radiograph]) -> list[dict[str, FindingPrediction]]:
        """Return the findings of each radiograph."""
        prepared = [self.prepare(one) for one in radiographs]
        if not prepared:
            return []
        maps = self.maps(prepared)
        return [self.read_maps(one, of) for one, of in zip(maps, prepared, strict=True)]

    def predict(
        self, radiograph: Radiograph, *, name: str, file: str, sha256: str | None = None
    ) -> ImagePrediction:
        """Return all that is said of one radiograph, under the id `name`."""
        prepared = self.prepare(radiograph)
        findings = self.read_maps(self.maps([prepared])[0], prepared)
        return prediction_of(prepared, findings, name=name, file=file, sha256=sha256)

    def _judged(self, name: str, said: FindingPrediction) -> FindingPrediction:
        levels = self.levels.get(name)
        marks = tuple(replace(mark, certainty=certainty(mark.score, levels)) for mark in said.marks)
        return replace(said, marks=marks, certainty=certainty(said.score, levels))


def prediction_of(
    prepared: Prepared,
    findings: dict[str, FindingPrediction],
    *,
    name: str,
    file: str,
    sha256: str | None = None,
) -> ImagePrediction:
    """Return the prediction of an image under the id `name`."""
    return ImagePrediction(
        id=name,
        file=file,
        width=prepared.stored.width,
        height=prepared.stored.height,
        findings=findings,
        warnings=prepared.warnings,
        sha256=sha256,
        input=prepared.input,
    )


def _input_statistics(
    radiograph: Radiograph, pixels: NetworkImage, stored: StoredImage
) -> InputStatistics:
    corners = stored.affine.to_network(np.array([[0, 0], [stored.width, stored.height]], float))
    (x0, y0), (x1, y1) = np.rint(np.sort(corners, axis=0)).clip(0, len(pixels)).astype(int)
    top = float(np.iinfo(pixels.dtype).max)
    quantiles = np.quantile(pixels[y0:y1, x0:x1], _QUANTILES) / top
    lowest, low, middle, high, highest = (round(float(one), 4) for one in quantiles)
    said, spacing = radiograph.eligibility, radiograph.pixel_spacing
    return InputStatistics(
        kind=said.kind if said else "unknown",
        view=str(radiograph.view) if radiograph.view else None,
        bits=radiograph.bits,
        inverted=radiograph.provenance.inverted if radiograph.provenance else None,
        spacing_mm=spacing[0] if spacing else None,
        intensities=(lowest, low, middle, high, highest),
    )
