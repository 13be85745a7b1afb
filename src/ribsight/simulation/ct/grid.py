"""A box of voxels in patient coordinates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an array [y, z, x] lie.

    The axis that the beam follows comes first, so that a film is the sum of slices.

    Attributes:
        origin: (x, y, z) mm of the middle of voxel [0, 0, 0].
        spacing: (x, y, z) mm.
        shape: voxels along (y, z, x).

    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    def axes(self) -> tuple[Points, Points, Points]:
        """Return the x, y and z of the voxels' middles, mm."""
        x, y, z = self.origin
        step_x, step_y, step_z = self.spacing
        along_y, along_z, along_x = (np.arange(n, dtype=np.float64) for n in self.shape)
        return x + step_x * along_x, y + step_y * along_y, z + step_z * along_z

    def points(self, indices: NDArray[np.int64]) -> Points:
        """Return the (N, 3) x, y, z of voxels (N, 3) [y, z, x]."""
        steps = indices[:, [2, 0, 1]].astype(np.float64)
        result: Points = np.asarray(self.origin) + steps * np.asarray(self.spacing)
        return result

    def indices(self, points: Points) -> Points:
        """Return the (N, 3) fractional [y, z, x] of points (N, 3)."""
        scaled = (points - np.asarray(self.origin)) / np.asarray(self.spacing)
        result: Points = scaled[:, [1, 2, 0]]
        return result

    def part(self, low: tuple[int, int, int], high: tuple[int, int, int]) -> "Grid":
        """Return the grid of array[low[0]:high[0], low[1]:high[1], low[2]:high[2]]."""
        first = self.points(np.array([low]))[0]
        size = [b - a for a, b in zip(low, high, strict=True)]
        return Grid(
            (float(first[0]), float(first[1]), float(first[2])),
            self.spacing,
            (size[0], size[1], size[2]),
        )

    @property
    def voxel_volume(self) -> float:
        """mm^3."""
        return float(np.prod(self.spacing))
