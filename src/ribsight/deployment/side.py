"""The patient's side of a place on a film, as far as the file says how the patient lies."""

from ribsight.findings import Side
from ribsight.radiographs.radiograph import Orientation, Radiograph, View

MIDLINE = 0.1
"""Share of the film's width on each side of its middle where no side is said: patients are not
centred, and a medial clavicle or a rib's head lies there."""

_FRONTAL = frozenset({View.PA, View.AP, View.FRONTAL})
# Both halves of the chest are on it. A film of ribs or of a clavicle may show one only.
_WHOLE = frozenset({"frontal_chest", "chest", "unknown"})


def orientation_for_side(radiograph: Radiograph) -> Orientation | None:
    """Return how the patient lies on a film whose halves are the patient's; None if not known.

    PatientOrientation must say it: a view alone does not tell a mirrored picture, and pictures
    that are no DICOM say nothing. What FieldOfViewHorizontalFlip says happened before the pixels
    were stored, and PatientOrientation is about the stored ones.
    """
    source, said = radiograph.provenance, radiograph.eligibility
    if source is None or source.orientation_source is None or said is None:
        return None
    if radiograph.view not in _FRONTAL or said.kind not in _WHOLE:
        return None
    return radiograph.orientation


def side_of(
    x: float, y: float, *, span: tuple[float, float], orientation: Orientation | None
) -> Side:
    """Return the patient's side of a place.

    Args:
        x: stored pixels.
        y: stored pixels.
        span: where the picture begins and ends along the patient's left-right axis, stored pixels:
            its x, or its y if `orientation` exchanges rows and columns.
        orientation: what would make the stored pixels stand upright with the patient's left on the
            right; None if that is not known.

    >>> side_of(900, 10, span=(0, 1000), orientation=Orientation())
    <Side.LEFT: 'left'>
    """
    if orientation is None:
        return Side.UNKNOWN
    low, high = span
    along = ((y if orientation.transposed else x) - low) / (high - low)
    if orientation.mirrored_x:
        along = 1 - along
    if abs(along - 0.5) <= MIDLINE:
        return Side.UNKNOWN
    return Side.LEFT if along > 0.5 else Side.RIGHT


def patient_span(radiograph: Radiograph, orientation: Orientation) -> tuple[float, float]:
    """Return `span` of `side_of`: what the collimator left open, the whole without a collimator."""
    height, width = radiograph.pixels.shape
    top, bottom, left, right = radiograph.field or (0, height, 0, width)
    return (float(top), float(bottom)) if orientation.transposed else (float(left), float(right))
