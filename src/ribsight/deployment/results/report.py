"""The structured report of one image (TID 1500), for machines and for viewers that draw boxes.

Its groups: one that sums up (processed or not, anything found or not), one a finding for the whole
image, and one a mark, with the closed outline of its box in stored pixels of the image.
"""

from collections.abc import Iterator
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ribsight.deployment.results.naming import Naming, long_string
from ribsight.deployment.results.options import FindingCodes, Outcome, ResultObject, SrKind
from ribsight.deployment.results.said import NumberedMark, Said, words
from ribsight.evaluation.predictions import FindingPrediction, Mark
from ribsight.findings import Side
from ribsight.regions.formats.dicom_codes import (
    COMMENT,
    DETECTED,
    LEVEL,
    LEVELS,
    NOT_DETECTED,
    NOT_PROCESSED,
    OWN_SCHEME,
    OWN_SCHEME_NAME,
    PLAIN_CHEST,
    PLAIN_FILM,
    PROBABILITY,
    SCORE,
    SCORES,
    SIDES,
    SUMMARY,
    WITH_FINDINGS,
    WITHOUT_FINDINGS,
)
from ribsight.regions.formats.dicom_report import coded, reference
from ribsight.regions.region import box_polygon

_SUMMARIES = {
    Outcome.FOUND: WITH_FINDINGS,
    Outcome.NOTHING: WITHOUT_FINDINGS,
    Outcome.NOT_PROCESSED: NOT_PROCESSED,
}
_CLASSES = {SrKind.COMPREHENSIVE_3D: Comprehensive3DSR, SrKind.COMPREHENSIVE: ComprehensiveSR}


def structured_report(about: Dataset, said: Said, naming: Naming) -> Dataset:
    """Return the report, without its patient.

    Args:
        about: `subject` of the image.
        said: what is reported.
        naming: UIDs and equipment.
    """
    by_finding = ((name, one, naming.options.codes_of(name)) for name, one in said.findings.items())
    groups = [
        _summary(about, said, naming),
        *(_of_image(about, said, naming, *one) for one in by_finding),
        *(_of_mark(about, one, naming) for one in said.marks),
    ]
    is_processed = said.outcome is not Outcome.NOT_PROCESSED
    content = MeasurementReport(
        observation_context=_observer(naming),
        procedure_reported=coded(PLAIN_CHEST if is_processed else PLAIN_FILM),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    made: Dataset = _CLASSES[naming.options.sr](
        evidence=[reference(about)],
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[CodingSchemeIdentificationItem(OWN_SCHEME, name=OWN_SCHEME_NAME)],
        **naming.constructor(ResultObject.SR),
    )
    return made


def sentences(said: Said, naming: Naming) -> Iterator[str]:
    """Yield what is to be read of an image, whatever the object."""
    match said.outcome:
        case Outcome.NOT_PROCESSED:
            yield f"Not processed: {said.reason}"
        case Outcome.NOTHING:
            yield "Processed, nothing found."
        case Outcome.FOUND:
            yield f"Processed, {len(said.marks)} mark{'s' * (len(said.marks) != 1)}."
    yield naming.options.notice


def _summary(about: Dataset, said: Said, naming: Naming) -> Any:
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=naming.uid("summary"), identifier="summary"),
        qualitative_evaluations=[
            QualitativeEvaluation(coded(SUMMARY), coded(_SUMMARIES[said.outcome]))
        ],
        **_device(naming),
        **_source(about),
    )
    comment = TextContentItem(
        coded(COMMENT), " ".join(sentences(said, naming)), RelationshipTypeValues.CONTAINS
    )
    group[0].ContentSequence.append(comment)
    return group


def _of_image(
    about: Dataset,
    said: Said,
    naming: Naming,
    name: str,
    one: FindingPrediction,
    meant: FindingCodes,
) -> Any:
    result = DETECTED if name in said.detected else NOT_DETECTED
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=naming.uid("image", name), identifier=f"{words(name)} in the image"
        ),
        finding_type=coded(meant.finding),
        finding_sites=_sites(meant, Side.UNKNOWN),
        qualitative_evaluations=[
            QualitativeEvaluation(coded(meant.finding), coded(result)),
            *_level(one),
        ],
        measurements=_measurements(one),
        **_device(naming),
        **_source(about),
    )


def _of_mark(about: Dataset, one: NumberedMark, naming: Naming) -> Any:
    meant = naming.options.codes_of(one.finding)
    corners = box_polygon(*one.mark.box)
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=naming.uid("mark", one.number), identifier=f"{one.number} {words(one.finding)}"
        ),
        referenced_region=ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=corners[[0, 1, 2, 3, 0]],
            source_image=SourceImageForRegion(about.SOPClassUID, about.SOPInstanceUID),
        ),
        finding_type=coded(meant.finding),
        finding_sites=_sites(meant, one.mark.side),
        qualitative_evaluations=_level(one.mark) or None,
        measurements=_measurements(one.mark),
        **_device(naming),
    )


def _sites(meant: FindingCodes, side: Side) -> list[FindingSite] | None:
    if meant.site is None:
        return None
    code = SIDES.get(side)
    return [FindingSite(coded(meant.site), laterality=coded(code) if code else None)]


def _measurements(one: Mark | FindingPrediction) -> list[Measurement]:
    name = SCORES[one.certainty] if one.certainty else SCORE
    measured = [Measurement(coded(name), round(one.score, 4), codes.UCUM.NoUnits)]
    if one.probability is not None:
        percent = round(100 * one.probability, 1)
        measured.append(Measurement(coded(PROBABILITY), percent, codes.UCUM.Percent))
    return measured


def _level(one: Mark | FindingPrediction) -> list[QualitativeEvaluation]:
    if one.certainty is None:
        return []
    return [QualitativeEvaluation(coded(LEVEL), coded(LEVELS[one.certainty]))]


def _source(about: Dataset) -> dict[str, Any]:
    image = SourceImageForMeasurementGroup(about.SOPClassUID, about.SOPInstanceUID)
    return {"source_images": [image]}


def _device(naming: Naming) -> dict[str, Any]:
    algorithm = AlgorithmIdentification(
        name=long_string(naming.identity.name),
        version=f"ribsight {long_string(naming.identity.version)}",
        parameters=[f"weights sha256={naming.identity.sha256}"],
    )
    return {"algorithm_id": algorithm}


def _observer(naming: Naming) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=naming.device_uid,
        name=long_string(naming.identity.name),
        manufacturer_name="ribsight",
        model_name=long_string(naming.identity.name),
        serial_number=naming.identity.sha256[:64] or "unknown",
    )
    context = ObserverContext(codes.DCM.Device, device)
    return ObservationContext(observer_device_context=context)
