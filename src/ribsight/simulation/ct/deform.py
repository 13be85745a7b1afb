"""Another patient from the same volume: size, breathing, a smooth change of shape, a mirror."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import zoom

from ribsight.simulation.ct.grid import Grid, Points
from ribsight.simulation.ct.materials import Materials

_PITCH = 15.0
_CONTROL = 60.0
_LEAST_JACOBIAN = 0.35


@dataclass(frozen=True)
class Variation:
    """How much patients drawn from one volume differ.

    Attributes:
        scale: standard deviation of the size, per axis, around 1.
        breath: standard deviation of the lower chest's change of height, as a share.
        bumps: mm, standard deviation of random displacements, 60 mm apart.
        mirrored: share of patients with left and right exchanged; their heart is on the right.

    """

    scale: float = 0.05
    breath: float = 0.05
    bumps: float = 4.0
    mirrored: float = 0.0


@dataclass(frozen=True, eq=False)
class Deformation:
    """A smooth invertible map from the patient back to the volume.

    Attributes:
        origin: (3,) mm of the first node of the lattice.
        pitch: mm between nodes.
        shifts: (X, Y, Z, 3) mm, to the place in the volume, before the mirror.
        mirrored: x in the volume is minus x in the patient.

    """

    origin: Points
    pitch: float
    shifts: NDArray[np.float64]
    mirrored: bool

    def to_source(self, points: Points) -> Points:
        """Return where in the volume points (N, 3) of the patient come from."""
        moved = np.empty_like(points, dtype=np.float64)
        _pull(moved, np.ascontiguousarray(points, np.float64), self.origin, self.pitch, self.shifts)
        if self.mirrored:
            moved[:, 0] *= -1
        return moved

    def from_source(self, points: Points) -> Points:
        """Return where points (N, 3) of the volume are in the patient."""
        target = points * np.array([-1.0 if self.mirrored else 1.0, 1.0, 1.0])
        guess = target.copy()
        for _ in range(40):
            moved = np.empty_like(guess)
            _pull(moved, guess, self.origin, self.pitch, self.shifts)
            guess = guess - 0.9 * (moved - target)
        result: Points = guess
        return result

    def name(self, bone: str) -> str:
        """Return the name in the patient of a bone of the volume."""
        if not self.mirrored:
            return bone
        if "_left" in bone:
            return bone.replace("_left", "_right")
        return bone.replace("_right", "_left")


def identity(grid: Grid) -> Deformation:
    """Return the map that changes nothing."""
    origin, counts = _lattice(grid)
    return Deformation(origin, _PITCH, np.zeros((*counts, 3)), mirrored=False)


def draw_deformation(grid: Grid, variation: Variation, random: np.random.Generator) -> Deformation:
    """Draw a patient's shape.

    Random displacements are halved until no part of the body is squeezed to less than a third.
    """
    scale = np.exp(random.normal(0, variation.scale) + random.normal(0, 0.4 * variation.scale, 3))
    breath = float(np.clip(random.normal(0, variation.breath), -0.12, 0.12))
    origin, counts = _lattice(grid)
    control = [max(int(np.ceil(n * _PITCH / _CONTROL)), 2) + 2 for n in counts]
    # Cubic interpolation of white noise keeps about 0.6 of its spread.
    noise = random.normal(0, variation.bumps / 0.6, (*control, 3))
    bumps = zoom(noise, [*(n / c for n, c in zip(counts, control, strict=True)), 1], order=3)
    mirrored = bool(random.random() < variation.mirrored)
    nodes = np.stack(
        np.meshgrid(*(origin[k] + _PITCH * np.arange(counts[k]) for k in range(3)), indexing="ij"),
        axis=-1,
    )
    base = _breathed(nodes / scale, breath) - nodes
    for _ in range(8):
        shifts = base + bumps
        if _least_jacobian(nodes + shifts) > _LEAST_JACOBIAN:
            break
        bumps = bumps / 2
    return Deformation(origin, _PITCH, np.ascontiguousarray(shifts), mirrored)


def deform(materials: Materials, deformation: Deformation) -> Materials:
    """Return the patient's materials on the volume's grid, resampled once (trilinear)."""
    grid = materials.grid
    soft = np.zeros_like(materials.soft_tissue)
    bone = np.zeros_like(materials.bone)
    _resample(soft, bone, materials.soft_tissue, materials.bone, np.asarray(grid.origin),
              np.asarray(grid.spacing), deformation.origin, deformation.pitch,
              deformation.shifts, deformation.mirrored)  # fmt: skip
    return Materials(soft, bone, grid)


def _lattice(grid: Grid) -> tuple[Points, list[int]]:
    """Return the first node and the numbers of nodes that cover a grid and its mirror image."""
    low = np.asarray(grid.origin)
    extent = np.array([grid.shape[2], grid.shape[0], grid.shape[1]]) * np.asarray(grid.spacing)
    high = low + extent
    half = max(abs(low[0]), abs(high[0]))
    low = np.array([-half, low[1], low[2]]) - 2 * _PITCH
    high = np.array([half, high[1], high[2]]) + 2 * _PITCH
    counts = np.ceil((high - low) / _PITCH).astype(int) + 1
    return low, [int(n) for n in counts]


def _breathed(points: Points, breath: float) -> Points:
    """Return points with the chest below T7 stretched down and, half as much, forward."""
    lower = 1 / (1 + np.exp(points[..., 2] / 30.0))
    depth = -30.0 * np.logaddexp(0, -points[..., 2] / 30.0)
    result = points.copy()
    result[..., 2] += breath * depth
    result[..., 1] *= 1 - 0.5 * breath * lower
    return result


def _least_jacobian(moved: Points) -> float:
    rows = np.stack([np.gradient(moved, _PITCH, axis=k) for k in range(3)], axis=-2)
    return float(np.linalg.det(rows).min())


@njit(cache=True, nogil=True, inline="always")
def _between(value, count):  # type: ignore[no-untyped-def]
    """Return the node below and the share of the way to the next, kept inside the lattice."""
    inside = min(max(value, 0.0), count - 1.000001)
    node = int(inside)
    return node, inside - node


@njit(cache=True, nogil=True)
def _pull(out, points, origin, pitch, shifts):  # type: ignore[no-untyped-def]
    for n in range(points.shape[0]):
        i, u = _between((points[n, 0] - origin[0]) / pitch, shifts.shape[0])
        j, v = _between((points[n, 1] - origin[1]) / pitch, shifts.shape[1])
        k, w = _between((points[n, 2] - origin[2]) / pitch, shifts.shape[2])
        for axis in range(3):
            total = 0.0
            for a in range(2):
                for b in range(2):
                    weight = (u if a else 1 - u) * (v if b else 1 - v)
                    near = shifts[i + a, j + b, k, axis]
                    far = shifts[i + a, j + b, k + 1, axis]
                    total += weight * (near + w * (far - near))
            out[n, axis] = points[n, axis] + total


@njit(cache=True, nogil=True, fastmath=True)
def _resample(soft_out, bone_out, soft, bone, origin, spacing, lattice, pitch, shifts, mirrored):  # type: ignore[no-untyped-def]
    depth, height, width = soft.shape
    # Along a row the lattice is crossed a few times only: its shifts are interpolated to it first.
    nodes = shifts.shape[0]
    row_shifts = np.empty((nodes, 3))
    for p in range(depth):
        y = origin[1] + p * spacing[1]
        j, v = _between((y - lattice[1]) / pitch, shifts.shape[1])
        for q in range(height):
            z = origin[2] + q * spacing[2]
            k, w = _between((z - lattice[2]) / pitch, shifts.shape[2])
            for i in range(nodes):
                for axis in range(3):
                    near = shifts[i, j, k, axis] * (1 - w) + shifts[i, j, k + 1, axis] * w
                    far = shifts[i, j + 1, k, axis] * (1 - w) + shifts[i, j + 1, k + 1, axis] * w
                    row_shifts[i, axis] = near * (1 - v) + far * v
            for r in range(width):
                x = origin[0] + r * spacing[0]
                i, u = _between((x - lattice[0]) / pitch, nodes)
                x += row_shifts[i, 0] * (1 - u) + row_shifts[i + 1, 0] * u
                if mirrored:
                    x = -x
                fx = (x - origin[0]) / spacing[0]
                fy = y + row_shifts[i, 1] * (1 - u) + row_shifts[i + 1, 1] * u - origin[1]
                fy /= spacing[1]
                fz = z + row_shifts[i, 2] * (1 - u) + row_shifts[i + 1, 2] * u - origin[2]
                fz /= spacing[2]
                # A scan that is cut off goes on below and above.
                fz = min(max(fz, 0.0), height - 1.000001)
                if not (0 <= fx < width - 1 and 0 <= fy < depth - 1):
                    continue
                a, b, c = int(fy), int(fz), int(fx)
                s, t, h = np.float32(fy - a), np.float32(fz - b), np.float32(fx - c)
                total_soft, total_bone = np.float32(0.5), np.float32(0.5)
                for da in range(2):
                    for db in range(2):
                        weight = (s if da else 1 - s) * (t if db else 1 - t)
                        one = np.float32(soft[a + da, b + db, c])
                        two = np.float32(soft[a + da, b + db, c + 1])
                        total_soft += weight * (one + h * (two - one))
                        one = np.float32(bone[a + da, b + db, c])
                        two = np.float32(bone[a + da, b + db, c + 1])
                        total_bone += weight * (one + h * (two - one))
                soft_out[p, q, r] = np.uint16(total_soft)
                bone_out[p, q, r] = np.uint16(total_bone)
