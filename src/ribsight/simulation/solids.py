"""The solids that structures are made of: lofts, tubes, ellipsoids, boxes."""

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from ribsight.simulation.mesh import Mesh, Triangles


def loft(rings: ArrayLike) -> Mesh:
    """Return the closed surface through rings of points, capped by a fan at both ends.

    Args:
        rings: (R, P, 3): each ring counter-clockwise seen from ahead, looking back along the
            direction in which the rings follow each other.

    """
    rings = np.asarray(rings, dtype=np.float64)
    count, around = rings.shape[:2]
    vertices = np.empty((count * around + 2, 3))
    vertices[:-2] = rings.reshape(-1, 3)
    vertices[-2], vertices[-1] = (
        rings[0].sum(axis=0) / around,
        rings[-1].sum(axis=0) / around,
    )
    return Mesh(vertices, _lofted(count, around))


@cache
def _lofted(count: int, around: int) -> Triangles:
    """Return the triangles of `loft`; they are shared, so nobody may write to them."""
    index = np.arange(count * around, dtype=np.int32).reshape(count, around)
    here, ahead = index[:-1], index[1:]
    here_next, ahead_next = np.roll(here, -1, axis=1), np.roll(ahead, -1, axis=1)
    sides = np.concatenate(
        [
            np.stack([here, here_next, ahead_next], axis=-1).reshape(-1, 3),
            np.stack([here, ahead_next, ahead], axis=-1).reshape(-1, 3),
        ]
    )
    start, end = count * around, count * around + 1
    first, last = index[0], index[-1]
    caps = np.concatenate(
        [
            np.stack([np.full(around, start), np.roll(first, -1), first], axis=-1),
            np.stack([np.full(around, end), last, np.roll(last, -1)], axis=-1),
        ]
    )
    triangles = np.concatenate([sides, caps]).astype(np.int32)
    triangles.setflags(write=False)
    return triangles


def frames_along(centres: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> NDArray[np.float64]:
    """Return right-handed frames (N, 3, 3) along a curve: rows are tangent, normal, binormal.

    The binormal is as near to `up` as it can be; where the curve runs along `up`, the frame is
    carried on from the point before.
    """
    line = np.ascontiguousarray(centres, dtype=np.float64)
    frames = np.empty((len(line), 3, 3))
    _frame(line, np.asarray(up, dtype=np.float64), frames)
    return frames


@njit(cache=True, nogil=True)
def _frame(line, up, frames):  # type: ignore[no-untyped-def]
    count = line.shape[0]
    shortest = 1.0
    for k in range(count):
        before, after = max(k - 1, 0), min(k + 1, count - 1)
        tangent = line[after] - line[before]
        tangent /= np.sqrt((tangent * tangent).sum())
        frames[k, 0] = tangent
        upward = up - (up * tangent).sum() * tangent
        length = np.sqrt((upward * upward).sum())
        shortest = min(shortest, length)
        frames[k, 2] = upward / max(length, 1e-12)
    if shortest < 0.05:
        _carry(frames)
    for k in range(count):
        a, b = frames[k, 2], frames[k, 0]
        frames[k, 1, 0] = a[1] * b[2] - a[2] * b[1]
        frames[k, 1, 1] = a[2] * b[0] - a[0] * b[2]
        frames[k, 1, 2] = a[0] * b[1] - a[1] * b[0]


@njit(cache=True, nogil=True)
def _carry(frames):  # type: ignore[no-untyped-def]
    """Write binormals that turn as little as possible from point to point."""
    guide = np.zeros(3)
    guide[np.argmin(np.abs(frames[0, 0]))] = 1.0
    for k in range(frames.shape[0]):
        tangent = frames[k, 0]
        guide = guide - (guide * tangent).sum() * tangent
        guide = guide / np.sqrt((guide * guide).sum())
        frames[k, 2] = guide


def tube(
    centres: ArrayLike,
    across: ArrayLike,
    along_up: ArrayLike | None = None,
    *,
    around: int = 12,
    up: ArrayLike = (0.0, 0.0, 1.0),
    twist: ArrayLike = 0.0,
    round_ends: bool = False,
) -> Mesh:
    """Return a tube of elliptic cross-section along a curve.

    Args:
        centres: (N, 3) mm.
        across: half width along the frame's normal, a number or (N,).
        along_up: half width along the frame's binormal (nearest to `up`); as `across` if None.
        around: points of each ring.
        up: guide of the frames.
        twist: rotation of the cross-section about the tangent, radians, a number or (N,).
        round_ends: close both ends with half ellipsoids, not flat.

    """
    centres = np.asarray(centres, dtype=np.float64)
    frames = frames_along(centres, up)
    half_a = np.broadcast_to(np.asarray(across, dtype=np.float64), len(centres))
    half_b = np.broadcast_to(
        np.asarray(across if along_up is None else along_up, dtype=np.float64),
        len(centres),
    )
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    turn = np.broadcast_to(np.asarray(twist, dtype=np.float64), len(centres))[:, None]
    if round_ends:
        centres, frames, half_a, half_b, turn = _rounded(centres, frames, half_a, half_b, turn)
    u, v = half_a[:, None] * np.cos(angle), half_b[:, None] * np.sin(angle)
    a = u * np.cos(turn) - v * np.sin(turn)
    b = u * np.sin(turn) + v * np.cos(turn)
    return loft(centres[:, None] + a[..., None] * frames[:, 1:2] + b[..., None] * frames[:, 2:3])


Array = NDArray[np.float64]


def _rounded(
    centres: Array, frames: Array, half_a: Array, half_b: Array, turn: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return a tube's rings with three more at each end, on half ellipsoids."""
    polar = np.deg2rad([25.0, 50.0, 75.0])
    index = np.concatenate([[0] * 3, np.arange(len(centres)), [-1] * 3])
    size = np.concatenate([np.sin(polar), np.ones(len(centres)), np.sin(polar[::-1])])
    ahead = np.concatenate([-np.cos(polar), np.zeros(len(centres)), np.cos(polar[::-1])])
    reach = np.minimum(half_a, half_b)[index] * ahead
    return (
        centres[index] + reach[:, None] * frames[index, 0],
        frames[index], half_a[index] * size, half_b[index] * size, turn[index],
    )  # fmt: skip


def ellipsoid(
    centre: ArrayLike,
    half_axes: ArrayLike,
    *,
    rotation: ArrayLike | None = None,
    rings: int = 16,
    around: int = 24,
    power: float = 2.0,
) -> Mesh:
    """Return an ellipsoid, or with `power` > 2 a rounded box.

    Args:
        centre: (3,) mm.
        half_axes: (3,) mm.
        rotation: (3, 3), applied before the shift; none if None.
        rings: rings between the poles.
        around: points of each ring.
        power: exponent of the superellipsoid |x/a|^p + |y/b|^p + |z/c|^p = 1.

    """
    turned = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    return _ball(rings, around, power).moved(turned * np.asarray(half_axes, np.float64), centre)


@cache
def _ball(rings: int, around: int, power: float) -> Mesh:
    """Return the unit (super)sphere."""
    polar = np.linspace(0, np.pi, rings + 2)[1:-1]
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    directions = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(angle),
            np.sin(polar)[:, None] * np.sin(angle),
            np.broadcast_to(-np.cos(polar)[:, None], (rings, around)),
        ],
        axis=-1,
    )
    directions /= (np.abs(directions) ** power).sum(-1, keepdims=True) ** (1 / power)
    unit = loft(directions)
    unit.vertices[-2:] = [[0, 0, -1], [0, 0, 1]]
    return unit


def box(centre: ArrayLike, half_axes: ArrayLike, *, rotation: ArrayLike | None = None) -> Mesh:
    """Return a cuboid; see `ellipsoid` for the arguments."""
    x, y, z = np.asarray(half_axes, dtype=np.float64)
    corners = np.array([[x, -y], [x, y], [-x, y], [-x, -y]])
    rings = np.stack([np.column_stack([corners, np.full(4, level)]) for level in (-z, z)])
    turned = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    return loft(rings).moved(turned, centre)
