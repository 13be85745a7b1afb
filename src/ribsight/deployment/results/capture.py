"""Secondary captures: pictures as DICOM images of the same study, in a series of their own."""

from typing import Any

import numpy as np
from highdicom.enum import CoordinateSystemNames
from highdicom.sc import SCImage
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

from ribsight.deployment.results.naming import Naming
from ribsight.deployment.results.options import ResultObject
from ribsight.radiographs.attributes import numbers, text, words
from ribsight.regions.formats.dicom_codes import Code
from ribsight.regions.formats.dicom_report import coded, reference

_SOURCE = Code("121322", "DCM", "Source image for image processing operation")
_WORKSTATION = "WSD"
_LOSSY = "01"
_ALWAYS_LOSSY = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless})


def capture(
    picture: Image.Image, source: Dataset, about: Dataset, naming: Naming, kind: ResultObject
) -> Dataset:
    """Return a picture as a secondary capture, without its patient.

    It has no pixel spacing: it is for looking at, and a length measured on a copy would be taken
    for one on the original.

    Args:
        picture: in colour.
        source: header of the image that it was made of.
        about: `subject` of that image.
        naming: UIDs and equipment.
        kind: of object.
    """
    made = SCImage(
        pixel_array=np.asarray(picture.convert("RGB")),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=("L", "F"),
        study_instance_uid=about.StudyInstanceUID,
        **naming.constructor(kind),
    )
    made.PatientOrientation = _orientation(source)
    made.ConversionType = _WORKSTATION
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = "Drawn on by ribsight; a copy, reduced to 8 bit"
    made.SourceImageSequence = [_source(about)]
    burned_in = words(source, "BurnedInAnnotation")[:1]
    if burned_in in (("YES",), ("NO",)):
        made.BurnedInAnnotation = burned_in[0]
    for keyword, value in _loss(source).items():
        setattr(made, keyword, value)
    return made


def _orientation(source: Dataset) -> list[str]:
    """Return the directions of rows and columns, which a copy that is not turned shares."""
    said = list(words(source, "PatientOrientation"))
    known = all(one and set(one) <= set("LRAPHF") for one in said)
    return said if len(said) == 2 and known else []


def _source(about: Dataset) -> Dataset:
    item = Dataset()
    image = reference(about)
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
    return item


def _loss(source: Dataset) -> dict[str, Any]:
    """Return what a copy says of the loss that its original suffered (PS3.3 C.7.6.1.1.5)."""
    meta = getattr(source, "file_meta", None) or Dataset()
    syntax = text(meta, "TransferSyntaxUID")
    if syntax not in _ALWAYS_LOSSY and text(source, "LossyImageCompression") != _LOSSY:
        return {}
    said: dict[str, Any] = {"LossyImageCompression": _LOSSY}
    ratios = numbers(source, "LossyImageCompressionRatio", [])
    methods = words(source, "LossyImageCompressionMethod")
    if ratios and len(ratios) == len(methods) and all(methods):
        said["LossyImageCompressionRatio"] = [f"{one:.6g}" for one in ratios]
        said["LossyImageCompressionMethod"] = list(methods)
    return said
