"""The lungs' vessels: trees that branch from the hila and thin out toward the pleura.

Calibres fall by Murray's law at each fork (r^3 = r1^3 + r2^3) as in casts of human lungs (Weibel
1963); directions are drawn toward points spread over the lung.
"""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.mesh import Mesh, join

Points = NDArray[np.float64]

_RINGS = 4
_SLENDER = 1.4
"""mm: thinner vessels are drawn with fewer corners."""
_THINNEST = 0.72
"""mm: half the calibre of the last branches drawn."""
_MURRAY = 2.8


def vessel_mesh(
    hilum: Points,
    leaves: Points,
    build: Build,
    random: np.random.Generator,
    *,
    supine: bool = False,
) -> Mesh:
    """Return the vessels of one lung.

    Args:
        hilum: (3,) mm.
        leaves: (L, 3) mm, points of the lung that the tree reaches.
        build: calibre.
        random: crookedness.
        supine: lying, upper vessels are as wide as lower ones; standing, they are thinner.

    """
    sign = 1.0 if hilum[0] > 0 else -1.0
    # Upper trunk, the artery that descends beside the lower bronchus, and veins to the left atrium.
    roots = hilum + np.array([[sign * 6, 0, 8], [sign * 11, 4, -38], [-sign * 6, 0, -52]])
    group = np.where(leaves[:, 2] > hilum[2] - 4, 0, 1)
    group[(group == 1) & (random.random(len(leaves)) < 0.3)] = 2
    starts: list[Points] = []
    ends: list[Points] = []
    calibres: list[NDArray[np.float64]] = []
    for k, root in enumerate(roots):
        mine = leaves[group == k]
        if len(mine) == 0:
            continue
        a, b, c = _tree(root, mine, random)
        if k < 2:
            a, b = np.vstack([hilum + [-sign * 6, 0, 3], a]), np.vstack([root, b])
            c = np.concatenate([[c[0] * 0.95], 0.9 * c])
        starts.append(a)
        ends.append(b)
        calibres.append(c)
    begin, end = np.concatenate(starts), np.concatenate(ends)
    radii = np.concatenate(calibres) * build.vessels
    if not supine:
        radii = radii * np.clip(1.0 + (hilum[2] - end[:, 2]) / 500, 0.78, 1.15)
    wide = radii > _SLENDER
    return join([
        straight_tubes(begin[wide], end[wide], radii[wide], random, bend=0.08),
        straight_tubes(begin[~wide], end[~wide], radii[~wide], random, bend=0.08, around=4),
    ])  # fmt: skip


def _tree(
    hilum: Points, leaves: Points, random: np.random.Generator
) -> tuple[Points, Points, NDArray[np.float64]]:
    """Split the leaves in two again and again; each half gets a branch toward its middle."""
    count = 2 * len(leaves) - 1
    starts, ends, sizes = np.empty((count, 3)), np.empty((count, 3)), np.empty(count)
    _grow(hilum, leaves.copy(), random.random((count, 2)), starts, ends, sizes)
    return starts, ends, _THINNEST * sizes ** (1 / _MURRAY)


@njit(cache=True, nogil=True)
def _grow(root, leaves, draws, starts, ends, sizes):  # type: ignore[no-untyped-def]
    # Waiting halves: where their branch starts, and their range of leaves.
    here = np.empty((leaves.shape[0] + 1, 3))
    ranges = np.empty((leaves.shape[0] + 1, 2), np.int64)
    here[0], ranges[0, 0], ranges[0, 1] = root, 0, leaves.shape[0]
    waiting, branch = 1, 0
    while waiting > 0:
        waiting -= 1
        start, low, high = here[waiting].copy(), ranges[waiting, 0], ranges[waiting, 1]
        count = high - low
        members = leaves[low:high]
        reach, side = draws[branch]
        share = 1.0 if count == 1 else 0.36 + 0.24 * reach
        axis, widest = 0, -1.0
        for k in range(3):
            ends[branch, k] = start[k] + (members[:, k].mean() - start[k]) * share
            width = members[:, k].max() - members[:, k].min()
            if width > widest:
                axis, widest = k, width
        starts[branch], sizes[branch] = start, count
        if count > 1:
            leaves[low:high] = members[np.argsort(members[:, axis], kind="mergesort")]
            cut = low + min(max(round(count * (0.28 + 0.44 * side)), 1), count - 1)
            here[waiting], here[waiting + 1] = ends[branch], ends[branch]
            ranges[waiting, 0], ranges[waiting, 1] = low, cut
            ranges[waiting + 1, 0], ranges[waiting + 1, 1] = cut, high
            waiting += 2
        branch += 1


def straight_tubes(
    starts: Points, ends: Points, radii: NDArray[np.float64], random: np.random.Generator,
    bend: float = 0.0, around: int = 6,
) -> Mesh:  # fmt: skip
    """Return many thin tubes at once, each bent sideways by up to `bend` of its length."""
    count = len(starts)
    axis = ends - starts
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    tangent = axis / np.maximum(length, 1e-6)
    guide = np.where(np.abs(tangent[:, 2:]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])
    normal = np.cross(guide, tangent)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    binormal = np.cross(tangent, normal)
    share = np.linspace(0, 1, _RINGS)
    sideways = random.normal(0, bend, (count, 2)) * length
    bow = 4 * share * (1 - share)
    centres = (
        starts[:, None]
        + axis[:, None] * share[None, :, None]
        + (sideways[:, :1] * normal + sideways[:, 1:] * binormal)[:, None] * bow[None, :, None]
    )
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    circle = (
        np.cos(angle)[:, None, None] * normal[None] + np.sin(angle)[:, None, None] * binormal[None]
    ).transpose(1, 0, 2)
    width = radii[:, None, None, None] * np.linspace(1.0, 0.85, _RINGS)[None, :, None, None]
    rings = centres[:, :, None] + width * circle[:, None]
    return _closed(rings)


def _closed(rings: NDArray[np.float64]) -> Mesh:
    """Return tubes (B, R, P, 3) as one mesh, each closed by fans."""
    count, levels, around = rings.shape[:3]
    index = np.arange(levels * around).reshape(levels, around)
    here, ahead = index[:-1], index[1:]
    here_next, ahead_next = np.roll(here, -1, axis=1), np.roll(ahead, -1, axis=1)
    first, last = index[0], index[-1]
    fan = np.arange(1, around - 1)
    one = np.concatenate([
        np.stack([here, here_next, ahead_next], axis=-1).reshape(-1, 3),
        np.stack([here, ahead_next, ahead], axis=-1).reshape(-1, 3),
        np.stack([np.full(around - 2, first[0]), first[fan + 1], first[fan]], axis=-1),
        np.stack([np.full(around - 2, last[0]), last[fan], last[fan + 1]], axis=-1),
    ])  # fmt: skip
    triangles = one[None] + (np.arange(count) * levels * around)[:, None, None]
    return Mesh(rings.reshape(-1, 3), triangles.reshape(-1, 3).astype(np.int32))
