import numpy as np
import pytest

from ribsight.findings import Acuity, Side
from ribsight.simulation.anatomy.build import draw_build
from ribsight.simulation.anatomy.chest import Chest, make_chest
from ribsight.simulation.anatomy.girdle import Arms
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Displacement,
    Fracture,
    Person,
)


def fracture(name: str, side: Side, rib: int | None, position: float, *, fixed: bool) -> Fracture:
    finding = CLAVICLE_FRACTURE if rib is None else RIB_FRACTURE
    place = "middle" if rib is None else "lateral"
    return Fracture(
        name, finding, side, rib, place, position, Displacement.DISPLACED, Acuity.OLD, fixed
    )


@pytest.fixture(scope="session")
def fractures() -> tuple[Fracture, ...]:
    return (
        fracture("f1", Side.RIGHT, None, 0.5, fixed=True),
        fracture("f2", Side.LEFT, 5, 0.45, fixed=True),
        fracture("f3", Side.RIGHT, 7, 0.30, fixed=True),
        fracture("f4", Side.RIGHT, 8, 0.35, fixed=False),
    )


@pytest.fixture(scope="session", params=["female", "male"])
def chest(request: pytest.FixtureRequest) -> Chest:
    random = np.random.default_rng([3, len(request.param)])
    person = Person("p", request.param, 70, 1680.0, 74.0)
    build = draw_build(person, supine=True, random=random)
    return make_chest(build, Arms(forward=5, raised=8), random, supine=True)
