"""Wires, tubing, discs and many copies of one small thing, as closed meshes."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from ribsight.simulation.confounders.part import Part
from ribsight.simulation.mesh import Mesh, Triangles
from ribsight.simulation.solids import ellipsoid, frames_along, tube

Points = NDArray[np.float64]

_GUIDES = np.array([d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)], dtype=np.float64)
_GUIDES /= np.linalg.norm(_GUIDES, axis=1, keepdims=True)


def xyz(x: float, y: float, z: float) -> Points:
    """Return a point or a shift, (3,) mm."""
    return np.array([x, y, z], dtype=np.float64)


def through(points: ArrayLike, step: float = 4.0) -> Points:
    """Return a smooth curve through points, (N, 3), about every `step` mm.

    The parameter is the square root of the distance between points (centripetal: Lee, Computer-
    Aided Design 1989), so unevenly spaced points make no loops.
    """
    points = np.asarray(points, dtype=np.float64)
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1)
    place = np.concatenate([[0.0], np.cumsum(np.sqrt(np.maximum(chords, 1e-6)))])
    count = max(int(np.ceil(chords.sum() / step)) + 1, 4)
    curve: Points = CubicSpline(place, points, axis=0)(np.linspace(0, place[-1], 6 * count))
    return evenly(curve, count)


def evenly(line: Points, count: int) -> Points:
    """Return `count` points at equal distances along a polyline (N, 3)."""
    place = stations(line)
    wanted = np.linspace(0, place[-1], count)
    return np.stack([np.interp(wanted, place, column) for column in line.T], axis=1)


def stations(line: Points) -> NDArray[np.float64]:
    """Return how far each point of a polyline is from its start, (N,) mm."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def guide_of(line: Points) -> Points:
    """Return the direction that a curve runs along the least, (3,).

    Frames that hang on it do not flip, as they would where the curve meets their guide.
    """
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    best: Points = _GUIDES[np.argmin(np.abs(tangents @ _GUIDES.T).max(axis=0))]
    return best


def wire(line: Points, radius: ArrayLike, around: int = 6) -> Mesh:
    """Return a round wire along a curve (N, 3); radius in mm, a number or (N,)."""
    return tube(line, radius, around=around, up=guide_of(line))


def beside(line: Points, distance: float, angle: float) -> Points:
    """Return a curve beside another: `distance` mm away, at `angle` radians around it."""
    frames = frames_along(line, guide_of(line))
    moved: Points = line + distance * (np.cos(angle) * frames[:, 1] + np.sin(angle) * frames[:, 2])
    return moved


def loop(centre: ArrayLike, first: ArrayLike, second: ArrayLike, radius: float,
         count: int = 25, around: int = 6) -> Mesh:  # fmt: skip
    """Return a wire bent to an ellipse with half axes `first` and `second`, (3,) mm each."""
    angle = np.linspace(0, 2 * np.pi, count)[:, None]
    line = (
        np.asarray(centre) + np.cos(angle) * np.asarray(first) + np.sin(angle) * np.asarray(second)
    )
    return wire(line, radius, around)


def disc(centre: ArrayLike, normal: ArrayLike, radius: float, thickness: float,
         around: int = 18) -> Mesh:  # fmt: skip
    """Return a flat cylinder; `normal` is its unit axis."""
    centre, half = np.asarray(centre, dtype=np.float64), thickness / 2 * np.asarray(normal)
    line = np.stack([centre - half, centre + half])
    return tube(line, radius, around=around, up=guide_of(line))


def copies(unit: Mesh, axes: ArrayLike, centres: ArrayLike) -> Mesh:
    """Return one mesh of N copies of `unit`, each stretched and moved.

    Args:
        unit: around the origin.
        axes: (N, 3, 3), right-handed: columns are where x, y and z go.
        centres: (N, 3) mm.

    """
    axes = np.asarray(axes, dtype=np.float64)
    centres = np.asarray(centres, dtype=np.float64)
    count = len(centres)
    vertices = np.einsum("nij,vj->nvi", axes, unit.vertices) + centres[:, None]
    offsets = np.arange(count, dtype=np.int32)[:, None, None] * np.int32(len(unit.vertices))
    triangles: Triangles = (unit.triangles[None] + offsets).reshape(-1, 3).astype(np.int32)
    return Mesh(vertices.reshape(-1, 3), triangles)


def ball() -> Mesh:
    """Return a coarse sphere of radius 1, to be copied."""
    return ellipsoid(np.zeros(3), np.ones(3), rings=5, around=8)


def pin(around: int = 8) -> Mesh:
    """Return a cylinder of radius 1 along z from 0 to 1, to be copied."""
    return tube(np.array([[0, 0, 0], [0, 0, 1.0]]), 1.0, around=around, up=(1, 0, 0))


def axes_from(directions: ArrayLike, length: ArrayLike, radius: ArrayLike) -> Points:
    """Return (N, 3, 3) for `copies`: z along unit `directions` (N, 3) times length, x, y radius."""
    z = np.asarray(directions, dtype=np.float64)
    helper = np.where(np.abs(z[:, 2:]) < 0.8, [[0, 0, 1.0]], [[1.0, 0, 0]])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.cross(z, x)
    long = np.broadcast_to(np.asarray(length, dtype=np.float64), len(z))[:, None]
    wide = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(z))[:, None]
    return np.stack([x * wide, y * wide, z * long], axis=2)


def tubing(line: Points, outer: float, wall: float, stripe: float, angle: float,
           holes: Sequence[tuple[float, float]] = ()) -> list[Part]:  # fmt: skip
    """Return a hollow plastic tube with a radiopaque stripe in its wall.

    Args:
        line: (N, 3) mm, from the tip outwards.
        outer: its outer radius, mm.
        wall: its thickness, mm.
        stripe: half width of the stripe, mm.
        angle: where around the tube the stripe runs, radians.
        holes: (from, to) in mm from the tip: side holes, where the stripe is interrupted.

    """
    parts = [
        Part("plastic", wire(line, outer, 12)),
        Part("plastic", wire(line, outer - wall, 10), density=-1.0),
    ]
    marked = beside(line, outer - wall / 2, angle)
    place = stations(marked)
    start = 0.0
    for begin, end in (*holes, (float(place[-1]), np.inf)):
        inside = np.linspace(start, begin, max(int((begin - start) / 4), 3))
        piece = np.stack([np.interp(inside, place, column) for column in marked.T], axis=1)
        # Flat, so that it stays within the wall.
        parts.append(Part("barium_stripe", wire(piece, min(stripe, wall / 2), 6)))
        start = end
    return parts
