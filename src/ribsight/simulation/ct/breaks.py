"""A break in a labelled bone of the volume -> the difference it makes, in fine voxels.

Only the bone's own density near the break is touched: its two ends are moved as the break says,
their shift fading along the bone, and what has changed is kept as a difference. A film with the
break is the film without it plus the projected difference, so its visibility is exact. Step and
bend keep the amount of bone; ends that overlap show more of it and ends apart less, as when the
rest of the bone follows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ribsight.simulation.ct.centrelines import Centreline
from ribsight.simulation.ct.grid import Grid, Points
from ribsight.simulation.ct.materials import Materials
from ribsight.simulation.ct.membership import Membership, own_density
from ribsight.simulation.fractures.geometry import Break
from ribsight.simulation.solids import frames_along

Numbers = NDArray[np.float64]
Field = NDArray[np.float32]

PITCH = 0.5
"""mm between the voxels of a difference."""
_REACH = 16.0
"""mm over which a shift fades, at most: further away the bone is as it was."""
_CORTEX = 0.6
_CALLUS = 0.55
"""A rib's voxels hold about half of what a thin cortex around marrow would: callus is scaled down
with them, or it would outshine the bone.
"""


@dataclass(frozen=True, eq=False)
class Difference:
    """What a break changes.

    Attributes:
        bone: [y, z, x] cortical bone that came (positive) or went; soft tissue does the reverse.
        grid: where the voxels lie.
        middle: (3,) mm, where the bone breaks.

    """

    bone: Field
    grid: Grid
    middle: Points


@dataclass(frozen=True, eq=False)
class _Place:
    """Voxels near a bone in its own terms: (N,) each, mm."""

    along: Numbers
    outward: Numbers
    upward: Numbers
    radius: float
    axes: NDArray[np.float64]


def break_difference(
    materials: Materials,
    member: Membership,
    line: Centreline,
    one: Break,
    random: np.random.Generator,
    room: float = np.inf,
) -> Difference:
    """Return what a break changes.

    Args:
        materials: the unbroken patient's.
        member: where the bone is.
        line: the bone's centre line in the patient.
        one: the break.
        random: source of the broken edge and of the fragments.
        room: mm of bone on each side that no other break needs.

    """
    reach = min(one.reach, _REACH, room / 2)
    local, middle, nearby = _local(line, one, 2 * reach)
    radius = float(np.median(line.radius[nearby]))
    margin = 1.6 * radius + 2.5 + np.hypot(*one.step) / 2 + one.bulge + one.callus
    margin += 0.43 * _apex(one, reach)
    grid = _box(local, margin)
    active, nearest = _near(grid, local, margin)
    points = grid.points(np.stack(np.unravel_index(active, grid.shape), axis=1))
    place, points_kept = _place(points, nearest, local, middle, radius, margin)
    active, points = active[points_kept], points[points_kept]
    own = np.zeros(np.prod(grid.shape), np.float32)
    own[active] = own_density(materials, member, points)
    own = own.reshape(grid.shape)
    difference = np.zeros(own.size, np.float32)
    difference[active] = _broken(own, grid, points, place, one, reach, random) - own.ravel()[active]
    difference[np.abs(difference) < 1e-4] = 0
    at = np.array([np.interp(one.station, line.stations, line.centres[:, k]) for k in range(3)])
    return Difference(difference.reshape(grid.shape), grid, at)


def _apex(one: Break, reach: float) -> float:
    return float(np.tan(np.deg2rad(one.bend / 2)) * reach)


def _local(line: Centreline, one: Break, half: float) -> tuple[Points, float, NDArray[np.intp]]:
    """Return the centre line near a break every half mm, the break's station on it, and indices."""
    stations = line.stations
    middle = float(np.clip(one.station, min(4.0, line.length / 3), line.length - 4.0))
    low, high = max(middle - half, 0.0), min(middle + half, line.length)
    fine = np.linspace(low, high, max(round((high - low) / 0.5), 8))
    local = np.stack([np.interp(fine, stations, line.centres[:, k]) for k in range(3)], axis=1)
    nearby = np.flatnonzero(np.abs(stations - middle) < 12)
    return local, middle - low, nearby


def _box(local: Points, margin: float) -> Grid:
    low, high = local.min(axis=0) - margin, local.max(axis=0) + margin
    count = np.ceil((high - low) / PITCH).astype(int) + 1
    return Grid((float(low[0]), float(low[1]), float(low[2])), (PITCH, PITCH, PITCH),
                (int(count[1]), int(count[2]), int(count[0])))  # fmt: skip


def _near(grid: Grid, local: Points, margin: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the flat indices of voxels that may lie within `margin`, and their nearest station.

    Decided for blocks of four voxels a side, so it may be off by a station or two.
    """
    block = 4
    coarse = Grid(
        tuple(o + (block - 1) / 2 * PITCH for o in grid.origin),  # type: ignore[arg-type]
        (block * PITCH,) * 3,
        tuple(-(-n // block) for n in grid.shape),  # type: ignore[arg-type]
    )
    middles = coarse.points(np.argwhere(np.ones(coarse.shape, np.bool_)))
    apart, nearest = cKDTree(local).query(middles)
    station = np.where(apart < margin + block * PITCH, nearest, -1).reshape(coarse.shape)
    for axis in range(3):
        station = np.repeat(station, block, axis=axis)
    flat = station[: grid.shape[0], : grid.shape[1], : grid.shape[2]].ravel()
    active = np.flatnonzero(flat >= 0)
    return active, flat[active]


def _place(
    points: Points,
    nearest: NDArray[np.intp],
    local: Points,
    middle: float,
    radius: float,
    margin: float,
) -> tuple[_Place, NDArray[np.bool_]]:
    """Return points in the bone's terms, only those within `margin` of it, and which these are."""
    frames = frames_along(local)
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(local, axis=0), axis=1))])
    pace = run[-1] / (len(run) - 1)
    for _ in range(2):
        ahead = np.einsum("ij,ij->i", points - local[nearest], frames[nearest, 0])
        nearest = np.clip(np.round(nearest + ahead / pace), 0, len(run) - 1).astype(np.intp)
    offset = points - local[nearest]
    kept = np.einsum("ij,ij->i", offset, offset) < margin**2
    nearest, offset = nearest[kept], offset[kept]
    along, outward, upward = (np.einsum("ij,ij->i", offset, frames[nearest, k]) for k in range(3))
    # Beyond the local piece's ends the bone is out of reach of the break.
    beyond = (nearest == 0) | (nearest == len(local) - 1)
    along = np.where(beyond, np.sign(run[nearest] - middle) * 1e3, run[nearest] + along - middle)
    axes = frames[int(np.argmin(np.abs(run - middle)))]
    return _Place(along, outward, upward, radius, axes), kept


def _broken(
    own: Field,
    grid: Grid,
    points: Points,
    place: _Place,
    one: Break,
    reach: float,
    random: np.random.Generator,
) -> Field:
    """Return the bone's density after the break at points (N, 3)."""
    if one.cut:
        edge = _edge(one, random)
        density = sum(
            (_end(own, grid, points, place, one, reach, edge, side) for side in (-0.5, 0.5)),
            start=np.zeros(len(points), np.float32),
        )
    else:
        side = 0.5 * np.tanh(place.along / 3.0)
        density = _sampled(own, grid, points - _shift(place, one, reach, side))
    if one.fragments:
        density = _with_fragments(density, points, place, one, random)
    if one.bulge > 0:
        # The folded cortex is a dense band across the bone.
        density = density * (1 + 0.5 * np.exp(-((place.along / 1.6) ** 2))).astype(np.float32)
    if one.callus > 0:
        density = np.maximum(density, _callus(place, one, random))
    return np.minimum(density, np.float32(1.2))


def _shift(place: _Place, one: Break, reach: float, side: Numbers | float) -> Points:
    """Return (N, 3) mm by which the bone has moved at each point."""
    fade = np.exp(-((place.along / reach) ** 2))
    step = one.step[0] * place.axes[1] + one.step[1] * place.axes[2]
    lift = np.cos(one.bend_direction) * place.axes[1] + np.sin(one.bend_direction) * place.axes[2]
    apart = one.gap * place.axes[0] if one.cut else np.zeros(3)
    tilt = -np.tan(np.deg2rad(one.bend / 2)) * np.abs(place.along)
    sides = np.broadcast_to(np.asarray(side), place.along.shape)
    moved = fade[:, None] * (sides[:, None] * (step + apart) + tilt[:, None] * lift)
    if one.bulge > 0:
        moved = moved + _fold(place, one)
    result: Points = moved
    return result


def _fold(place: _Place, one: Break) -> Points:
    """Return (N, 3) mm by which a buckled cortex is pushed out: a ridge with a crease beside it."""
    ridge = np.exp(-((place.along / 2.2) ** 2)) - 0.45 * np.exp(-(((place.along - 3.5) / 1.6) ** 2))
    lobe = np.cos(np.arctan2(place.upward, place.outward) - one.bend_direction)
    far = np.clip(np.hypot(place.outward, place.upward) / place.radius, 0, 1)
    push = one.bulge * ridge * np.clip(lobe, 0, None) ** 1.5 * far
    direction = (np.cos(one.bend_direction) * place.axes[1]
                 + np.sin(one.bend_direction) * place.axes[2])  # fmt: skip
    folded: Points = push[:, None] * direction
    return folded


def _end(
    own: Field,
    grid: Grid,
    points: Points,
    place: _Place,
    one: Break,
    reach: float,
    edge: Numbers,
    side: float,
) -> Field:
    """Return the density of one broken end where it has moved to."""
    moved = _shift(place, one, reach, side)
    ahead, outward, upward = (moved @ place.axes[k] for k in range(3))
    angle = np.arctan2(place.upward - upward, place.outward - outward)
    far = np.clip(np.hypot(place.upward - upward, place.outward - outward) / place.radius, 0, 1)
    line = far * np.interp(angle, np.linspace(-np.pi, np.pi, len(edge)), edge)
    beyond = (place.along - ahead - line) * np.sign(side)
    kept = np.clip(beyond / PITCH + 0.5, 0, 1).astype(np.float32)
    density = np.zeros(len(points), np.float32)
    some = kept > 0
    density[some] = kept[some] * _sampled(own, grid, points[some] - moved[some])
    return density


def _edge(one: Break, random: np.random.Generator) -> Numbers:
    """Return mm by which the broken edge runs ahead along the bone, by angle from -pi to pi."""
    angle = np.linspace(-np.pi, np.pi, 49)
    waves = sum(
        random.normal(0, 1) * np.cos(k * angle + random.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    edge: Numbers = one.slant * np.sin(angle) / 2 + one.roughness * waves
    return edge


def _with_fragments(
    density: Field, points: Points, place: _Place, one: Break, random: np.random.Generator
) -> Field:
    """Return the density with loose pieces, their bone taken from the ends."""
    near = np.abs(place.along) < 6
    before = float(density[near].sum())
    pieces = np.zeros(len(points), np.float32)
    for _ in range(one.fragments):
        at = random.normal(0, 1, 3) * [3.0, 0.8 * place.radius, 0.8 * place.radius]
        size = random.uniform([1.6, 1.0, 1.4], [4.5, 2.4, 3.5])
        turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
        offset = np.stack([place.along, place.outward, place.upward], axis=1) - at
        inside = np.linalg.norm(offset @ turn / size, axis=1)
        shell = np.clip((1 - inside) * size.min() / PITCH + 0.5, 0, 1)
        pieces = np.maximum(pieces, (_CORTEX * shell).astype(np.float32))
    if before <= 0:
        return density
    left = max(1 - float(pieces.sum()) / before, 0.5)
    thinned = np.where(near, density * np.float32(left), density)
    return np.maximum(thinned, pieces) if left > 0.5 else thinned + pieces * np.float32(0.5)


def _callus(place: _Place, one: Break, random: np.random.Generator) -> Field:
    """Return the density of the new bone around a healing or healed break."""
    half = random.uniform(9.0, 14.0)
    swell = np.clip(1 - (place.along / half) ** 2, 0, 1)
    lumps = 1 + 0.2 * np.sin(random.uniform(0, 6) + 3 * np.arctan2(place.upward, place.outward))
    outside = place.radius + one.callus * swell * lumps
    apart = np.hypot(place.outward, place.upward)
    filled = np.clip((outside - apart) / 1.0 + 0.5, 0, 1) * np.clip(4 * swell, 0, 1)
    return (_CALLUS * one.callus_mineral * filled).astype(np.float32)


def _sampled(own: Field, grid: Grid, points: Points) -> Field:
    return np.asarray(
        ndimage.map_coordinates(own, grid.indices(points).T, order=1, cval=0.0), np.float32
    )
