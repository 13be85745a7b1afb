"""Closed triangle meshes: the form every simulated structure has.

Why surfaces and not voxels: the length of an X-ray inside a closed surface is the signed sum of
its crossings, exact at any resolution, so a cortex of 0.7 mm stays a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Vertices = NDArray[np.float64]
Triangles = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface, its triangles counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) mm in patient coordinates.
        triangles: (T, 3) indices of vertices.

    """

    vertices: Vertices
    triangles: Triangles

    def moved(self, matrix: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)) -> "Mesh":
        """Return the mesh with vertices matrix @ v + shift; a mirror turns the triangles."""
        linear = np.asarray(matrix, dtype=np.float64)
        triangles = self.triangles if np.linalg.det(linear) > 0 else self.triangles[:, ::-1]
        return Mesh(self.vertices @ linear.T + np.asarray(shift, dtype=np.float64), triangles)

    def volume(self) -> float:
        """Return the enclosed volume, mm^3; negative when inside out."""
        return float(_volume(self.vertices, self.triangles))

    def normals(self) -> NDArray[np.float64]:
        """Return the outward unit normal at every vertex, (V, 3), faces weighing by their area."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        faces = np.cross(b - a, c - a)
        count = len(self.vertices)
        corners = self.triangles.T.ravel()
        total = np.stack(
            [np.bincount(corners, np.tile(faces[:, axis], 3), count) for axis in range(3)],
            axis=1,
        )
        length = np.linalg.norm(total, axis=1, keepdims=True)
        unit: NDArray[np.float64] = total / np.maximum(length, 1e-12)
        return unit

    def shrunk(self, by: float) -> "Mesh":
        """Return the mesh drawn in along its normals, mm: what a shell of that thickness holds."""
        return Mesh(self.vertices - by * self.normals(), self.triangles)

    def outward(self) -> "Mesh":
        """Return the mesh with its triangles turned, if they look inwards."""
        return self if self.volume() >= 0 else Mesh(self.vertices, self.triangles[:, ::-1])


@njit(cache=True, nogil=True)
def _volume(vertices, triangles):  # type: ignore[no-untyped-def]
    total = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = (
            vertices[triangles[t, 0]],
            vertices[triangles[t, 1]],
            vertices[triangles[t, 2]],
        )
        total += a[0] * (b[1] * c[2] - b[2] * c[1])
        total += a[1] * (b[2] * c[0] - b[0] * c[2])
        total += a[2] * (b[0] * c[1] - b[1] * c[0])
    return total / 6


MIRROR_X = np.diag([-1.0, 1.0, 1.0])
"""Right to left and back."""


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return one mesh of many; surfaces stay separate and count separately."""
    if not meshes:
        return Mesh(np.empty((0, 3)), np.empty((0, 3), np.int32))
    offsets = np.cumsum([0] + [len(one.vertices) for one in meshes[:-1]])
    return Mesh(
        np.concatenate([one.vertices for one in meshes]),
        np.concatenate(
            [one.triangles + np.int32(k) for one, k in zip(meshes, offsets, strict=True)]
        ).astype(np.int32),
    )


def copies(mesh: Mesh, matrices: ArrayLike, shifts: ArrayLike) -> Mesh:
    """Return many transformed copies of a mesh as one.

    Args:
        mesh: what is copied.
        matrices: (N, 3, 3), of positive determinant.
        shifts: (N, 3) mm.

    """
    linear = np.asarray(matrices, dtype=np.float64)
    vertices = np.einsum("nij,vj->nvi", linear, mesh.vertices) + np.asarray(shifts)[:, None]
    offsets = np.arange(len(linear), dtype=np.int32) * np.int32(len(mesh.vertices))
    triangles = mesh.triangles[None] + offsets[:, None, None]
    return Mesh(vertices.reshape(-1, 3), triangles.reshape(-1, 3).astype(np.int32))
