"""The diaphragm with the abdomen under it, and its gas and fat."""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import ellipsoid, loft, tube

Points = NDArray[np.float64]
Numbers = NDArray[np.float64]

_FLOOR = -380.0
"""mm: where the torso is cut off, below every film."""


@dataclass(frozen=True, eq=False)
class Diaphragm:
    """A height over the chest's cross-section: two domes and the central tendon between them.

    Attributes:
        domes: (2, 3) mm, tops of the right and the left dome.
        reach: (2,) mm from the midline to the right and left wall.
        front, back: y of the wall.
        falls: (2, 3) mm from the top of each dome to its edge at the side, in front and behind.
        tendon: mm by which the dome falls until the midline.

    """

    domes: Points
    reach: Numbers
    front: float
    back: float
    falls: Points
    tendon: float

    def height(self, x: Numbers, y: Numbers) -> Numbers:
        """Return z of the diaphragm's upper surface, of the shape of x and y."""
        soft = 5.0
        right, left = (self._one(x, y, k) for k in (0, 1))
        top = np.maximum(right, left)
        blend: Numbers = top + soft * np.log(
            np.exp((right - top) / soft) + np.exp((left - top) / soft)
        )
        return blend

    def _one(self, x: Numbers, y: Numbers, k: int) -> Numbers:
        sign = -1.0 if k == 0 else 1.0
        top = self.domes[k]
        lateral = sign * (x - top[0])
        u = lateral / (self.reach[k] - abs(top[0]))
        inner = np.minimum(lateral, 0) / abs(top[0])
        u = np.maximum(u, 0)
        v = y - top[1]
        v = np.where(v > 0, v / (self.back - top[1]), v / (top[1] - self.front))
        fall = np.where(v > 0, self.falls[k, 2], self.falls[k, 1])
        radius2 = u**2 + v**2
        edge = (self.falls[k, 0] * u**2 + fall * v**2) / np.maximum(radius2, 1e-9)
        # Flat on top, steep at the wall, and on beyond it.
        inside = 1 - (1 - np.minimum(radius2, 0.995)) ** 0.62
        beyond = 6.0 * np.maximum(np.sqrt(radius2) - 1, 0)
        drop = edge * (inside + beyond) + self.tendon * inner**2 * (1 + 0.6 * inner**2)
        z: Numbers = top[2] - drop
        return z


def make_diaphragm(build: Build, ribs: tuple[Rib, ...], random: np.random.Generator) -> Diaphragm:
    """Return the diaphragm: full inspiration brings the right dome to the tenth rib."""
    tenth = [r.bone.centres[8:30].mean(axis=0) for r in ribs if r.number == 10]
    level = float(np.mean([t[2] for t in tenth])) + (1 - build.inspiration) * 55 + 24
    low = np.concatenate([r.bone.centres for r in ribs if r.number in (7, 8, 9, 10)])
    reach = np.array([-low[:, 0].min(), low[:, 0].max()]) - 3.0
    front, back = float(low[:, 1].min()) + 4, float(low[:, 1].max()) - 8
    deep = back - front
    # Men's left domes lie half a rib lower; one person in ten has them level or turned round.
    lower = random.normal(14, 7)
    domes = np.stack([
        [-reach[0] * random.normal(0.50, 0.04), front + 0.40 * deep, level + random.normal(0, 4)],
        [reach[1] * random.normal(0.56, 0.04), front + 0.44 * deep, level - lower],
    ])  # fmt: skip
    # Deep breaths and stiff lungs flatten the domes.
    arch = 1.12 - 0.22 * build.inspiration
    falls = np.stack([
        np.array([62, 34, 84]) * arch * random.normal(1, 0.08, 3),
        np.array([54, 30, 76]) * arch * random.normal(1, 0.08, 3),
    ])  # fmt: skip
    return Diaphragm(domes, reach, front, back, falls, tendon=16 * arch)


def abdomen(diaphragm: Diaphragm) -> Mesh:
    """Return everything under the diaphragm as one surface, wider than the chest's cavity."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    middle = (diaphragm.front + diaphragm.back) / 2
    half = (diaphragm.back - diaphragm.front) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    out = np.where(cos > 0, diaphragm.reach[1], diaphragm.reach[0])
    # Less than an ellipse's corners are missing.
    scale = (np.abs(cos) ** 2.6 + np.abs(sin) ** 2.6) ** (-1 / 2.6)
    radii = np.array([1.7, 1.7, 1.2, 1.07, 1.01, 0.97, 0.92, 0.85, 0.77, 0.68, 0.58, 0.48, 0.38,
                      0.28,
                      0.18, 0.09, 0.02])  # fmt: skip
    x = radii[:, None] * out * cos * scale
    y = middle + radii[:, None] * half * sin * scale
    z = diaphragm.height(x, y)
    z[0] = _FLOOR
    return loft(np.stack([x, y, z], axis=-1)).outward()


def gas_and_fat(
    build: Build, diaphragm: Diaphragm, random: np.random.Generator, *, supine: bool
) -> tuple[list[Mesh], list[Mesh]]:
    """Return the stomach's and bowel's gas, and fat between the organs."""
    gas = [_bubble(diaphragm, random, supine=supine)]
    right, left = diaphragm.domes
    y = diaphragm.front + 0.4 * (diaphragm.back - diaphragm.front)
    # The colon: under the liver, across, and up to the spleen; gas lies here and there in it.
    course = np.stack([
        [right[0] - 20, y + 20, right[2] - 190], [right[0] - 18, y, right[2] - 150],
        [right[0] + 40, y - 30, right[2] - 165], [0, y - 40, right[2] - 175],
        [left[0] - 10, y - 25, left[2] - 120], [left[0] + 28, y + 20, left[2] - 58],
        [left[0] + 34, y + 34, left[2] - 110], [left[0] + 32, y + 34, left[2] - 190],
    ])  # fmt: skip
    course = course + random.normal(0, 8, course.shape)
    gas += [_haustra(course, random) for _ in range(random.integers(1, 4))]
    for _ in range(random.integers(0, 4)):
        at = [random.uniform(-40, 60), y, right[2] - random.uniform(140, 220)]
        gas.append(ellipsoid(at, random.uniform(6, 13, 3), rings=10, around=16))
    # Below the liver's slanting edge lie fat and bowel.
    fat = []
    for _ in range(7):
        x = random.uniform(-70, 95)
        edge = right[2] - np.interp(x, [-90, 60, 100], [150, 70, 60])
        size = random.uniform(16, 34, 3) * (0.8 + 0.01 * build.fat)
        at = [x, y + random.uniform(-25, 25), edge - size[2] - random.uniform(0, 60)]
        fat.append(ellipsoid(at, size, rings=10, around=18))
    return gas, fat


def _bubble(diaphragm: Diaphragm, random: np.random.Generator, *, supine: bool) -> Mesh:
    """Return the stomach's gas: under the left dome with a level below, or flat in front."""
    left = diaphragm.domes[1]
    size = random.uniform(0.12, 1.1)
    if supine:
        at = left + [-18, -30, -50 - random.uniform(0, 20)]
        return ellipsoid(at, np.array([40, 16, 26]) * size, rings=14, around=24, power=2.3)
    middle = left[:2] + [random.uniform(-22, -6), 4]
    half, deep = 34 * size**0.6, 30 * size**0.6
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    rim = np.array([0.55, 0.97, 1.0, 0.98, 0.92, 0.82, 0.66, 0.45, 0.2])
    x = middle[0] + rim[:, None] * half * np.cos(angle) * (1 + 0.06 * np.sin(3 * angle + 7 * size))
    y = middle[1] + rim[:, None] * deep * np.sin(angle)
    roof = diaphragm.height(x, y) - 9.0
    low = float(roof.min()) - 4 - 16 * size
    # Round at the sides, along the dome above, level below.
    rise = np.array([0, 0.01, 0.25, 0.5, 0.7, 0.84, 0.93, 0.98, 1.0])[:, None]
    return loft(np.stack([x, y, low + (roof - low) * rise], axis=-1)).outward()


def _haustra(course: Points, random: np.random.Generator) -> Mesh:
    """Return a stretch of the colon's gas, pinched every three centimetres."""
    start = random.uniform(0, len(course) - 2.2)
    place = np.linspace(start, start + random.uniform(0.5, 1.2), 26)
    centres = CubicSpline(np.arange(len(course)), course, axis=0)(place)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
    pinch = 1 - 0.3 * np.abs(np.cos(np.pi * steps / random.uniform(26, 36))) ** 3
    ends = np.sqrt(np.clip(1 - (np.linspace(-1, 1, 26)) ** 6, 0.02, 1))
    return tube(centres, random.uniform(11, 18) * pinch * ends, around=16, up=(0, 1, 0))
