"""A tubular bone with breaks -> its surfaces, and the zone that each break occupies."""

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import (
    AROUND,
    BoneSurfaces,
    TubularBone,
    cross_sections,
    surface,
)
from ribsight.simulation.fractures.geometry import Break
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import ellipsoid

Numbers = NDArray[np.float64]
Points = NDArray[np.float64]

ZONE = 8.0
"""mm of bone on each side of a break that count as the fracture."""
_DENSE = 12.0
_DENSE_STEP = 1.0


@dataclass(frozen=True, eq=False)
class BrokenBone:
    """A bone with its breaks.

    Attributes:
        surfaces: cortex, marrow, callus.
        zones: per break, (Z, 3) mm: points of its surface near the break, of fragments, of callus.

    """

    surfaces: BoneSurfaces
    zones: tuple[Points, ...]


def break_bone(bone: TubularBone, breaks: tuple[Break, ...], seed: int) -> BrokenBone:
    """Return the bone with these breaks (in any order).

    What is irregular about a break depends on `seed`, the bone's name and the break's station, so
    a break looks the same on every film and whether or not the bone has another one.
    """
    order = sorted(range(len(breaks)), key=lambda k: breaks[k].station)
    placed = [breaks[k] for k in order]
    cuts = [one for one in placed if one.cut]
    edges = [_edge_pattern(one, _own_numbers(seed, bone, one)) for one in cuts]
    pieces = [_piece(bone, placed, cuts, edges, number) for number in range(len(cuts) + 1)]
    extra = [_around(bone, one, placed, _own_numbers(seed, bone, one)) for one in placed]
    zones = [_zone(pieces, one) for one in placed]
    for k, one in enumerate(extra):
        if len(one.callus.vertices) or len(one.fragments.vertices):
            zones[k] = np.concatenate([zones[k], one.callus.vertices, one.fragments.vertices])
    minerals = [one.callus_mineral for one in placed if one.callus > 0]
    surfaces = BoneSurfaces(
        outer=join([p.outer for p in pieces] + [e.fragments for e in extra]),
        marrow=join([p.marrow for p in pieces] + [e.cores for e in extra]),
        callus=join([e.callus for e in extra]),
        spongiosa=bone.spongiosa,
        callus_mineral=float(np.mean(minerals)) if minerals else 0.25,
    )
    back = np.argsort(order)
    return BrokenBone(surfaces, tuple(zones[k] for k in back))


@dataclass(frozen=True, eq=False)
class _Piece:
    outer: Mesh
    marrow: Mesh
    stations: Numbers  # of the outer mesh's vertices


@dataclass(frozen=True, eq=False)
class _Extra:
    callus: Mesh
    fragments: Mesh
    cores: Mesh


def _own_numbers(seed: int, bone: TubularBone, one: Break) -> np.random.Generator:
    share = round(1000 * one.station / bone.length)
    return np.random.default_rng([seed, crc32(bone.name.encode()), share])


def _edge_pattern(one: Break, random: np.random.Generator) -> Numbers:
    """Return (P,) mm by which the broken edge runs ahead along the bone, shared by both ends."""
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    waves = sum(
        random.normal(0, 1) * np.cos(k * angle + random.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    return one.slant * np.sin(angle) / 2 + one.roughness * waves


def _piece(
    bone: TubularBone, breaks: list[Break], cuts: list[Break], edges: list[Numbers], number: int
) -> _Piece:
    """Return the piece after cut `number` - 1 and before cut `number`."""
    first = cuts[number - 1] if number > 0 else None
    last = cuts[number] if number < len(cuts) else None
    begin = first.station + first.gap / 2 if first else 0.0
    end = last.station - last.gap / 2 if last else bone.length
    stations = _stations(bone, begin, max(end, begin + 4.0), breaks)
    part = bone.at(stations)
    shift = np.zeros_like(part.centres)
    axes = _axes_at(bone, breaks)
    for one, axis in zip(breaks, axes, strict=True):
        far = _is_far(one, stations, begin, end)
        shift += _shift(one, axis, stations, far)
    part = replace(part, centres=part.centres + shift)
    sections, inner = _sections(part, stations, breaks)
    along = np.zeros((len(stations), AROUND))
    for cut, edge, ahead in (
        (first, edges[number - 1] if number > 0 else None, stations - stations[0]),
        (last, edges[number] if number < len(cuts) else None, stations[-1] - stations),
    ):
        if cut is not None and edge is not None:
            reach = max(3.0 * float(np.abs(edge).max()), 4.0)
            along += np.clip(1 - ahead / reach, 0, 1)[:, None] * edge
    turned = part.frames()
    outer = surface(part, sections, along, turned)
    marrow = surface(part, inner, along, turned)
    vertex_stations = np.concatenate([np.repeat(stations, AROUND), [stations[0], stations[-1]]])
    return _Piece(outer, marrow, vertex_stations)


def _stations(bone: TubularBone, begin: float, end: float, breaks: list[Break]) -> Numbers:
    """Return the bone's own stations, and many more near breaks."""
    own = bone.stations
    parts = [own[(own > begin + 0.3) & (own < end - 0.3)], np.array([begin, end])]
    for one in breaks:
        near = np.arange(one.station - _DENSE, one.station + _DENSE, _DENSE_STEP)
        parts.append(near[(near > begin + 0.3) & (near < end - 0.3)])
    merged = np.sort(np.concatenate(parts))
    keep = np.concatenate([[True], np.diff(merged) > 0.25])
    keep[-1] = True
    result: Numbers = merged[keep]
    return result


def _axes_at(bone: TubularBone, breaks: list[Break]) -> list[NDArray[np.float64]]:
    """Return (3, 3) tangent, outward, upward at each break."""
    frames = bone.frames()
    own = bone.stations
    return [frames[int(np.argmin(np.abs(own - one.station)))] for one in breaks]


def _is_far(one: Break, stations: Numbers, begin: float, end: float) -> NDArray[np.bool_]:
    if one.cut:
        return np.full(len(stations), (begin + end) / 2 > one.station)
    return stations > one.station


def _shift(
    one: Break, axis: NDArray[np.float64], stations: Numbers, far: NDArray[np.bool_]
) -> Points:
    """Return (N, 3) mm by which a break moves the centre line."""
    away = stations - one.station
    fade = np.exp(-((away / one.reach) ** 2))
    step = one.step[0] * axis[1] + one.step[1] * axis[2]
    apex = np.cos(one.bend_direction) * axis[1] + np.sin(one.bend_direction) * axis[2]
    side = np.where(far, 0.5, -0.5)
    if not one.cut:
        side = 0.5 * np.tanh(away / 4.0)
    tilt = -np.tan(np.deg2rad(one.bend / 2)) * np.abs(away)
    moved: Points = fade[:, None] * (side[:, None] * step + tilt[:, None] * apex)
    return moved


def _sections(
    part: TubularBone, stations: Numbers, breaks: list[Break]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return outlines of cortex and marrow, changed by buckles and healed breaks."""
    grow = np.ones(len(stations))
    cortex = part.cortex.copy()
    for one in breaks:
        if one.healed:
            near = np.exp(-(((stations - one.station) / 7.0) ** 2))
            grow += near * one.callus / part.high.mean()
            cortex = cortex * (1 + 0.8 * near)
    part = replace(part, thick=part.thick * grow, high=part.high * grow, cortex=cortex)
    outer, inner = cross_sections(part), cross_sections(part, part.cortex)
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    for one in breaks:
        if one.bulge > 0:
            away = stations - one.station
            # A ridge with a crease beside it: the cortex folds rather than swells.
            ridge = np.exp(-((away / 2.2) ** 2)) - 0.45 * np.exp(-(((away - 3.5) / 1.6) ** 2))
            lobe = np.clip(np.cos(angle - one.bend_direction), 0, None) ** 1.5
            push = one.bulge * ridge[:, None] * lobe
            push = np.stack([push * np.cos(angle), push * np.sin(angle)], axis=-1)
            outer, inner = outer + push, inner + push
    return outer, inner


def _around(
    bone: TubularBone, one: Break, breaks: list[Break], random: np.random.Generator
) -> _Extra:
    """Return callus and fragments of a break."""
    nothing = join([])
    callus, fragments, cores = nothing, [], []
    axis = _axes_at(bone, [one])[0]
    local = bone.at(np.array([one.station]))
    centre = local.centres[0]
    if one.callus > 0 and not one.healed:
        half = random.uniform(9.0, 15.0)
        ends = np.clip([one.station - half, one.station + half], 0, bone.length)
        low, high = float(ends[0]), float(ends[1])
        stations = np.linspace(low, high, 21)
        part = bone.at(stations)
        moved = sum(_shift(b, a, stations, _is_far(b, stations, one.station, one.station))
                    for b, a in zip(breaks, _axes_at(bone, breaks), strict=True))  # fmt: skip
        near = np.clip(np.cos(np.pi / 2 * (stations - one.station) / half), 0, 1) ** 0.8
        lumpy = 1 + 0.25 * np.interp(stations, np.linspace(low, high, 6), random.standard_normal(6))
        extra = one.callus * np.clip(near, 0, 1) * np.clip(lumpy, 0.4, 1.8) - 0.3 * (1 - near)
        part = replace(part, centres=part.centres + 0.5 * moved)
        callus = surface(part, cross_sections(part, -extra))
    for _ in range(one.fragments):
        size = random.uniform([1.6, 1.0, 1.4], [4.5, 2.4, 3.5])
        place = random.normal(0, 1, 3) * [4.0, 3.0, 4.0]
        at = centre + place @ axis
        turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        chip = ellipsoid(at, size, rotation=turn, rings=4, around=8, power=3.0)
        fragments.append(chip)
        cores.append(ellipsoid(at, size - 0.6, rotation=turn, rings=4, around=8, power=3.0))
    return _Extra(callus, join(fragments), join(cores))


def _zone(pieces: list[_Piece], one: Break) -> Points:
    """Return the surface points within `ZONE` of a break, (Z, 3)."""
    reach = ZONE + max(-one.gap, 0.0) / 2
    near = [p.outer.vertices[np.abs(p.stations - one.station) < reach] for p in pieces]
    return np.concatenate(near)
