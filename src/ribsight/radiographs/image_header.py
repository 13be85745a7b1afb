"""What a DICOM header says about what its image shows, as plain words."""

from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from ribsight.radiographs.attributes import items, text, words
from ribsight.radiographs.radiograph import View, ViewSource
from ribsight.radiographs.view import read_view


@dataclass(frozen=True)
class ImageHeader:
    """The attributes that tell a chest radiograph from anything else, None or empty if not stated.

    Its `repr` is empty where people type free text, which may name the patient.

    Attributes:
        sop_class: UID of the kind of object.
        modality: `CR`, `DX`, ..., in capitals.
        image_type: values of ImageType in capitals.
        conversion_type: how a secondary capture was made: `DF`, digitised film; `WSD`, workstation.
        body_part: BodyPartExamined.
        anatomic_regions: code meanings of AnatomicRegionSequence.
        view: as `read_view` understands it.
        view_source: the attribute that says the view.
        view_position: ViewPosition as it is written.
        series_description: of the series; like the next three it is about this image.
        protocol_name: what was chosen at the device.
        processing_description: AcquisitionDeviceProcessingDescription, the examination's name of
            many CR readers.
        postprocessing: PostprocessingFunction.
        study_description: of the study, which may hold images of several parts and views.
        procedures: code meanings of the performed and requested procedure, and its description.
        quality_control: whether the image is of a phantom.
    """

    sop_class: str | None = None
    modality: str | None = None
    image_type: tuple[str, ...] = ()
    conversion_type: str | None = None
    body_part: str | None = None
    anatomic_regions: tuple[str, ...] = ()
    view: View | None = None
    view_source: ViewSource | None = None
    view_position: str | None = None
    series_description: str | None = field(default=None, repr=False)
    protocol_name: str | None = field(default=None, repr=False)
    processing_description: str | None = field(default=None, repr=False)
    postprocessing: str | None = field(default=None, repr=False)
    study_description: str | None = field(default=None, repr=False)
    procedures: tuple[str, ...] = field(default=(), repr=False)
    quality_control: bool = False


def read_image_header(dataset: Dataset) -> ImageHeader:
    """Return what a dataset, with or without pixels, says about what its image shows.

    Attributes that are unreadable count as absent.
    """
    view, view_source = read_view(dataset, [])
    return ImageHeader(
        sop_class=text(dataset, "SOPClassUID"),
        modality=_capitals(dataset, "Modality"),
        image_type=words(dataset, "ImageType"),
        conversion_type=_capitals(dataset, "ConversionType"),
        body_part=text(dataset, "BodyPartExamined"),
        anatomic_regions=_meanings(dataset, "AnatomicRegionSequence"),
        view=view,
        view_source=view_source,
        view_position=text(dataset, "ViewPosition"),
        series_description=text(dataset, "SeriesDescription"),
        protocol_name=text(dataset, "ProtocolName"),
        processing_description=text(dataset, "AcquisitionDeviceProcessingDescription"),
        postprocessing=text(dataset, "PostprocessingFunction"),
        study_description=text(dataset, "StudyDescription"),
        procedures=_procedures(dataset),
        quality_control=_capitals(dataset, "QualityControlImage") == "YES",
    )


def _capitals(dataset: Dataset, keyword: str) -> str | None:
    said = text(dataset, keyword)
    return said.upper() if said else None


def _meanings(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    found = (text(item, "CodeMeaning") for item in items(dataset, keyword))
    return tuple(one for one in found if one)


def _procedures(dataset: Dataset) -> tuple[str, ...]:
    requests = [dataset, *items(dataset, "RequestAttributesSequence")]
    codes = [
        meaning
        for place in requests
        for keyword in ("ProcedureCodeSequence", "RequestedProcedureCodeSequence")
        for meaning in _meanings(place, keyword)
    ]
    described = [text(place, "RequestedProcedureDescription") for place in requests]
    performed = text(dataset, "PerformedProcedureStepDescription")
    return tuple(dict.fromkeys(one for one in (*codes, *described, performed) if one))
