"""One mark as a measurement group of TID 1500: its box, scores, codes, and who measured it."""

from highdicom.sr import (
    AlgorithmIdentification,
    FindingSite,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset

from ribsight.deployment.results.figures import figures_of
from ribsight.deployment.results.naming import Naming, long_string
from ribsight.deployment.results.said import NumberedMark, words
from ribsight.regions.formats.dicom_codes import LEVEL, LEVELS, SIDES
from ribsight.regions.formats.dicom_report import coded
from ribsight.regions.region import box_polygon


def mark_group(
    about: Dataset, one: NumberedMark, naming: Naming
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return the group; the box is a closed outline in stored pixels of the image."""
    meant = naming.options.codes_of(one.finding)
    side = SIDES.get(one.mark.side)
    site = FindingSite(coded(meant.site), coded(side) if side else None) if meant.site else None
    certainty = one.mark.certainty
    level = [QualitativeEvaluation(coded(LEVEL), coded(LEVELS[certainty]))] if certainty else []
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=naming.uid("mark", one.number), identifier=f"{one.number} {words(one.finding)}"
        ),
        referenced_region=ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=box_polygon(*one.mark.box)[[0, 1, 2, 3, 0]],
            source_image=SourceImageForRegion(about.SOPClassUID, about.SOPInstanceUID),
        ),
        finding_type=coded(meant.finding),
        finding_sites=[site] if site else None,
        qualitative_evaluations=level or None,
        measurements=[
            Measurement(coded(name), value, coded(unit))
            for name, value, unit in figures_of(one.mark)
        ],
        algorithm_id=AlgorithmIdentification(
            name=long_string(naming.identity.name),
            version=f"ribsight {long_string(naming.identity.version)}",
            parameters=[f"weights sha256={naming.identity.sha256}"],
        ),
    )
