"""What the Digital X-Ray class asks for beyond Computed Radiography (PS3.3 A.26)."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ribsight.simulation.paper.header import Header
from ribsight.simulation.truth import Film, View

# SNOMED CT, from PS3.16 CID 4010.
_VIEW_CODES = {
    View.PA_ERECT: ("272479007", "postero-anterior"),
    View.AP_SUPINE: ("399348003", "antero-posterior"),
    View.OBLIQUE_LEFT: ("399356000", "right anterior oblique"),
    View.OBLIQUE_RIGHT: ("399135007", "left anterior oblique"),
    View.LATERAL: ("399173006", "left lateral"),
}


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Return one coded concept."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def add_digital_x_ray(file: Dataset, header: Header, film: Film) -> None:
    """Add the attributes that only files of the Digital X-Ray class have."""
    file.PresentationIntentType = "FOR PRESENTATION"
    file.ImageLaterality = "U"
    file.PixelIntensityRelationship = "LOG"
    file.PixelIntensityRelationshipSign = header.sign
    file.DetectorType = "SCINTILLATOR"
    file.PositionerType = "NONE"
    file.AnatomicRegionSequence = Sequence([coded("51185008", "SCT", "Chest")])
    if header.view_position:
        value, meaning = _VIEW_CODES[film.view]
        file.ViewCodeSequence = Sequence([coded(value, "SCT", meaning)])
        file.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
    file.AcquisitionContextSequence = Sequence([])
