"""Which voxels, and how much of them, belong to one labelled bone of a deformed scan."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ribsight.simulation.ct.deform import Deformation
from ribsight.simulation.ct.grid import Grid, Points
from ribsight.simulation.ct.materials import UNIT, Materials

Field = NDArray[np.float32]


class Membership:
    """How much of a point of the patient belongs to one bone: 1 inside its label, 0 outside."""

    def __init__(
        self, labels: NDArray[np.uint16], grid: Grid, number: int, deformation: Deformation
    ):
        """Cut out the label's surroundings; voxels of no bone around it belong to it too."""
        voxels = np.argwhere(labels == number)
        low = np.maximum(voxels.min(axis=0) - 4, 0)
        high = np.minimum(voxels.max(axis=0) + 5, labels.shape)
        block = labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        disc = ndimage.generate_binary_structure(2, 1)[:, None, :]
        grown = ndimage.binary_dilation(block == number, disc, iterations=2)
        self._share = (grown & ((block == 0) | (block == number))).astype(np.float32)
        self._grid = grid.part(tuple(int(n) for n in low), tuple(int(n) for n in high))  # type: ignore[arg-type]
        self._deformation = deformation

    def __call__(self, points: Points) -> Field:
        """Return (N,) shares at points (N, 3) of the patient."""
        where = self._grid.indices(self._deformation.to_source(points))
        return np.asarray(
            ndimage.map_coordinates(self._share, where.T, order=1, cval=0.0), np.float32
        )


def own_density(materials: Materials, member: Membership, points: Points) -> Field:
    """Return the bone's own density at points (N, 3)."""
    where = materials.grid.indices(points)
    low = np.maximum(np.floor(where.min(axis=0)).astype(int) - 1, 0)
    high = np.ceil(where.max(axis=0)).astype(int) + 2
    block = materials.bone[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    values = ndimage.map_coordinates(
        block.astype(np.float32) / UNIT, (where - low).T, order=1, cval=0.0, output=np.float32
    )
    dense = np.flatnonzero(values > 0)
    values[dense] *= member(points[dense])
    density: Field = values
    return density
