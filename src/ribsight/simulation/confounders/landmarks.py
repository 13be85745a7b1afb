"""Places of a chest that confounders are laid on: skin, windpipe, veins, the ribs' outside."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import TubularBone
from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.mesh import join
from ribsight.simulation.projection.camera import Camera
from ribsight.simulation.projection.raster import spans

Points = NDArray[np.float64]

SIDES = (Side.RIGHT, Side.LEFT)
"""In the order of a chest's pairs."""
_GRID = 4.0
_FAR = 2e5


def sign_of(side: Side) -> float:
    """Return the sign of x on a side of the patient."""
    return 1.0 if side is Side.LEFT else -1.0


@dataclass(frozen=True, eq=False)
class Skin:
    """The torso's surface with the breasts, as depth maps seen from in front and from behind.

    Attributes:
        x, z: (W,), (H,) mm, the grid; z falls.
        reach: (H, 2) mm, smallest and largest x of the body at each level.
        front, back: (H, W) mm, y of the surface; beyond `reach`, that of the nearest place.

    """

    x: Points
    z: Points
    reach: Points
    front: Points
    back: Points

    def in_front(self, x: ArrayLike, z: ArrayLike, outside: float = 0.0) -> Points:
        """Return points (N, 3) on the front; beyond the outline, at it."""
        return self._at(self.front, x, z, -outside)

    def behind(self, x: ArrayLike, z: ArrayLike, outside: float = 0.0) -> Points:
        """Return points (N, 3) on the back."""
        return self._at(self.back, x, z, outside)

    def normal(self, x: float, z: float) -> Points:
        """Return the unit normal (3,) that points out of the front."""
        step = 2 * _GRID
        around = self.in_front([x - step, x + step, x, x], [z, z, z - step, z + step])
        slope_x = (around[1, 1] - around[0, 1]) / max(around[1, 0] - around[0, 0], _GRID)
        slope_z = (around[3, 1] - around[2, 1]) / (2 * step)
        out = np.array([slope_x, -1.0, slope_z])
        unit: Points = out / np.linalg.norm(out)
        return unit

    def _at(self, depth: Points, x: ArrayLike, z: ArrayLike, shift: float) -> Points:
        wanted, level = np.broadcast_arrays(
            np.asarray(x, dtype=np.float64), np.clip(z, self.z[-1], self.z[0])
        )
        row = (self.z[0] - level) / _GRID
        low = np.interp(row, np.arange(len(self.z)), self.reach[:, 0]) + 4
        high = np.interp(row, np.arange(len(self.z)), self.reach[:, 1]) - 4
        across = np.clip(wanted, low, high)
        column = (across - self.x[0]) / _GRID
        places = np.stack([np.ravel(row), np.ravel(column)])
        y = map_coordinates(depth, places, order=1, mode="nearest").reshape(np.shape(across))
        return np.stack([across, y + shift, level], axis=-1)


def skin_of(chest: Chest) -> Skin:
    """Return the torso's surface: body and breasts without the arms."""
    mesh = join([chest.soft.body, *chest.breasts])
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle, size = (low + high) / 2, np.ceil((high - low) / _GRID).astype(int)
    source = np.array([middle[0], high[1] + _FAR, middle[2]])
    centre = np.array([middle[0], low[1], middle[2]])
    camera = Camera(source, centre, np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), _GRID,
                    int(size[2]), int(size[0]))  # fmt: skip
    enters, leaves = spans(mesh, camera)
    hit = leaves > enters
    rows = np.flatnonzero(hit.sum(axis=1) > 3)
    hit = hit[rows[0] : rows[-1] + 1]
    depth = [source[1] + part[rows[0] : rows[-1] + 1] * (centre[1] - source[1])
             for part in (leaves, enters)]  # fmt: skip
    x = middle[0] + (np.arange(size[0]) + 0.5 - size[0] / 2) * _GRID
    z = middle[2] - (np.arange(size[2]) + 0.5 - size[2] / 2) * _GRID
    columns = np.arange(size[0])
    for row, inside in enumerate(hit):
        if inside.any():
            for one in depth:
                one[row] = np.interp(columns, columns[inside], one[row, inside])
    reach = np.stack([[x[line].min(), x[line].max()] if line.any() else [0.0, 0.0] for line in hit])
    return Skin(x, z[rows[0] : rows[-1] + 1], reach, depth[0], depth[1])


def windpipe(chest: Chest) -> Points:
    """Return the trachea's centre line, (N, 3) mm, from the carina upwards."""
    trachea = max(chest.soft.gas, key=lambda one: float(one.vertices[:, 2].max()))
    points = trachea.vertices
    low, high = float(points[:, 2].min()), float(points[:, 2].max())
    levels = np.linspace(low + 4, high - 4, 12)
    middles = [points[np.abs(points[:, 2] - z) < 12].mean(axis=0) for z in levels]
    line = np.stack(middles)
    line[:, 2] = levels
    return line


def rib_of(chest: Chest, side: Side, number: int) -> Rib:
    """Return a rib by its name."""
    return next(one for one in chest.ribs if one.side is side and one.number == number)


def outward(chest: Chest, bone: TubularBone) -> Points:
    """Return unit vectors (N, 3) square to a rib's centre line that point out of the chest."""
    frames = bone.frames()
    middle = np.mean([one.bone.centres.mean(axis=0) for one in chest.ribs], axis=0)
    away = (bone.centres - middle) * [1.0, 1.0, 0.0]
    facing = np.sign(np.einsum("ij,ij->", frames[:, 1], away))
    normals: Points = frames[:, 1] * facing
    return normals


def great_veins(chest: Chest) -> dict[str, Points]:
    """Return (3,) mm: superior vena cava, at its top and its end, right atrium, right ventricle."""
    top, angle, middle, low, _ = chest.sternum.line
    hilum, right_dome, left_dome = chest.soft.hila[0], chest.soft.domes[0], chest.soft.domes[1]
    carina = windpipe(chest)[0]
    front = (carina[1] + middle[1]) / 2
    floor = (right_dome[2] + left_dome[2]) / 2
    side = hilum[0] * 0.92
    return {
        "top": np.array([side * 0.95, (carina[1] * 2 + top[1]) / 3, (top[2] + angle[2]) / 2]),
        "cava": np.array([side, front, carina[2]]),
        "atrium": np.array([side * 1.05, front - 4, 0.55 * carina[2] + 0.45 * floor]),
        "ventricle": np.array([0.62 * left_dome[0], low[1] + 28, left_dome[2] + 16]),
    }
