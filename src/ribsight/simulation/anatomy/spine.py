"""Thoracic and neighbouring vertebrae: C6 to L3."""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import BoneSurfaces
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import loft, tube

LEVELS = np.arange(-1, 16)
"""-1 is C6, 0 is C7, 1 to 12 are T1 to T12, 13 to 15 are L1 to L3."""
# Height of body and disc together, width and depth of the body, mm (Panjabi et al., Spine 1991).
_PITCH = np.array([18, 19, 20, 21, 21.5, 22, 22.5, 23, 23.5, 24.5, 25.5, 26.5, 28, 30, 33, 35, 36])
_WIDTH = np.array([26, 28, 28, 27, 26, 26, 27, 28, 29, 31, 33, 35, 38, 41, 43, 45, 46.0])
_DEPTH = np.array([16, 17, 17, 18, 20, 22, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 34.0])
# From the midline to the tip of a transverse process, how far above its root and behind the body
# it ends, mm.
_TRANSVERSE = np.array([22, 28, 33, 30, 28, 27, 27, 27, 27, 26, 25, 22, 18, 20, 32, 40, 42.0])
_TIP = np.array([-2, 0, 3, 4, 5, 5, 5, 5, 5, 5, 4, 3, 1, 0, 0, 0, 0.0])
_BACK = np.array([6, 12, 20, 23, 25, 27, 28, 29, 29, 28, 27, 25, 22, 18, 14, 13, 12.0])
# How far a spinous process falls on its 26 mm way back, mm.
_FALL = np.array([4, 7, 10, 14, 18, 22, 26, 28, 28, 25, 20, 14, 10, 6, 3, 2, 2.0])
_BODY_SHELL, _ARCH_SHELL = 0.4, 0.75
"""mm of cortex on bodies and arches."""

Shape = tuple[Mesh, NDArray[np.float64]]
"""A mesh and its normals."""


@dataclass(frozen=True, eq=False)
class Spine:
    """Where the vertebrae are; the body of T7 is the origin.

    Attributes:
        centres: (17, 3) mm, middle of each body, `LEVELS`.
        width, depth, pitch: (17,) mm.

    """

    centres: NDArray[np.float64]
    width: NDArray[np.float64]
    depth: NDArray[np.float64]
    pitch: NDArray[np.float64]

    def joint(self, thoracic: int, sign: float) -> NDArray[np.float64]:
        """Return where the head of rib `thoracic` (1 to 12) meets the spine on one side."""
        k = thoracic + 1
        upper = 0.35 if 2 <= thoracic <= 10 else 0.0  # between two bodies, but for 1, 11 and 12
        place: NDArray[np.float64] = self.centres[k] + [
            sign * (self.width[k] / 2 + 1), self.depth[k] * 0.35, upper * self.pitch[k]
        ]  # fmt: skip
        return place


def make_spine(build: Build) -> Spine:
    """Return the vertebrae's places."""
    pitch = _PITCH * build.tall
    z = -np.cumsum(pitch) + pitch / 2
    z -= z[8]
    # Kyphosis: the middle of the chest lies furthest back, neck and loins come forward.
    reach = z / (150 * build.tall)
    y = -9.0 * build.kyphosis * reach**2 * np.where(z > 0, 1.25, 0.75)
    x = build.scoliosis * np.sin(reach * 1.6)
    size = build.wide
    return Spine(np.stack([x, y, z], axis=1), _WIDTH * size, _DEPTH * size, pitch)


def make_vertebrae(
    spine: Spine, build: Build, random: np.random.Generator
) -> tuple[list[BoneSurfaces], list[BoneSurfaces]]:
    """Return the bodies, and the arches with pedicles and processes, 17 each."""
    slopes = np.gradient(spine.centres[:, 1], spine.centres[:, 2])
    lean = np.gradient(spine.centres[:, 0], spine.centres[:, 2])
    turns = 0.03 * random.standard_normal(len(LEVELS))
    lengths = random.normal(1, 0.06, (len(LEVELS), 2))
    bodies, arches = [], []
    for k, centre in enumerate(spine.centres):
        body, arch = _mean_vertebra(k)
        size = np.array([
            spine.width[k] / _WIDTH[k], spine.depth[k] / _DEPTH[k], spine.pitch[k] / _PITCH[k]
        ])  # fmt: skip
        shear = np.array([[1, turns[k], lean[k]], [-turns[k], 1, slopes[k]], [0, 0, 1.0]])
        matrix = shear @ np.diag(size)
        bodies.append(
            _placed(body, matrix, centre, _BODY_SHELL * build.cortex, 0.45 * build.mineral)
        )
        # No two vertebrae's processes are alike.
        uneven = np.where(arch[0].vertices[:, 0] > 0, lengths[k, 0], lengths[k, 1])
        varied = arch[0].vertices.copy()
        varied[:, 0] *= uneven
        arches.append(_placed((Mesh(varied, arch[0].triangles), arch[1]), matrix, centre,
                              _ARCH_SHELL * build.cortex, 0.5 * build.mineral))  # fmt: skip
    return bodies, arches


def _placed(
    shape: Shape, matrix: NDArray[np.float64], centre: NDArray[np.float64], shell: float,
    spongiosa: float,
) -> BoneSurfaces:  # fmt: skip
    mesh, normals = shape
    inner = Mesh(mesh.vertices - shell * normals, mesh.triangles)
    return BoneSurfaces(
        mesh.moved(matrix, centre), inner.moved(matrix, centre), spongiosa=spongiosa
    )


@cache
def _mean_vertebra(k: int) -> tuple[Shape, Shape]:
    """Return body and arch of one level of the mean man, about the middle of the body."""
    body, arch = _body(k), join(_arch(k))
    return (body, body.normals()), (arch, arch.normals())


def _body(k: int) -> Mesh:
    """Return a drum with a waist and rounded rims, flattened toward the canal."""
    height = 0.40 * _PITCH[k]
    place = np.array([-1, -0.97, -0.88, -0.7, -0.35, 0, 0.35, 0.7, 0.88, 0.97, 1])
    waist = np.array([0.82, 0.95, 1.0, 0.965, 0.915, 0.9, 0.915, 0.965, 1.0, 0.95, 0.82])
    angle = np.linspace(0, 2 * np.pi, 22, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = 0.5 * _WIDTH[k] * cos, 0.5 * _DEPTH[k] * np.where(sin > 0, 0.86, 1.0) * sin
    rings = np.stack([x * waist[:, None], y * waist[:, None],
                      np.broadcast_to(height * place[:, None], (11, 22))], axis=-1)  # fmt: skip
    return loft(rings)


def _arch(k: int) -> list[Mesh]:
    """Return pedicles, articular and transverse processes, laminae and the spinous process."""
    width, depth, pitch = _WIDTH[k], _DEPTH[k], _PITCH[k]
    back = np.array([0, 0.40 * depth, 0.10 * pitch])
    parts = []
    lamina = back + [0, 19, -0.22 * pitch]
    for sign in (-1.0, 1.0):
        pedicle = back + [sign * 0.35 * width, 0, 0.06 * pitch]
        tip = np.array([sign * _TRANSVERSE[k], back[1] + _BACK[k] - 4, back[2] + _TIP[k]])
        base = pedicle + [sign * 2, 10, 0]
        parts += [
            tube([pedicle - [0, 4, 0], pedicle + [0, 4, 0], pedicle + [0, 12, -1]],
                 0.105 * width, 0.20 * pitch, around=12, round_ends=True),
            tube(np.linspace(base, tip, 4), [4.2, 3.4, 3.0, 3.6], [4.6, 3.4, 3.0, 3.8], around=8,
                 round_ends=True),
            tube(np.linspace(pedicle + [0, 11, -1], lamina, 3), [2.2, 2.6, 2.8], [6, 8, 8],
                 around=8, round_ends=True),
            tube([pedicle + [sign * 1, 12, 0.36 * pitch], pedicle + [sign * 1, 13, 0],
                  pedicle + [-sign * 1, 15, -0.5 * pitch]], [3, 4, 3], [3.5, 4.5, 3.5], around=8,
                 up=(0, 1, 0), round_ends=True),
        ]  # fmt: skip
    end = lamina + [0, 26, -_FALL[k]]
    spinous = np.linspace(lamina, end, 4)
    wide, high = [2.4, 1.8, 1.9, 2.8], [7, 5.5, 5, 4.5]
    parts.append(tube(spinous, wide, high, around=10, round_ends=True))
    return parts
