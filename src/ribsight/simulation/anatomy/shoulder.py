"""Scapulae, humeri and upper arms.

Measures of the mean male: scapula 155 x 105 mm with a blade of 2 mm and a lateral border of 10 mm;
humeral head of 24 mm radius, neck and shaft at 135 degrees (Boileau & Walch, J Bone Joint Surg Br
1997).
"""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import BoneSurfaces, TubularBone
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.girdle import Arms, through
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import ellipsoid, loft, tube

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shoulder:
    """One shoulder and upper arm.

    Attributes:
        scapula: blade, spine with acromion, coracoid, glenoid.
        humerus: head and shaft.
        arm: skin of the upper arm.

    """

    scapula: BoneSurfaces
    humerus: BoneSurfaces
    arm: Mesh


def make_shoulder(build: Build, clavicle: TubularBone, arms: Arms, side: Side) -> Shoulder:
    """Return the shoulder at the end of a clavicle, the arm held as `arms` says."""
    sign = 1.0 if side is Side.LEFT else -1.0
    size = build.tall * (0.9 if build.sex == "female" else 1.0)
    joint = clavicle.centres[-1]
    glenoid = joint + np.array([sign * 4, 20, -36]) * size
    # A lifted arm turns the scapula with it, one degree in three (Inman 1944).
    upward = np.deg2rad(max(arms.abducted - 30, 0) / 3)
    outward = np.array([sign * np.cos(upward), 0.0, np.sin(upward)])
    head = glenoid + 26 * size * outward
    return Shoulder(
        _scapula(build, joint, glenoid, arms, sign, size, upward),
        _humerus(build, head, arms, sign, size),
        _arm(build, joint, head, arms, sign, size),
    )


def _scapula(
    build: Build,
    joint: Points,
    glenoid: Points,
    arms: Arms,
    sign: float,
    size: float,
    upward: float,
) -> BoneSurfaces:
    # Rolled-forward shoulders swing the medial border outwards around the chest.
    swing = float(np.clip(arms.forward / 45, 0, 1))
    medial, behind = -(98 - 40 * swing), 60 - 10 * swing
    cos, sin = np.cos(upward), np.sin(upward)

    def at(x: float, y: float, z: float) -> Points:
        # Upward rotation carries the lower pole outwards; the medial border stays at the wall.
        turned = (
            np.array([x * cos - z * sin, y, x * sin + z * cos]) if upward else np.array([x, y, z])
        )
        turned[0] *= sign
        corner: Points = glenoid + turned * size
        return corner

    upper, lower = (
        at(medial * 0.78, behind * 0.9, 44),
        at(medial * 0.72 + 24 * swing, behind + 4, -112),
    )
    root = at(medial, behind, 12)
    acromion = joint + np.array([sign * 13, 10, 1]) * size
    shell = 0.9 * build.cortex
    outer, inner = _blade(upper, root, lower, glenoid + [0, 2, 0], shell)
    rods = join([
        _rod([root, (root + acromion) / 2 + [0, 8, 6], acromion + [0, 8, 0],
              joint + [sign * 5, 0, 0]], [1.5, 2.6, 5, 4], [3, 6.5, 5.5, 4]),
        _rod([glenoid + [-sign * 4, -4, 14], glenoid + [-sign * 8, -22, 24],
              glenoid + [sign * 2, -34, 12]], [6, 5.5, 4.5]),
        ellipsoid(glenoid + [-sign * 2, 0, 0], (5.5 * size, 12 * size, 18 * size), rings=12,
                  around=20),
    ])  # fmt: skip
    return BoneSurfaces(
        join([outer, rods]),
        join([inner, rods.shrunk(shell)]),
        spongiosa=0.8 * build.mineral,
    )


def _rod(points: list[Points], across: list[float], high: list[float] | None = None) -> Mesh:
    place = np.linspace(0, len(points) - 1, 9)
    a = np.interp(place, np.arange(len(points)), across)
    b = a if high is None else np.interp(place, np.arange(len(points)), high)
    return tube(through(np.stack(points), place), a, b, around=10, round_ends=True)


def _blade(
    upper: Points, root: Points, lower: Points, glenoid: Points, shell: float
) -> tuple[Mesh, Mesh]:
    """Return outside and marrow of a thin plate, thick along its lateral border and at its neck."""
    share = np.linspace(0.0, 1.0, 25)[:, None]
    border = through(
        np.stack([upper, root, lower]), np.interp(share[:, 0], [0, 0.36, 1], [0, 1, 2])
    )
    lateral = np.where(share < 0.36, upper + (glenoid - upper) * share / 0.36,
                       glenoid + (lower - glenoid) * (share - 0.36) / 0.64)  # fmt: skip
    across = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 13))
    place = across[None, :, None]
    middle = border[:, None] + (lateral - border)[:, None] * place
    # The chest's side is hollow, and the lateral border too.
    hollow = np.sin(np.pi * place) * np.sin(np.pi * share)[:, None]
    outwards = np.sign(glenoid[0] - root[0])
    middle = middle + np.array([-0.5 * outwards, 5.0, 0]) * hollow
    bite = np.where(share > 0.36, np.sin(np.pi * np.clip((share - 0.36) / 0.64, 0, 1)), 0)
    middle[..., 0] -= outwards * 9 * bite * across**2
    edge = np.minimum(1.0, 3.0 * np.sqrt(across * (1 - across)))[None]
    ends = np.minimum(1.0, 2.5 * np.sqrt(share * (1 - share)))
    neck = np.exp(-(((share - 0.36) / 0.13) ** 2) - ((1 - across[None]) / 0.22) ** 2)
    rim = 0.9 * np.exp(-across / 0.07) + 3.6 * np.exp(-(1 - across) / 0.09) * (share[:, 0:] > 0.3)
    half = (1.0 + rim + 6.0 * neck) * (0.25 + 0.75 * edge * ends)

    def plate(thickness: NDArray[np.float64]) -> Mesh:
        step = thickness[..., None] * np.array([0.0, 1.0, 0.0])
        return loft(np.concatenate([middle - step, (middle + step)[:, ::-1]], axis=1)).outward()

    return plate(half), plate(np.maximum(half - shell, 0.1 * half))


def _humerus(build: Build, head: Points, arms: Arms, sign: float, size: float) -> BoneSurfaces:
    down, lateral = _arm_axes(arms, sign)
    toward = -(down + lateral) / np.sqrt(2)
    line = np.stack([
        head + 24 * size * toward, head + 12 * size * toward, head, head - 10 * size * toward,
        head + (9 * lateral + 26 * down) * size, head + (11 * lateral + 55 * down) * size,
        head + (11 * lateral + 110 * down) * size, head + (11 * lateral + 250 * down) * size,
    ])  # fmt: skip
    place = np.concatenate([np.linspace(0, 2, 15)[1:], np.linspace(2, 7, 22)[1:]])
    place = np.concatenate([[0.03], place])
    centres = CubicSpline(np.arange(len(line)), line, axis=0)(place)
    depth = np.linalg.norm(centres - line[0], axis=1) / (24 * size)
    cap = np.sqrt(np.clip(1 - (1 - depth) ** 2, 0.0, 1))
    half = np.interp(place, [0, 2, 3, 4, 5, 6, 7], [24, 24, 23.5, 20, 15, 11.5, 11]) * size
    half = np.where(place < 2, 24 * size * np.where(depth < 1, cap, 1.0), half)
    cortex = np.interp(place, [0, 3, 4, 5, 6, 7], [0.6, 0.7, 1.0, 2.4, 3.8, 4.2]) * build.cortex
    outer = tube(centres, half, around=28, up=(0, 1, 0))
    marrow = tube(centres, np.maximum(half - cortex, 0.3), around=28, up=(0, 1, 0))
    return BoneSurfaces(outer.outward(), marrow.outward(), spongiosa=0.5 * build.mineral)


def _arm(build: Build, joint: Points, head: Points, arms: Arms, sign: float, size: float) -> Mesh:
    down, lateral = _arm_axes(arms, sign)
    inward = np.array([-sign, 0.0, 0.0])
    # The deltoid caps the head.
    start = 0.5 * (joint + head) + (18 * inward + [0, 4, 8]) * size
    line = np.stack([start, head + (6 * lateral - 2 * down) * size,
                     head + (12 * lateral + 60 * down) * size,
                     head + (8 * lateral + 150 * down) * size,
                     head + (8 * lateral + 300 * down) * size])  # fmt: skip
    girth = 30 + 0.45 * build.fat + 0.9 * (build.muscle - 12)
    place = np.linspace(0, 4, 24)
    width = np.interp(place, [0, 0.5, 1, 1.6, 2.2, 3, 4], [0.55, 1.0, 1.28, 1.32, 1.2, 1.05, 0.95])
    centres = CubicSpline(np.arange(5), line, axis=0)(place)
    return tube(centres, width * girth, around=30, up=(0, 1, 0), round_ends=True).outward()


def _arm_axes(arms: Arms, sign: float) -> tuple[Points, Points]:
    """Return unit vectors: down along the humerus, and across it away from the body."""
    angle = np.deg2rad(arms.abducted)
    down = np.array([sign * np.sin(angle), -0.06, -np.cos(angle)])
    lateral = np.array([sign * np.cos(angle), 0.0, np.sin(angle)])
    return down / np.linalg.norm(down), lateral
