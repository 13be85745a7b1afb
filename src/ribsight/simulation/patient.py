"""Patient number i of a registry: a function of (settings, i) and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Split
from ribsight.simulation.anatomy.build import draw_build, draw_person
from ribsight.simulation.anatomy.girdle import arms_for
from ribsight.simulation.confounders.draw import draw_confounders
from ribsight.simulation.exam import (
    break_skeleton,
    chest_for,
    draw_position,
    draw_processing,
    draw_technique,
    take_film,
)
from ribsight.simulation.fractures.drawing import drawn_by_reader
from ribsight.simulation.fractures.prior import draw_fractures
from ribsight.simulation.projection.processing import develop
from ribsight.simulation.settings import RegistrySettings
from ribsight.simulation.truth import (
    RIB_FRACTURE,
    Confounder,
    Film,
    Fracture,
    FractureOnFilm,
    PatientTruth,
    Person,
    Point,
    View,
)

if TYPE_CHECKING:
    from ribsight.simulation.ct.patient import Scan

_FIRST_DAY = date(2016, 1, 1)
_DAYS = 365 * 8
_TRAIN, _VAL = 0.6, 0.75

# Streams of random numbers of one patient: what one draws does not depend on the others.
(_WHO, _BREAKS, _VIEWS, _BODY, _DEVICES, _BEAM, _NOISE, _EXPERT, _RECORDS) = range(9)


@dataclass(frozen=True, eq=False)
class SimulatedPatient:
    """A patient with films.

    Attributes:
        number: in the registry, from 0.
        truth: everything that is true.
        films: (H, W) in [0, 1] each, in the order of the truth's films.
        drawings: per film, (fracture's name, polygon) as the expert would draw them.
        split: the share of the study design the patient belongs to.

    """

    number: int
    truth: PatientTruth
    films: tuple[NDArray[np.float32], ...]
    drawings: tuple[tuple[tuple[str, tuple[Point, ...]], ...], ...]
    split: Split


def stream(settings: RegistrySettings, number: int, name: int, *more: int) -> np.random.Generator:
    """Return the random numbers of one concern of one patient."""
    return np.random.default_rng([settings.seed, number, name, *more])


def records_stream(settings: RegistrySettings, number: int, name: int) -> np.random.Generator:
    """Return the random numbers of a patient's report (0), codes (1) or headers (2)."""
    return stream(settings, number, _RECORDS, name)


def identity_of(settings: RegistrySettings, number: int) -> str:
    """Return what names patient `number` of one registry and of no other: "3N000120"."""
    return f"{settings.seed}N{number:06d}"


def patient_id_of(settings: RegistrySettings, number: int) -> str:
    """Return the identifier of patient `number`; UIDs in the files are made from it."""
    return f"P{identity_of(settings, number)}"


def split_of(settings: RegistrySettings, number: int) -> Split:
    """Return which part of the study a patient was allotted to: 60, 15 and 25 per cent."""
    place = float(stream(settings, number, _EXPERT, 0).random())
    return Split.TRAIN if place < _TRAIN else Split.VAL if place < _VAL else Split.TEST


def draw_truth(settings: RegistrySettings, number: int) -> tuple[Person, tuple[Fracture, ...]]:
    """Draw who patient `number` is and what is broken."""
    person = draw_person(patient_id_of(settings, number), stream(settings, number, _WHO))
    return person, draw_fractures(person, settings.fractures, stream(settings, number, _BREAKS))


def simulate_patient(
    settings: RegistrySettings, number: int, scan: Scan | None = None
) -> SimulatedPatient:
    """Simulate one patient: anatomy, films, truth, and what an expert would draw.

    Args:
        settings: of the registry.
        number: of the patient.
        scan: make the patient from this CT instead of from nothing: frontal films, without
            confounders, and without fractures of bones that the scan lacks.

    """
    person, fractures = draw_truth(settings, number)
    views = _views(settings, fractures, stream(settings, number, _VIEWS))
    if scan is not None:
        return _from_scan(settings, number, person, fractures, views[0], scan)
    supine = views[0] is View.AP_SUPINE
    build = draw_build(person, supine=supine, random=stream(settings, number, _BODY, 0))
    confounders = draw_confounders(
        person, build, supine=supine, fractures=fractures,
        random=stream(settings, number, _DEVICES, 0),
    )  # fmt: skip
    body = [settings.seed, number, _BODY, 1]
    taken = []
    for place, view in enumerate(views):
        beam = stream(settings, number, _BEAM, place)
        chest = chest_for(build, view, body, arms_for(view, beam))
        position = draw_position(view, chest, settings.films.size, beam)
        shown, on_film = take_film(
            chest,
            break_skeleton(chest, fractures, _break_seed(settings, number)),
            confounders,
            position,
            stream(settings, number, _NOISE, place),
            stream(settings, number, _DEVICES, 1),
        )
        film = _film(person, place, view, shown, position.camera.pixel_spacing, on_film)
        taken.append((film, shown))
    return _together(settings, number, person, fractures, confounders, taken)


def _from_scan(
    settings: RegistrySettings,
    number: int,
    person: Person,
    fractures: tuple[Fracture, ...],
    view: View,
    scan: Scan,
) -> SimulatedPatient:
    from ribsight.simulation.ct.deform import Variation
    from ribsight.simulation.ct.patient import (
        break_patient,
        camera_on,
        draw_patient,
        film_from_ct,
    )

    patient = draw_patient(scan, Variation(), stream(settings, number, _BODY, 2))
    kept = tuple(one for one in fractures if one.bone in patient.bones)
    beam = stream(settings, number, _BEAM, 0)
    spread = 4.0 if view is View.AP_SUPINE else 2.5
    camera = camera_on(
        patient, view, settings.films.size,
        rotation=float(beam.normal(0, spread)), tilt=float(beam.normal(0, spread)),
        roll=float(beam.normal(0, spread / 2)),
    )  # fmt: skip
    taken = film_from_ct(
        patient,
        break_patient(patient, kept, _break_seed(settings, number)),
        camera,
        draw_technique(view, beam),
        stream(settings, number, _NOISE, 0),
    )
    shown = develop(taken.exposure.signal, draw_processing(beam))
    film = _film(person, 0, view, shown, camera.pixel_spacing, taken.fractures)
    return _together(settings, number, person, kept, (), [(film, shown)])


def _break_seed(settings: RegistrySettings, number: int) -> int:
    return int(stream(settings, number, _BREAKS, 1).integers(2**31))


def _film(
    person: Person,
    place: int,
    view: View,
    shown: NDArray[np.float32],
    pixel_spacing: float,
    fractures: tuple[FractureOnFilm, ...],
) -> Film:
    height, width = shown.shape
    name = f"{person.patient_id}_{place + 1}"
    return Film(name, view, height, width, pixel_spacing, fractures)


def _together(
    settings: RegistrySettings,
    number: int,
    person: Person,
    fractures: tuple[Fracture, ...],
    confounders: tuple[Confounder, ...],
    taken: Sequence[tuple[Film, NDArray[np.float32]]],
) -> SimulatedPatient:
    """Return the patient with a study's identifiers and the expert's drawings."""
    day = _FIRST_DAY + timedelta(days=int(stream(settings, number, _WHO, 1).integers(_DAYS)))
    truth = PatientTruth(
        person=person,
        study_date=day,
        study_id=f"S{identity_of(settings, number)}",
        accession_number=f"A{identity_of(settings, number)}",
        fractures=fractures,
        confounders=confounders,
        films=tuple(film for film, _ in taken),
    )
    drawings = tuple(
        tuple(
            (
                one.fracture,
                drawn_by_reader(
                    one.outline, film.width, film.height, stream(settings, number, _EXPERT, 1, f, k)
                ),
            )
            for k, one in enumerate(film.fractures)
        )
        for f, film in enumerate(truth.films)
    )
    films = tuple(shown for _, shown in taken)
    return SimulatedPatient(number, truth, films, drawings, split_of(settings, number))


def _views(
    settings: RegistrySettings, fractures: tuple[Fracture, ...], random: np.random.Generator
) -> tuple[View, ...]:
    films = settings.films
    supine, lateral, oblique, side = random.random(4)
    if supine < films.supine_share:
        return (View.AP_SUPINE,)
    views = [View.PA_ERECT]
    if lateral < films.lateral_share:
        views.append(View.LATERAL)
    if oblique < films.oblique_share:
        sides = {one.side for one in fractures if one.finding == RIB_FRACTURE}
        left = side < 0.5 if len(sides) != 1 else "left" in {s.value for s in sides}
        views.append(View.OBLIQUE_LEFT if left else View.OBLIQUE_RIGHT)
    return tuple(views)
