"""Heart and mediastinum: what lies between the lungs.

The heart is given by its four borders over its height, as a film shows them: right atrium and left
ventricle from the front, right ventricle and left atrium from the side. The mean borders were set
so that the cardiothoracic ratio of an upright adult is 0.44.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from ribsight.simulation.anatomy.abdomen import Diaphragm
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.girdle import Sternum
from ribsight.simulation.anatomy.spine import Spine
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import loft, tube

Points = NDArray[np.float64]

# Shares of the height from the diaphragm to the fork of the pulmonary trunk; mm from the midline.
_SHARE = np.array([-0.5, -0.15, 0.0, 0.1, 0.22, 0.36, 0.5, 0.65, 0.8, 0.92, 1.0, 1.12, 1.22])
_LEFT = np.array([30, 74, 87, 90.5, 90, 83, 71, 56, 46, 43, 40, 33, 22.0])
_RIGHT = np.array([2, 20, 28, 32, 35.5, 37.5, 36.5, 32.5, 27, 23, 20, 16, 10.0])
# mm behind the sternum, and in front of the spine.
_FRONT = np.array([20, 6, 2, 1, 1, 3, 8, 16, 26, 36, 42, 48, 52.0])
_BACK = np.array([40, 30, 24, 20, 15, 11, 9, 10, 14, 18, 22, 24, 30.0])
_HEIGHT = 116.0


def heart(
    build: Build,
    spine: Spine,
    sternum: Sternum,
    diaphragm: Diaphragm,
    random: np.random.Generator,
) -> Mesh:
    """Return the heart, resting on the diaphragm and hanging from the great vessels."""
    top = spine.centres[6][2] - 8 * build.tall
    floor = float(diaphragm.height(np.array([36.0]), np.array([diaphragm.domes[1, 1] - 10]))[0]) - 2
    height = max(top - floor, 60.0)
    # What it loses in height it gains in width.
    broad = build.heart * (_HEIGHT * build.tall / height) ** 0.35 * build.wide**0.8
    share = np.linspace(-0.5, 1.22, 32)
    left, right, front, back = (
        PchipInterpolator(_SHARE, border)(share) for border in (_LEFT, _RIGHT, _FRONT, _BACK)
    )
    # Fat and age round the apex; the atrium differs from one to the next.
    low = np.exp(-(((share - 0.02) / 0.13) ** 2))
    left = left * broad * random.normal(1, 0.03) + (0.12 * build.fat + 2 * random.random()) * low
    right = right * (0.4 + 0.6 * broad) * random.normal(1, 0.06) + 0.15 * build.fat * low
    left = left + random.normal(0, 1.6) * np.sin(np.pi * (share - 0.6) / 0.4) * (share > 0.6)
    left = np.minimum(left, 0.80 * diaphragm.reach[1])
    z = floor + share * height
    breast_bone = np.interp(-z, -sternum.line[:, 2], sternum.line[:, 1]) + 10
    vertebrae = np.interp(-z, -spine.centres[:, 2], spine.centres[:, 1]) - 15
    front, back = breast_bone + front, vertebrae - back / build.heart
    middle_x, half_x = (left - right) / 2, (left + right) / 2
    middle_y, half_y = (front + back) / 2, np.maximum((back - front) / 2, 12)
    angle = np.linspace(0, 2 * np.pi, 44, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    x = middle_x[:, None] + half_x[:, None] * cos
    # The apex points forward.
    slant = np.clip(0.42 - 0.25 * share, 0, 0.42)[:, None]
    squeeze = np.sqrt(np.clip(1 - slant**2 * (half_x / half_y)[:, None] ** 2 * 0.5, 0.3, 1))
    y = middle_y[:, None] + half_y[:, None] * squeeze * sin - slant * half_x[:, None] * cos
    y = np.maximum(y, breast_bone[:, None] - 1)
    return loft(np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1)).outward()


def mediastinum(build: Build, spine: Spine, random: np.random.Generator) -> list[Mesh]:
    """Return the column between the lungs: spine, great vessels, aortic arch."""
    t = {k: spine.centres[k + 1] for k in range(15)}
    wide = build.wide
    column = np.stack([t[k] + np.array([0, -6, 0]) for k in (0, 2, 4, 6, 8, 10, 12, 14)])
    half = np.interp(np.arange(8), [0, 1, 2, 3, 7], [20, 20, 20, 21, 25]) * wide
    parts = [tube(column, half, half * 1.1, around=24, up=(0, 1, 0))]
    neck = np.stack(
        [
            t[0] + [0, -18, 60],
            t[1] + [0, -22, 0],
            t[3] + [-3, -50, 0],
            t[5] + [-2, -62, 0],
        ]
    )
    broad = np.interp(np.arange(14), [0, 5, 13], [30, 25, 24]) * wide
    parts.append(tube(_fine(neck, 14), broad, 28, around=24, up=(0, 1, 0), round_ends=True))
    bulge = 6 + 13 * build.unfolded_aorta
    arch = np.stack([
        t[7] + [-14 - 0.3 * bulge, -66, 0], t[6] + [-14 - 0.6 * bulge, -72, 0],
        t[5] + [-8 - 0.5 * bulge, -74, 0], t[4] + [4, -62, 4 + 0.4 * bulge],
        t[4] + [15 + 0.5 * bulge, -34, 2 + 0.4 * bulge], t[5] + [15 + 0.7 * bulge, -16, 0],
        t[7] + [14 + 0.6 * bulge, -6, 0], t[9] + [10 + 0.3 * bulge, -8, 0], t[12] + [4, -20, 0],
    ])  # fmt: skip
    aorta = np.interp(np.linspace(0, 8, 44), [0, 4, 8], [17, 14, 11]) * (
        1 + 0.25 * build.unfolded_aorta
    )
    parts.append(tube(_fine(arch, 44), aorta, around=20, up=(0.3, 0.2, 1), round_ends=True))
    trunk = np.stack(
        [
            t[7] + [16, -78, 0],
            t[6] + [24, -66, 2],
            t[5] + [26, -46, -6],
            t[6] + [36, -34, 8],
        ]
    )
    parts.append(
        tube(
            _fine(trunk, 20),
            13 * build.vessels,
            around=18,
            up=(0.3, 0.2, 1),
            round_ends=True,
        )
    )
    cava = np.stack(
        [
            t[0] + [-26, -34, 0],
            t[2] + [-22, -48, 0],
            t[4] + [-22, -54, 0],
            t[7] + [-22, -60, 0],
        ]
    )
    parts.append(tube(_fine(cava, 14), 11 * random.normal(1, 0.1), around=16, up=(0, 1, 0)))
    subclavian = np.stack(
        [
            t[4] + [16, -40, 0],
            t[2] + [20, -36, 4],
            t[1] + [28, -30, 12],
            t[0] + [46, -28, 16],
        ]
    )
    parts.append(tube(_fine(subclavian, 12), 8, around=14, up=(0, 1, 0)))
    return parts


def _fine(points: Points, count: int) -> Points:
    place = np.arange(len(points))
    line: Points = CubicSpline(place, points, axis=0)(np.linspace(0, len(points) - 1, count))
    return line
