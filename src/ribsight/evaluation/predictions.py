"""What a detector said: image scores and marks. `predictions_file.py` writes and reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ribsight.errors import RibsightError
from ribsight.findings import Certainty, Side


@dataclass(frozen=True)
class Mark:
    """One detection.

    Attributes:
        x: of its location, stored pixels.
        y: of its location.
        box: its extent x0, y0, x1, y1 in stored pixels.
        score: in [0, 1], as the network gives it.
        probability: that it is a true finding, by the calibration; None without one.
        certainty: None below the thresholds, or where the model has none.
        side: the patient's; unknown where the file does not say how the patient lies.
    """

    x: float
    y: float
    box: tuple[float, float, float, float]
    score: float
    probability: float | None = None
    certainty: Certainty | None = None
    side: Side = Side.UNKNOWN


@dataclass(frozen=True)
class FindingPrediction:
    """One finding on one image: what is said of the image, and marks, highest score first.

    `score`, `probability` and `certainty` are the image's, as those of a mark.
    """

    score: float
    marks: tuple[Mark, ...]
    probability: float | None = None
    certainty: Certainty | None = None


@dataclass(frozen=True)
class InputStatistics:
    """What an image was like before the network saw it: what `ribsight monitor` watches.

    Attributes:
        kind: of image, by its header (`radiographs.eligibility.Kind`).
        view: `pa`, `ap`, `frontal`, `oblique`, `lateral`; None if the file does not say.
        bits: of the stored samples, 8 or 16.
        inverted: whether light and dark were exchanged; None if the file is no DICOM.
        spacing_mm: between the centres of neighbouring rows; None if the file does not say.
        intensities: the quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of what the network sees of the
            image, from 0, black, to 1, white.
    """

    kind: str
    view: str | None
    bits: int
    inverted: bool | None
    spacing_mm: float | None
    intensities: tuple[float, float, float, float, float]


@dataclass(frozen=True)
class ImagePrediction:
    """One image: its id, file, stored size in pixels, warnings, and a prediction per finding.

    `sha256` is of the file's content and `input` says what it was like; None where nobody looked.
    """

    id: str
    file: str
    width: int
    height: int
    findings: Mapping[str, FindingPrediction]
    warnings: tuple[str, ...] = ()
    sha256: str | None = None
    input: InputStatistics | None = None


@dataclass(frozen=True)
class FailedImage:
    """A file that gave no prediction, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Levels:
    """Thresholds of one finding on the raw score: `doubtful` finds most, `confident` errs seldom.

    Raises:
        RibsightError: `doubtful` is above `confident`.
    """

    doubtful: float
    confident: float

    def __post_init__(self) -> None:
        if not self.doubtful <= self.confident:
            raise RibsightError(
                f"the threshold {self.doubtful:g} for doubtful is above {self.confident:g} for "
                "confident: choose a higher sensitivity for doubtful or a higher specificity for "
                "confident"
            )


@dataclass(frozen=True)
class Predictions:
    """All predictions of one model run, and the thresholds that gave their certainty."""

    model: str
    model_sha256: str
    findings: tuple[str, ...]
    images: tuple[ImagePrediction, ...]
    failed: tuple[FailedImage, ...] = field(default=())
    levels: Mapping[str, Levels] = field(default_factory=dict)
