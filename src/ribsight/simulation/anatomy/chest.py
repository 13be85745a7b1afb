"""All structures of one chest, put together."""

from dataclasses import dataclass

import numpy as np

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import BoneSurfaces, TubularBone
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.cartilage import (
    calcifications,
    cartilage_meshes,
    with_cartilage,
)
from ribsight.simulation.anatomy.cavity import SoftParts, make_soft_parts
from ribsight.simulation.anatomy.girdle import (
    Arms,
    Sternum,
    make_clavicle,
    make_sternum,
)
from ribsight.simulation.anatomy.lungs import leaves
from ribsight.simulation.anatomy.ribs import Rib, make_ribs
from ribsight.simulation.anatomy.shoulder import make_shoulder
from ribsight.simulation.anatomy.skin import breasts
from ribsight.simulation.anatomy.spine import Spine, make_spine, make_vertebrae
from ribsight.simulation.anatomy.vessels import vessel_mesh
from ribsight.simulation.mesh import Mesh

_LEAVES = 460
"""Ends of the vessels drawn in each lung."""


@dataclass(frozen=True, eq=False)
class Chest:
    """One person's chest.

    Attributes:
        build: its measures.
        spine: where the vertebrae are.
        sternum: where the sternum is.
        ribs: 24, right ones first, with cartilage.
        clavicles: right and left.
        bodies, arches: of the vertebrae, 17 each.
        shoulders: scapula and humerus, right ones first.
        cartilages: surfaces of the costal cartilages.
        calcifications: patches in them.
        soft: soft parts.
        breasts: surfaces.
        vessels: of both lungs.

    """

    build: Build
    spine: Spine
    sternum: Sternum
    ribs: tuple[Rib, ...]
    clavicles: tuple[TubularBone, TubularBone]
    bodies: tuple[BoneSurfaces, ...]
    arches: tuple[BoneSurfaces, ...]
    shoulders: tuple[BoneSurfaces, ...]
    cartilages: tuple[Mesh, ...]
    calcifications: Mesh
    soft: SoftParts
    breasts: tuple[Mesh, ...]
    vessels: tuple[Mesh, ...]

    @property
    def breakable(self) -> tuple[TubularBone, ...]:
        """Ribs and clavicles."""
        return (*(rib.bone for rib in self.ribs), *self.clavicles)

    @property
    def vertebrae(self) -> tuple[Mesh, ...]:
        """Surfaces of the vertebral bodies."""
        return tuple(one.outer for one in self.bodies)

    @property
    def processes(self) -> tuple[Mesh, ...]:
        """Surfaces of pedicles, laminae and processes."""
        return tuple(one.outer for one in self.arches)

    @property
    def flat_bones(self) -> tuple[Mesh, ...]:
        """Surfaces of scapulae and humeri."""
        return tuple(one.outer for one in self.shoulders)


def make_chest(build: Build, arms: Arms, random: np.random.Generator, *, supine: bool) -> Chest:
    """Return a chest of this build with the shoulders held like this."""
    spine = make_spine(build)
    bare = make_ribs(build, spine, random)
    sternum = make_sternum(build, bare)
    ribs = with_cartilage(bare, sternum)
    clavicles = (
        make_clavicle(build, sternum, Side.RIGHT, arms, random),
        make_clavicle(build, sternum, Side.LEFT, arms, random),
    )
    sides = (Side.RIGHT, Side.LEFT)
    ends = np.stack([one.centres[-1] for one in clavicles])
    joints = [make_shoulder(build, c, arms, s) for c, s in zip(clavicles, sides, strict=True)]
    bodies, arches = make_vertebrae(spine, build, random)
    soft = make_soft_parts(
        build,
        spine,
        ribs,
        sternum,
        ends,
        (joints[0].arm, joints[1].arm),
        random,
        supine=supine,
        lifted=arms.abducted > 90,
    )
    vessels = tuple(
        vessel_mesh(hilum, leaves(cavity, hilum, soft.diaphragm, _LEAVES, random), build, random,
                    supine=supine)
        for cavity, hilum in zip(soft.cavities, soft.hila, strict=True)
    )  # fmt: skip
    return Chest(
        build, spine, sternum, ribs, clavicles, tuple(bodies), tuple(arches),
        tuple(bone for one in joints for bone in (one.scapula, one.humerus)),
        tuple(cartilage_meshes(ribs)), calcifications(ribs, build, random), soft,
        tuple(breasts(build, ribs, supine=supine)), vessels,
    )  # fmt: skip
