"""The soft parts: lungs, heart, great vessels, diaphragm, abdomen, body wall.

The lungs are what the pleural cavity holds besides heart, mediastinum and the domes of the
diaphragm; along each ray the projection takes those away (`projection.film`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Side
from ribsight.simulation.anatomy.abdomen import (
    Diaphragm,
    abdomen,
    gas_and_fat,
    make_diaphragm,
)
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.girdle import Sternum
from ribsight.simulation.anatomy.heart import heart, mediastinum
from ribsight.simulation.anatomy.lungs import airways, cavity
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.anatomy.skin import muscles, torso
from ribsight.simulation.anatomy.spine import Spine
from ribsight.simulation.mesh import Mesh

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SoftParts:
    """Closed surfaces of everything that is not bone.

    Attributes:
        cavities: the pleural cavities, right and left.
        solids: what fills part of the cavities: heart, mediastinum, diaphragm with the abdomen.
        gas: trachea, bronchi, stomach and bowel.
        inner_fat: fat between the organs of the abdomen.
        body: the skin of the torso.
        muscle_wall: what lies under its fat.
        muscles: what stands out of the wall.
        arms: the upper arms.
        hila: (2, 3) mm, where the vessels of the right and the left lung begin.
        diaphragm: its shape.

    """

    cavities: tuple[Mesh, Mesh]
    solids: tuple[Mesh, ...]
    gas: tuple[Mesh, ...]
    inner_fat: tuple[Mesh, ...]
    body: Mesh
    muscle_wall: Mesh
    muscles: tuple[Mesh, ...]
    arms: tuple[Mesh, Mesh]
    hila: Points
    diaphragm: Diaphragm

    @property
    def domes(self) -> Points:
        """(2, 3) mm, tops of the right and left diaphragm."""
        return self.diaphragm.domes


def make_soft_parts(
    build: Build, spine: Spine, ribs: tuple[Rib, ...], sternum: Sternum, shoulders: Points,
    arms: tuple[Mesh, Mesh], random: np.random.Generator, *, supine: bool, lifted: bool,
) -> SoftParts:  # fmt: skip
    """Return the soft parts of a chest.

    Args:
        build: the body's measures.
        spine: vertebrae.
        ribs: with cartilage.
        sternum: its line closes the cavities in front.
        shoulders: (2, 3) mm, ends of the right and left clavicle.
        arms: upper arms.
        random: small differences between people.
        supine: lying, gas rises to the front.
        lifted: arms overhead.

    """
    diaphragm = make_diaphragm(build, ribs, random)
    # The left hilum stands one to two centimetres higher.
    hila = np.stack([
        spine.centres[7] + np.array([-30 * build.wide, -34 * build.deep, 16]),
        spine.centres[7] + np.array([31 * build.wide, -34 * build.deep, 27]),
    ])  # fmt: skip
    gas, fat = gas_and_fat(build, diaphragm, random, supine=supine)
    coat = 4 + build.muscle
    return SoftParts(
        cavities=(cavity(ribs, Side.RIGHT), cavity(ribs, Side.LEFT)),
        solids=(
            heart(build, spine, sternum, diaphragm, random),
            *mediastinum(build, spine, random),
            abdomen(diaphragm),
        ),
        gas=(*airways(build, spine, hila), *gas),
        inner_fat=tuple(fat),
        body=torso(spine, ribs, sternum, shoulders, coat + build.fat, lifted=lifted),
        muscle_wall=torso(spine, ribs, sternum, shoulders, coat, lifted=lifted),
        muscles=tuple(muscles(build, sternum, shoulders)),
        arms=arms,
        hila=hila,
        diaphragm=diaphragm,
    )
