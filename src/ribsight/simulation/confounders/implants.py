"""Metal that stays in the body: pacemakers, sternal wires, clips."""

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Side
from ribsight.simulation.confounders.landmarks import SIDES, great_veins, rib_of, sign_of
from ribsight.simulation.confounders.part import Part, Setting
from ribsight.simulation.confounders.shapes import (
    beside,
    copies,
    evenly,
    loop,
    through,
    wire,
    xyz,
)
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import box, ellipsoid

Points = NDArray[np.float64]

_COIL = 0.30
"""Density of a lead's wound conductors against solid steel of their radius."""


def pacemaker(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a can below a clavicle, mostly the left, with one or two leads to the heart."""
    side = Side.LEFT if random.random() < 0.85 else Side.RIGHT
    sign = sign_of(side)
    bone = setting.chest.clavicles[SIDES.index(side)].centres
    above = bone[int(0.62 * (len(bone) - 1))]
    x, z = above[0] + sign * random.normal(0, 5), above[2] - random.uniform(52, 64)
    skin = setting.skin.in_front(x, z)
    normal = setting.skin.normal(x, z)
    lie = _lying(normal, random.normal(0, 0.25))
    centre = skin - normal * min(9.0, 6 + 0.25 * setting.chest.build.fat)
    header = centre + lie @ np.array([0.0, 0.0, 21.0])
    parts = [
        Part("titanium", ellipsoid(centre, (23, 3.6, 21), rotation=lie, power=3.2), density=0.32)
    ]
    # Battery, circuit, and the blocks that hold the leads.
    for at, half, density in (
        (xyz(-sign * 5, 0, -6), (12, 2.4, 9), 0.09),
        (xyz(sign * 12, 0, 5), (5, 1.2, 7), 0.10),
        (xyz(-sign * 6, 0, 22), (3, 1.6, 1.6), 0.5),
    ):
        parts.append(Part("steel", box(centre + lie @ at, half, rotation=lie), density=density))
    chambers = ["ventricle"] if random.random() < 0.3 else ["ventricle", "atrium"]
    for chamber in chambers:
        parts += _lead(setting, side, chamber, header, lie, random)
    return parts


def _lying(normal: Points, roll: float) -> Points:
    """Return the rotation (3, 3) that lays a box flat (its y along the normal) below the skin."""
    y = -normal
    z = np.array([np.sin(roll), 0.0, np.cos(roll)])
    z -= (z @ y) * y
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _lead(setting: Setting, side: Side, chamber: str, header: Points, lie: Points,
          random: np.random.Generator) -> list[Part]:  # fmt: skip
    """Return one lead: looped behind the can, below the clavicle, down the cava, into the heart."""
    veins = great_veins(setting.chest)
    sign = sign_of(side)
    bone = setting.chest.clavicles[SIDES.index(side)].centres
    medial, middle = bone[int(0.14 * len(bone))], bone[int(0.40 * len(bone))]
    wander = random.normal(0, 1.5, 3)
    atrium = veins["atrium"]
    # The loop of spare length lies behind the can.
    spare = [header + lie @ np.array(p) for p in ([-sign * 12, 0, 2.0], [-sign * 30, 4, -12.0],
                                                  [0.0, 7, -46.0], [sign * 27, 6, -18.0],
                                                  [sign * 8, 4, 12.0])]  # fmt: skip
    down = [middle + xyz(0, 4, -11.0), medial + xyz(0, 14, -6.0), veins["top"] + wander,
            veins["cava"] + wander]  # fmt: skip
    if side is Side.LEFT:
        down.insert(2, veins["top"] * [-0.1, 1, 1] + xyz(0.0, 0, 8) + wander)
    if chamber == "atrium":  # a J, its tip up in the appendage
        heart = [atrium + xyz(0.0, 0, -6), atrium + xyz(9.0, -8, -16), atrium + xyz(19.0, -14, 0),
                 atrium + xyz(20.0, -15, 13)]  # fmt: skip
    else:
        floor = min(float(veins["ventricle"][2]) + 12, float(atrium[2]) - 18)
        heart = [np.array([atrium[0] + 3, atrium[1], atrium[2] - 8]),
                 np.array([0.25 * veins["ventricle"][0], atrium[1] - 6, floor]),
                 veins["ventricle"] + wander]  # fmt: skip
    line = through(np.stack([header, *spare, *down, *heart]))
    ring = line[-6:-4]
    return [
        Part("steel", wire(line, 0.75), density=_COIL),
        Part("steel", join([wire(line[-2:], 1.1), wire(ring, 1.1)]), density=0.8),
    ]


def sternal_wires(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return six or seven wire loops around the sternum, twisted in front."""
    sternum = setting.chest.sternum
    count = int(random.integers(6, 8))
    line = evenly(sternum.line[:4], 200)
    shares = np.linspace(0.09, 0.97, count) + random.normal(0, 0.012, count)
    loops: list[Mesh] = []
    for share in shares:
        centre = line[int(np.clip(share, 0, 1) * 199)]
        near = sternum.mesh.vertices[np.abs(sternum.mesh.vertices[:, 2] - centre[2]) < 9]
        wide = float(np.ptp(near[:, 0])) / 2 * random.uniform(0.78, 0.92)
        deep = float(np.clip(np.ptp(near[:, 1]) / 2, 6, 10))
        tilt = random.normal(0, 0.10)
        centre = np.array([near[:, 0].mean(), (near[:, 1].min() + near[:, 1].max()) / 2, centre[2]])
        loops.append(loop(centre, [wide, 0, wide * tilt], [0, deep, random.normal(0, 1.5)], 0.42))
        start = centre + xyz(random.normal(0, 3), -deep, 0)
        angle = random.uniform(-0.6, 0.6)
        knot = start + np.outer(np.linspace(0, 1, 9), [9 * np.cos(angle), 0.5, 9 * np.sin(angle)])
        twisted = beside(knot, 0.5, 0.0)
        twisted[:, 2] += 0.4 * np.sin(np.linspace(0, 6 * np.pi, 9))
        loops.append(wire(twisted, 0.7))
    return [Part("steel", join(loops), density=0.8)]


def surgical_clips(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return clips where operations leave them: mammary artery, gall bladder, axilla, thyroid."""
    chest = setting.chest
    sternum, domes = chest.sternum.line, chest.soft.domes
    neck = sternum[0] + xyz(0, 18, 42)
    gall_bladder = xyz(0.55 * domes[0, 0], domes[0, 1], domes[0, 2] - 100)
    third = rib_of(chest, SIDES[int(random.random() < 0.5)], 3).bone.centres
    places: dict[str, tuple[Points, tuple[float, float, float], int]] = {
        "mammary": (np.linspace(sternum[0], sternum[3], 12) + xyz(26, 14, 0), (3, 3, 5), 9),
        "gall bladder": (gall_bladder[None], (9, 7, 8), 5),
        "axilla": (third[len(third) // 2 - 8 : len(third) // 2 + 8] * [1.12, 1, 1], (6, 8, 12), 8),
        "thyroid": (np.stack([neck - xyz(17, 0, 0), neck + xyz(17, 0, 0)]), (3, 4, 9), 7),
    }
    kind = list(places)[int(random.choice(4, p=[0.3, 0.4, 0.2, 0.1]))]
    line, spread, most = places[kind]
    count = int(random.integers(3, most + 1))
    centres = line[random.integers(0, len(line), count)] + random.normal(0, 1, (count, 3)) * spread
    return [Part("titanium", copies(_clip(), _turns(count, random), centres))]


def _clip() -> Mesh:
    """Return a closed clip, 6 mm long: two legs and the bend that joins them."""
    legs = np.array(
        [[3.0, 0, 0.9], [-2.4, 0, 0.8], [-3.0, 0, 0.0], [-2.4, 0, -0.8], [3.0, 0, -0.9]]
    )
    return wire(through(legs, 1.2), 0.45)


def _turns(count: int, random: np.random.Generator) -> Points:
    """Return random rotations, (N, 3, 3)."""
    axes, _ = np.linalg.qr(random.standard_normal((count, 3, 3)))
    turns: Points = axes * np.linalg.det(axes)[:, None, None]
    return turns
