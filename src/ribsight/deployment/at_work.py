"""Detectors at work: radiographs in; findings with certainty, probability and side out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ribsight.deployment.calibration import Calibration, read_calibration
from ribsight.deployment.certainty import Levels, certainty, read_levels
from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.members import FILE, Members, joint_name, joint_sha256, read_members
from ribsight.deployment.prepared import Prepared, prepare
from ribsight.deployment.side import side_of
from ribsight.detector.detect import Detector
from ribsight.detector.maps import NetworkImage, read_maps
from ribsight.detector.model_file import find_model
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark
from ribsight.radiographs.preprocess import Preprocessing
from ribsight.radiographs.radiograph import Radiograph


class DetectorAtWork:
    """One detector or several whose maps are averaged, with thresholds and calibration.

    Attributes:
        levels: thresholds on raw scores by finding; empty if nobody chose any.
        calibration: raw scores to probabilities.
        identity: of the model, or of the models together.
        members: where the models lie.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        members: Members,
        levels: dict[str, Levels] | None = None,
        calibration: Calibration | None = None,
    ):
        """Use detectors as `members` says, without thresholds or calibration if none are given.

        Raises:
            RibsightError: they do not go together: other findings, images or ways to read marks.
        """
        _require_alike(detectors, members)
        self._detectors = tuple(detectors)
        self.members = members
        self.levels = levels or {}
        self.calibration = calibration or Calibration()
        described = [one.description for one in detectors]
        self.identity = ModelIdentity(
            name=joint_name([one.name for one in described], flip=members.flip),
            sha256=joint_sha256(self.member_sha256s, flip=members.flip),
            version=", ".join(dict.fromkeys(one.ribsight for one in described)),
        )

    @classmethod
    def load(
        cls,
        path: Path,
        device: str = "cpu",
        *,
        threads: int | None = None,
        others: Sequence[Path] = (),
        flip: bool = False,
        bare: bool = False,
    ) -> "DetectorAtWork":
        """Read a run, a model folder, or a folder that `ribsight calibrate --out` wrote.

        Thresholds and calibration lie beside the model, or in that folder. Those of one model are
        never those of an ensemble, or of the model with `flip`.

        Args:
            path: what to load.
            device: of torch.
            threads: that the network may use; None for what its runtime thinks best.
            others: runs or model folders whose maps are averaged with it.
            flip: let each also see the mirrored image.
            bare: without thresholds and calibration, as for making new ones.

        Raises:
            RibsightError: there is no model, it is damaged, the models do not go together, or
                thresholds or calibration are another model's.
        """
        if (path / FILE).is_file():
            if others or flip:
                raise RibsightError(
                    f"{path / FILE} says which models work together: leave --ensemble and --tta out"
                )
            members = read_members(path)
            folder: Path | None = path
        else:
            members = Members(tuple(map(find_model, (path, *others))), None, flip)
            # Beside one model lies what is true of it alone.
            folder = None if others or flip else members.folders[0]
        detectors = [Detector.load(one, device, threads=threads) for one in members.folders]
        at_work = cls(detectors, members)
        if folder is not None and not bare:
            at_work.levels = read_levels(folder, at_work.identity.sha256)
            at_work.calibration = read_calibration(folder, at_work.identity.sha256)
        return at_work

    @property
    def member_sha256s(self) -> tuple[str, ...]:
        """Identities of the models, in the order of `members`."""
        return tuple(one.description.weights_sha256 for one in self._detectors)

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings, in the order of the maps."""
        return tuple(self._detectors[0].findings)

    @property
    def preprocessing(self) -> Preprocessing:
        """How stored pixels become network images."""
        return self._detectors[0].preprocessing

    def prepare(self, radiograph: Radiograph) -> Prepared:
        """Return what is needed of a radiograph, whose own pixels may then be forgotten."""
        return prepare(radiograph, self.preprocessing)

    def maps(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return the probability maps (N, K, S/4, S/4), averaged over models and mirror images."""
        images = [one.pixels for one in prepared]
        maps = [one.maps(images) for one in self._detectors]
        if self.members.flip:
            mirrored: list[NetworkImage] = [image[:, ::-1].copy() for image in images]
            maps += [one.maps(mirrored)[..., ::-1] for one in self._detectors]
        return maps[0] if len(maps) == 1 else np.mean(maps, axis=0, dtype=np.float32)

    def read_maps(
        self, maps: NDArray[np.float32], prepared: Prepared
    ) -> dict[str, FindingPrediction]:
        """Return the findings that the maps (K, S/4, S/4) of one prepared radiograph show."""
        settings = self._detectors[0].description.marks
        raw = read_maps(maps, self.findings, settings, prepared.stored)
        return {name: self._placed(name, one, prepared) for name, one in raw.items()}

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

    def judged(self, image: ImagePrediction) -> ImagePrediction:
        """Return a prediction with the certainty and probability of these thresholds and maps."""
        findings = {name: self._judged(name, one) for name, one in image.findings.items()}
        return replace(image, findings=findings)

    def _placed(self, name: str, said: FindingPrediction, prepared: Prepared) -> FindingPrediction:
        marks = tuple(
            replace(
                mark,
                side=side_of(mark.x, mark.y, span=prepared.span, orientation=prepared.orientation),
            )
            for mark in said.marks
        )
        return self._judged(name, replace(said, marks=marks))

    def _judged(self, name: str, said: FindingPrediction) -> FindingPrediction:
        levels = self.levels.get(name)
        marks = tuple(self._judged_mark(name, mark, levels) for mark in said.marks)
        return replace(
            said,
            marks=marks,
            probability=self.calibration.of_image(name, said.score),
            certainty=certainty(said.score, levels),
        )

    def _judged_mark(self, name: str, mark: Mark, levels: Levels | None) -> Mark:
        probability = self.calibration.of_mark(name, mark.score)
        return replace(mark, probability=probability, certainty=certainty(mark.score, levels))


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


def _require_alike(detectors: Sequence[Detector], members: Members) -> None:
    """Hold that models go together, and are those that were calibrated together."""
    first, known = detectors[0].description, members.sha256s
    for index, detector in enumerate(detectors):
        one, folder = detector.description, members.folders[index]
        if known is not None and one.weights_sha256 != known[index]:
            raise RibsightError(
                f"{folder} is not the model that was calibrated: it is {one.weights_sha256[:12]}, "
                f"{FILE} names {known[index][:12]}: calibrate again"
            )
        for what in ("findings", "images", "marks"):
            if getattr(one, what) != getattr(first, what):
                raise RibsightError(
                    f"{folder} and {members.folders[0]} cannot work together: they differ in "
                    f"their {what}"
                )
    if len({one.description.weights_sha256 for one in detectors}) < len(detectors):
        raise RibsightError("an ensemble holds the same model twice: name each once")
