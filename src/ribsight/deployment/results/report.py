"""The structured report of one image, for machines and for viewers that draw boxes.

A report with boxes follows TID 1500. One without has the same parts under another title: viewers
look for the first box of every TID 1500 report and show nothing where there is none, while under
any other title they show the text.
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodeContentItem,
    Comprehensive3DSR,
    ComprehensiveSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ribsight.deployment.results.evaluations import evaluations
from ribsight.deployment.results.groups import mark_group
from ribsight.deployment.results.naming import Naming, long_string
from ribsight.deployment.results.options import Outcome, ResultObject, SrKind
from ribsight.deployment.results.said import Said
from ribsight.regions.formats.dicom_codes import (
    ENGLISH,
    OWN_SCHEME,
    OWN_SCHEME_NAME,
    PLAIN_CHEST,
    PLAIN_FILM,
    SOURCE,
    SUMMARY,
)
from ribsight.regions.formats.dicom_report import LONGEST, MANUFACTURER, coded, reference

_CLASSES = {SrKind.COMPREHENSIVE_3D: Comprehensive3DSR, SrKind.COMPREHENSIVE: ComprehensiveSR}
_CONTAINS = RelationshipTypeValues.CONTAINS
_TEMPLATE = "1500"


def structured_report(about: Dataset, said: Said, naming: Naming) -> Dataset:
    """Return the report, without its patient.

    Args:
        about: `subject` of the image.
        said: what is reported.
        naming: UIDs and equipment.
    """
    made: Dataset = _CLASSES[naming.options.sr](
        evidence=[reference(about)],
        content=_root(about, said, naming),
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[CodingSchemeIdentificationItem(OWN_SCHEME, name=OWN_SCHEME_NAME)],
        **naming.constructor(ResultObject.SR),
    )
    return made


def _root(about: Dataset, said: Said, naming: Naming) -> ContainerContentItem:
    is_processed = said.outcome is not Outcome.NOT_PROCESSED
    procedure = CodeContentItem(
        codes.DCM.ProcedureReported,
        coded(PLAIN_CHEST if is_processed else PLAIN_FILM),
        RelationshipTypeValues.HAS_CONCEPT_MOD,
    )
    parts = [
        *LanguageOfContentItemAndDescendants(coded(ENGLISH)),
        *_observer(naming),
        procedure,
        *([_library(about)] if is_processed else []),
        *([_measurements(about, said, naming)] if said.marks else []),
        evaluations(about, said, naming),
    ]
    if said.marks:
        root = ContainerContentItem(codes.DCM.ImagingMeasurementReport, template_id=_TEMPLATE)
    else:
        root = ContainerContentItem(coded(SUMMARY))
    root.ContentSequence = ContentSequence(parts)
    return root


def _library(about: Dataset) -> ContainerContentItem:
    """Return the library of images that were looked at (TID 1600)."""
    image = ImageContentItem(
        coded(SOURCE), about.SOPClassUID, about.SOPInstanceUID, relationship_type=_CONTAINS
    )
    group = ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence([image])
    library = ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=_CONTAINS)
    library.ContentSequence = ContentSequence([group])
    return library


def _measurements(about: Dataset, said: Said, naming: Naming) -> ContainerContentItem:
    container = ContainerContentItem(codes.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
    groups = (mark_group(about, one, naming) for one in said.marks)
    container.ContentSequence = ContentSequence([item for group in groups for item in group])
    return container


def _observer(naming: Naming) -> ObservationContext:
    name = long_string(naming.identity.name)
    device = DeviceObserverIdentifyingAttributes(
        uid=naming.device_uid,
        name=name,
        manufacturer_name=MANUFACTURER,
        model_name=name,
        serial_number=naming.identity.sha256[:LONGEST] or "unknown",
    )
    context = ObserverContext(codes.DCM.Device, device)
    return ObservationContext(observer_device_context=context)
