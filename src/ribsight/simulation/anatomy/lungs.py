"""Pleural cavities, the airways, and the points that the lungs' vessels reach."""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ribsight.findings import Side
from ribsight.simulation.anatomy.abdomen import Diaphragm
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.anatomy.spine import Spine
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import loft, tube

Points = NDArray[np.float64]

# How near the midline the lungs come in front, in the middle and behind, by rib, mm.
_MEDIAL = np.array([
    [30, 32, 36, 38], [20, 24, 28, 30], [10, 15, 20, 25], [8, 14, 18, 24], [8, 14, 16, 23],
    [9, 14, 16, 23], [12, 14, 16, 23], [15, 15, 16, 23], [18, 16, 17, 24], [22, 18, 18, 25],
    [24, 20, 20, 26],
])  # fmt: skip


def cavity(ribs: tuple[Rib, ...], side: Side) -> Mesh:
    """Return a pleural cavity: a skin just inside the ribs of one side."""
    sign = 1.0 if side is Side.LEFT else -1.0
    mine = [rib for rib in ribs if rib.side is side and rib.number <= 11]
    rings = np.stack([_inside(rib, sign) for rib in mine])
    place = np.linspace(0, len(rings) - 1, 44)
    levels = CubicSpline(np.arange(len(rings)), rings, axis=0)(place)
    return loft(np.concatenate([_cupola(rings[0]), levels])).outward()


def _cupola(ring: Points) -> Points:
    """Return rings (8, 48, 3) of the vault over the first rib, square to its slanting plane."""
    middle = ring.mean(axis=0)
    normal = np.linalg.svd(ring - middle)[2][2]
    normal = normal * np.sign(normal[2])
    share = np.array([0.06, 0.2, 0.36, 0.52, 0.68, 0.82, 0.92, 0.98])
    rise = 18 * np.sqrt(1 - share**2)
    shrunk = middle + share[:, None, None] * (ring - middle)
    vault: Points = shrunk + rise[:, None, None] * normal
    return vault


def _inside(rib: Rib, sign: float) -> Points:
    """Return a closed ring (48, 3) inside one rib: along it, then back beside the midline."""
    around = (
        np.concatenate([rib.bone.centres, rib.cartilage[1:]])
        if len(rib.cartilage)
        else (rib.bone.centres)
    )
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(around, axis=0), axis=1))])
    # Vessels and muscles fill the front of the uppermost rings.
    reach = {1: 0.58, 2: 0.74, 3: 0.88}.get(rib.number, 0.97)
    place = np.linspace(0.03, reach, 34) * steps[-1]
    outer = np.stack([np.interp(place, steps, c) for c in around.T], axis=1)
    middle = np.array([sign * 40.0, outer[:, 1].mean(), 0])
    inward = middle - outer
    inward[:, 2] = 0
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-6)
    outer = outer + inward * (float(rib.bone.thick.mean()) * 0.6 + 3.0)
    front, back = outer[-1], outer[0]
    share = np.linspace(0, 1, 16)[1:-1, None]
    medial = (1 - share) * front + share * back
    medial[:, 0] = sign * np.interp(share[:, 0], [0, 0.3, 0.7, 1], _MEDIAL[rib.number - 1])
    return np.concatenate([outer, medial])


def airways(build: Build, spine: Spine, hila: Points) -> list[Mesh]:
    """Return trachea and main bronchi."""
    t = {k: spine.centres[k + 1] for k in range(15)}
    carina = t[5] + np.array([2, -42, -4])
    windpipe = np.stack([t[0] + [0, -38, 55], t[1] + [0, -36, 0], t[3] + [1, -38, 0], carina])
    parts = [tube(_fine(windpipe, 24), 8.4 * build.wide, around=18, up=(0, 1, 0))]
    for hilum, width in zip(hila, (6.3, 5.6), strict=True):
        line = np.stack(
            [carina + [0, 0, 4], (carina + hilum) / 2 + [0, 0, -2], hilum + [0, 0, -10]]
        )
        parts.append(tube(_fine(line, 10), np.linspace(1, 0.8, 10) * width, around=14, up=(0, 1, 0),
                          round_ends=True))  # fmt: skip
    return parts


def leaves(
    skin: Mesh,
    hilum: Points,
    diaphragm: Diaphragm,
    count: int,
    random: np.random.Generator,
) -> Points:
    """Return up to `count` points spread through a lung, above the diaphragm, (L, 3)."""
    chosen = skin.vertices[random.integers(0, len(skin.vertices) - 2, 2 * count)]
    share = random.uniform(0.2, 0.95, (2 * count, 1)) ** 0.6
    points = hilum + (chosen - hilum) * share
    above = points[:, 2] > diaphragm.height(points[:, 0], points[:, 1]) + 2
    return points[above][:count]


def _fine(points: Points, count: int) -> Points:
    place = np.arange(len(points))
    line: Points = CubicSpline(place, points, axis=0)(np.linspace(0, len(points) - 1, count))
    return line
