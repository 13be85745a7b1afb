"""Films, headers and patients made up for the tests of the paper trail."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from ribsight.findings import Acuity, Side
from ribsight.simulation.paper.header import Header, VoiFunction, draw_header
from ribsight.simulation.paper.machines import MACHINES, Voi
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Confounder,
    Displacement,
    Film,
    Fracture,
    FractureOnFilm,
    PatientTruth,
    Person,
    View,
)

HEADER_SEED = 7
SQUARE = ((1.0, 1.0), (9.0, 1.0), (9.0, 9.0))


def make_rib(
    number: int,
    side: Side = Side.LEFT,
    acuity: Acuity = Acuity.ACUTE,
    displacement: Displacement = Displacement.DISPLACED,
    name: str = "",
) -> Fracture:
    return Fracture(
        name=name or f"{side.value}{number}",
        finding=RIB_FRACTURE,
        side=side,
        rib=number,
        place="lateral",
        position=0.5,
        displacement=displacement,
        acuity=acuity,
    )


def make_clavicle(
    place: str = "middle",
    side: Side = Side.LEFT,
    acuity: Acuity = Acuity.ACUTE,
    displacement: Displacement = Displacement.DISPLACED,
    *,
    fixed: bool = False,
) -> Fracture:
    return Fracture(
        name=f"{side.value}-{place}",
        finding=CLAVICLE_FRACTURE,
        side=side,
        rib=None,
        place=place,
        position=0.5,
        displacement=displacement,
        acuity=acuity,
        fixed=fixed,
    )


def make_patient(
    *fractures: Fracture,
    invisible: frozenset[str] = frozenset(),
    confounders: tuple[Confounder, ...] = (),
    views: tuple[View, ...] = (View.PA_ERECT,),
    height: int = 64,
    width: int = 80,
    number: int = 1,
    age: int = 52,
) -> PatientTruth:
    """Return a patient whose fractures all films show, but for the `invisible` ones."""
    on_film = tuple(
        FractureOnFilm(
            fracture=one.name,
            outline=SQUARE,
            contrast_to_noise=1.0 if one.name in invisible else 6.0,
            visible=one.name not in invisible,
        )
        for one in fractures
    )
    identity = f"SIM{number:06d}"
    return PatientTruth(
        person=Person(patient_id=identity, sex="female", age=age, height=1640.0, weight=71.5),
        study_date=date(2024, 2, 29),
        study_id=f"ST{number:06d}",
        accession_number=f"AC{number:06d}",
        fractures=fractures,
        confounders=confounders,
        films=tuple(
            Film(f"{identity}-{n}", view, height, width, 0.8, on_film)
            for n, view in enumerate(views, 1)
        ),
    )


def make_any_patient(seed: int) -> PatientTruth:
    """Return a patient with up to seven fractures of any kind, some of them occult."""
    random = np.random.default_rng(seed)
    fractures = {}
    for _ in range(int(random.integers(0, 8))):
        side = (Side.LEFT, Side.RIGHT)[int(random.integers(2))]
        acuity = (Acuity.ACUTE, Acuity.HEALING, Acuity.OLD)[int(random.integers(3))]
        displacement = list(Displacement)[int(random.integers(4))]
        if random.random() < 0.7:
            one = make_rib(int(random.integers(1, 13)), side, acuity, displacement)
        else:
            place = ("medial", "middle", "lateral")[int(random.integers(3))]
            fixed = bool(random.random() < 0.2)
            one = make_clavicle(place, side, acuity, displacement, fixed=fixed)
        fractures[one.name] = one
    views = [(View.PA_ERECT,), (View.AP_SUPINE,), (View.PA_ERECT, View.LATERAL)]
    present = tuple(one for one in Confounder if random.random() < 0.15)
    return make_patient(
        *fractures.values(),
        invisible=frozenset(name for name in fractures if random.random() < 0.4),
        confounders=present,
        views=views[int(random.integers(3))],
        number=seed,
    )


@pytest.fixture(scope="session")
def rib() -> Callable[..., Fracture]:
    return make_rib


@pytest.fixture(scope="session")
def clavicle() -> Callable[..., Fracture]:
    return make_clavicle


@pytest.fixture(scope="session")
def patient() -> Callable[..., PatientTruth]:
    return make_patient


@pytest.fixture(scope="session")
def any_patient() -> Callable[[int], PatientTruth]:
    return make_any_patient


@pytest.fixture(scope="session")
def film_pixels() -> NDArray[np.float32]:
    """(64, 80) greys from 0 to 1, both ends held by some pixels, with noise."""
    random = np.random.default_rng(3)
    ramp = np.linspace(-0.1, 1.1, 64 * 80).reshape(64, 80)
    return np.clip(ramp + random.normal(0, 0.03, ramp.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def varieties() -> tuple[tuple[View, Header], ...]:
    """Every machine with every view, and every way to mean a window or to rescale."""
    random = np.random.default_rng(HEADER_SEED)
    headers = [(view, draw_header(random, view, one)) for one in MACHINES for view in View]
    functions: set[VoiFunction | None] = set()
    unusual = False
    while not (len(functions) == len(VoiFunction) + 1 and unusual):
        header = draw_header(random, View.PA_ERECT)
        rescaled = header.rescale is not None and header.rescale.slope != 1
        if header.voi is Voi.WINDOW and (header.voi_function not in functions or rescaled):
            headers.append((View.PA_ERECT, header))
            functions.add(header.voi_function)
            unusual = unusual or rescaled
    return tuple(headers)
