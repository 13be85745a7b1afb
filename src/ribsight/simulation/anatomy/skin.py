"""The body wall: skin, muscles that show, breasts."""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Side
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.girdle import Sternum
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.anatomy.spine import Spine
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import ellipsoid, loft, tube

Points = NDArray[np.float64]
Numbers = NDArray[np.float64]


def torso(
    spine: Spine,
    ribs: tuple[Rib, ...],
    sternum: Sternum,
    shoulders: Points,
    coat: float,
    *,
    lifted: bool = False,
) -> Mesh:
    """Return a skin `coat` mm outside the ribs, with neck and shoulders; lifted arms narrow it."""
    top = float(shoulders[:, 2].mean())
    z = np.concatenate([np.linspace(-360, top - 60, 26), np.linspace(top - 45, top + 130, 18)])
    half, front = _around_cage(ribs, sternum, z)
    half = half + coat + 6
    back = np.interp(-z, -spine.centres[:, 2], spine.centres[:, 1]) + 52 + 0.6 * coat
    front = np.minimum(front - coat, back - 120)
    reach = float(np.abs(shoulders[:, 0]).max()) + 22 + 0.4 * coat
    # Latissimus and pectoral muscle widen the wall below the armpit.
    arm = np.clip((z + 60) / (top - 10), 0, 1) ** 2
    below = half + arm * (reach - half) * (0.35 if lifted else 0.8)
    # The shoulders: width grows to the tips, then falls to the neck.
    over = np.clip((z - (top - 60)) / 60, 0, 1)
    above = np.sin(np.clip((z - (top - 12)) / 95, 0, 1) * np.pi / 2) ** 0.7
    tips = (1 - over) * half + over * reach
    half = np.where(z > top - 60, tips + (58 + 0.4 * coat - tips) * above, below)
    # Above the notch of the sternum the front goes back to the neck.
    neck = np.clip((z - sternum.line[0, 2] - 9) / 95, 0, 1) ** 0.8
    front = front + (back - 165 - 0.6 * coat - front) * neck
    return loft(_rounded_rings(z, half, front, back, np.where(z < top - 20, 2.6, 2.2)))


def _around_cage(ribs: tuple[Rib, ...], sternum: Sternum, z: Numbers) -> tuple[Numbers, Numbers]:
    """Return how far the cage reaches to the sides and to the front (y) at heights z."""
    cage = np.concatenate([r.bone.centres for r in ribs])
    level = np.clip(z, cage[:, 2].min() + 12, cage[:, 2].max() - 14)
    near = np.abs(cage[None, :, 2] - level[:, None]) < 14
    half = np.where(near, np.abs(cage[:, 0]), 0).max(axis=1)
    front = np.where(near, cage[:, 1], np.inf).min(axis=1)
    line = sternum.line
    before = np.where(z > line[-1, 2], np.interp(-z, -line[:, 2], line[:, 1]), np.inf)
    return half, np.minimum(front, before)


def _rounded_rings(
    z: Numbers, half: Numbers, front: Numbers, back: Numbers, power: Numbers
) -> Points:
    """Return smoothed superelliptic rings (Z, 72, 3)."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    p = power[:, None]
    scale = (np.abs(cos) ** p + np.abs(sin) ** p) ** (-1 / p)
    rings = np.stack(
        [
            half[:, None] * cos * scale,
            ((front + back) / 2)[:, None] + ((back - front) / 2)[:, None] * sin * scale,
            np.broadcast_to(z[:, None], scale.shape),
        ],
        axis=-1,
    )
    for _ in range(3):
        rings[1:-1] = (rings[:-2] + 2 * rings[1:-1] + rings[2:]) / 4
    return rings


def muscles(build: Build, sternum: Sternum, shoulders: Points) -> list[Mesh]:
    """Return what stands out of the wall's even coat: pectoral and neck muscles."""
    found = []
    strength = (build.muscle / 16) ** 1.5
    for shoulder, sign in zip(shoulders, (-1.0, 1.0), strict=True):
        found.append(_pectoral(build, sternum, shoulder, sign, 7.5 * strength))
        mastoid = np.stack([
            sternum.line[0] + [sign * 14, 6, 4], sternum.line[0] + [sign * 24, 20, 45],
            sternum.line[0] + [sign * 46, 48, 130],
        ])  # fmt: skip
        found.append(
            tube(
                mastoid,
                [3.5, 5.5, 6.5],
                [2.5, 3.5, 4],
                around=14,
                up=(0, 1, 0),
                round_ends=True,
            )
        )
    return [one.outward() for one in found]


def _pectoral(build: Build, sternum: Sternum, shoulder: Points, sign: float, half: float) -> Mesh:
    """Return the pectoral muscle: a fan from sternum and clavicle to the arm, free lower edge."""
    share = np.linspace(0, 1, 14)[:, None]
    high, low = sternum.line[0], sternum.line[3]
    medial = (1 - share) * high + share * (0.85 * low + 0.15 * high) + [sign * 26, -2, 0]
    arm = shoulder + [sign * 6, -2, -30]
    lateral = arm + share * np.array([-sign * 8, 6, -52]) * build.tall
    across = np.linspace(0, 1, 12)
    grid = medial[:, None] + (lateral - medial)[:, None] * across[None, :, None]
    # Around the chest, and hanging between its ends.
    grid[..., 1] -= 14 * np.sin(np.pi * across)[None]
    grid[..., 2] -= (26 * np.sin(np.pi * across**1.3)[None] * share**2) * build.tall
    belly = np.sin(np.pi * np.clip(across * 0.9 + 0.05, 0, 1))[None] ** 0.7
    rows = np.minimum(1.0, 1.7 * np.sqrt(share * (1.02 - share)))
    thickness = np.maximum(half * belly * rows * (0.45 + 0.75 * across[None]), 0.05)
    step = thickness[..., None] * np.array([0.0, 1.0, 0.0])
    return loft(np.concatenate([grid - step, (grid + step)[:, ::-1]], axis=1)).outward()


def breasts(build: Build, ribs: tuple[Rib, ...], *, supine: bool) -> list[Mesh]:
    """Return the breasts, lying on the body's outline."""
    if build.breast == 0:
        return []
    size = build.breast ** (1 / 3)
    found = []
    for side, sign in ((Side.RIGHT, -1.0), (Side.LEFT, 1.0)):
        fifth = next(r for r in ribs if r.side is side and r.number == 5).bone.centres
        at = fifth[np.argmin(np.abs(fifth[:, 0] - sign * 88 * build.wide) + 0.5 * fifth[:, 1])]
        # Lying, they slide outwards and flatten; standing, they hang and press on the detector.
        centre = at + np.array(
            [
                sign * (16 if supine else 4),
                -10 - build.fat,
                -10 if supine else -26 - 16 * size,
            ]
        )
        half = np.array([64, 12, 58] if supine else [60, 16, 58]) * size
        round_one = ellipsoid((0, 0, 0), (1, 1, 1), rings=24, around=40)
        x, y, z = round_one.vertices.T
        # Thickest below, thinning out toward the clavicle and the armpit.
        y = y * np.abs(y) ** 0.6 * (0.72 - 0.42 * z - 0.2 * z**2)
        z = np.where(z > 0, 1.35 * z, 0.92 * z)
        x = x * (1 + 0.12 * z) + sign * 0.22 * np.maximum(z, 0)
        found.append(Mesh(np.stack([x, y, z], axis=1) * half + centre, round_one.triangles))
    return found
