"""The patient's side of a mark, through every way a film may lie."""

from dataclasses import replace

import numpy as np
import pytest

from ribsight.deployment.side import orientation_for_side, patient_span, side_of
from ribsight.findings import Side
from ribsight.radiographs import Orientation, Provenance, Radiograph, View
from ribsight.radiographs.eligibility import Eligibility
from ribsight.radiographs.orientation import orientation_of_patient, turned

FILM = Radiograph(
    np.zeros((60, 100), np.uint16),
    16,
    view=View.PA,
    provenance=Provenance(
        "CR", "raw", "MONOCHROME2", "none", "none", inverted=False,
        orientation_source="PatientOrientation",
    ),
    eligibility=Eligibility(True, "frontal_chest", "", ""),
)  # fmt: skip


@pytest.mark.parametrize("directions", ["LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR"])
def test_a_place_on_the_left_is_left_however_the_film_lies(directions: str) -> None:
    orientation = orientation_of_patient(list(directions))
    assert orientation is not None
    shape = (100, 60) if orientation.transposed else (60, 100)
    span = patient_span(replace(FILM, pixels=np.zeros(shape, np.uint16)), orientation)
    # Upright films show the patient's left on the right: these stored pixels come to lie there.
    upright = turned(np.arange(6000, dtype=np.uint16).reshape(shape), orientation)
    for column, side in ((90, Side.LEFT), (9, Side.RIGHT)):
        y, x = divmod(int(upright[10, column]), shape[1])
        assert side_of(x + 0.5, y + 0.5, span=span, orientation=orientation) is side


def test_near_the_midline_of_what_the_collimator_left_no_side_is_said() -> None:
    film = replace(FILM, field=(0, 60, 40, 100))
    span = patient_span(film, Orientation())
    said = [side_of(x, 5, span=span, orientation=Orientation()) for x in (60, 69, 71, 79)]
    assert said == [Side.RIGHT, Side.UNKNOWN, Side.UNKNOWN, Side.LEFT]


def test_a_side_is_said_only_where_header_and_view_allow_it() -> None:
    assert FILM.provenance is not None
    assert FILM.eligibility is not None
    assert orientation_for_side(FILM) == Orientation()
    mute = replace(FILM.provenance, orientation_source=None)
    assert orientation_for_side(replace(FILM, provenance=mute)) is None
    assert orientation_for_side(replace(FILM, provenance=None)) is None
    assert orientation_for_side(replace(FILM, view=View.OBLIQUE)) is None
    ribs = replace(FILM.eligibility, kind="rib_series")
    assert orientation_for_side(replace(FILM, eligibility=ribs)) is None
    assert side_of(90, 5, span=(0, 100), orientation=None) is Side.UNKNOWN
