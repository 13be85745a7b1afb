"""DICOM objects that tell viewers and archives what a detector found.

    objects = dicom_results(header, prediction, model, ResultOptions(), radiograph=radiograph)

`docs/results.md` says what each object holds.
"""

from typing import TYPE_CHECKING

from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.results.options import (
    FindingCodes,
    NotProcessed,
    Outcome,
    ResultObject,
    ResultOptions,
    SrKind,
    edition_of,
    kind_of,
)
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.radiographs.radiograph import Radiograph

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ribsight.deployment.results.heat import HeatMap

__all__ = [
    "FindingCodes",
    "ModelIdentity",
    "NotProcessed",
    "Outcome",
    "ResultObject",
    "ResultOptions",
    "SrKind",
    "dicom_results",
    "edition_of",
    "kind_of",
]


def dicom_results(
    source: "Dataset",
    prediction: ImagePrediction | NotProcessed,
    identity: ModelIdentity,
    options: ResultOptions | None = None,
    *,
    radiograph: Radiograph | None = None,
    heat: "HeatMap | None" = None,
) -> "list[Dataset]":
    """Return the objects that tell what was found on an image, or that nothing was, or why not.

    The same arguments give the same bytes: UIDs are hashes of the image's, the model's and the
    options, times are the image's. Nothing of `source` is changed.

    Args:
        source: the image's header; its pixels are only read where `radiograph` is None, and then
            in the guarded child process of `radiographs.guarded`.
        prediction: what the detector said, or why it was not asked.
        identity: of the model; for an image that was not processed, of the one that would have.
        options: what to write, and how.
        radiograph: the image as it was read, for pictures. Without it and without pixels in
            `source`, an image that was not processed gets a picture of the reason alone.
        heat: the detector's maps, if a heat map is among the objects.

    Raises:
        RibsightError: the image lacks an identifier, has another size than the prediction says, or
            no pixels for a picture; a heat map without maps; highdicom is not installed.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise RibsightError(
            "writing DICOM results needs highdicom: pip install 'ribsight[sr]'"
        ) from error
    from ribsight.deployment.results.objects import results_of

    return results_of(source, prediction, identity, options or ResultOptions(), radiograph, heat)
