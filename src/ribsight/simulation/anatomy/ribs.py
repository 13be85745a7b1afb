"""Twenty-four ribs and their cartilages.

Each rib lies in a plane of its own and is two logarithmic spirals that meet at its peak with a
common tangent (Holcombe, Wang & Grotberg, "Modeling female and male rib geometry with logarithmic
spirals", J Biomech 2016). The spirals are hung between a head at the spine and an anterior end, and
the peak is moved until the rib is as wide as the chest. Where heads, ends and widths of the mean
chest lie was set from published rib-cage measurements (Shi et al., J Biomech 2014; Weaver et al.,
J Anat 2014) and checked against hand-drawn ribs on radiographs: see docs/simulation.md.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import Numbers, TubularBone
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.spine import Spine

# Ribs 1 to 12 of the mean male: anterior end from the midline, forward of and below the head, and
# the largest distance from the midline, mm.
_END_X = np.array([32, 39, 48, 58, 69, 80, 91, 99, 104, 105, 99, 80.0])
_END_FORWARD = np.array([66, 108, 138, 156, 166, 170, 167, 158, 142, 118, 62, 18.0])
_END_DOWN = np.array([38, 60, 80, 96, 109, 121, 130, 134, 131, 119, 88, 54.0])
_HALF_WIDTH = np.array([65, 89, 106, 115, 121, 125, 128, 129, 128, 124, 114, 88.0])
# How far the middle of the rib hangs below (positive) the straight line from head to end, mm.
_SAG = np.array([-10, -10, -7, -4, 0, 5, 10, 16, 21, 23, 14, 2.0])
_HALF_HEIGHT = np.array([3.2, 5.2, 6.0, 6.4, 6.6, 6.8, 6.9, 6.9, 6.7, 6.4, 5.6, 4.6])
_HALF_THICKNESS = np.array([8.0, 4.2, 3.7, 3.7, 3.8, 3.9, 4.0, 4.0, 3.9, 3.8, 3.4, 3.0])
# How far the angle of the rib, about 5 cm from its head, stands back from the spiral, mm.
_BEHIND = np.array([5, 11, 16, 19, 20, 21, 22, 22, 21, 18, 10, 5.0])
_ANGLE = 0.17
# How much of its plane's climb behind its head a rib lacks.
_DROOP = np.array([0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.8, 0.8])
_CORTEX = 0.75
"""mm: mean thickness of the cortex of mid-thoracic ribs (Mohr et al., J Biomech 2007)."""

STATIONS = 72
"""Cross-sections of an unbroken rib."""


@dataclass(frozen=True, eq=False)
class Rib:
    """One rib with its cartilage.

    Attributes:
        side: the patient's.
        number: 1 to 12.
        bone: from the head to the costochondral junction.
        cartilage: (M, 3) centre line from the junction to the sternum or the cartilage above;
            empty for the floating ribs.

    """

    side: Side
    number: int
    bone: TubularBone
    cartilage: NDArray[np.float64]


def make_ribs(build: Build, spine: Spine, random: np.random.Generator) -> tuple[Rib, ...]:
    """Return ribs 1 to 12 of both sides, the right ones first."""
    return tuple(
        rib for side in (Side.RIGHT, Side.LEFT) for rib in _one_side(build, spine, side, random)
    )


def _one_side(build: Build, spine: Spine, side: Side, random: np.random.Generator) -> list[Rib]:
    sign = 1.0 if side is Side.LEFT else -1.0
    # Neighbouring ribs differ alike: smooth wander over the rib number.
    wander = _smooth_noise(random, 4, 12)
    lift = (0.5 - build.inspiration) * 9 + build.slope
    ribs = []
    for k in range(12):
        head = spine.joint(k + 1, sign)
        free = np.clip((k - 9) / 2, 0, 1)  # floating ribs hang as they like
        end = np.array(
            [
                sign * (_END_X[k] * build.wide * (1 + 0.03 * wander[0, k])
                        + 9 * free * random.standard_normal()) + 0.3 * head[0],
                head[1] - _END_FORWARD[k] * build.deep * (1 + 0.03 * wander[1, k]),
                head[2] - (_END_DOWN[k] * build.tall + lift * _END_FORWARD[k] / 150)
                * (1 + 0.05 * wander[2, k]) - 7 * free * random.standard_normal(),
            ]
        )  # fmt: skip
        half_width = _HALF_WIDTH[k] * build.wide * (1 + 0.015 * wander[3, k])
        centres = _hang(
            head,
            end,
            sign * half_width,
            _SAG[k] + 2 * random.standard_normal(),
            _DROOP[k],
            _BEHIND[k] * build.deep,
        )
        bone = _bone(f"rib_{side.value}_{k + 1}", centres, k, build, random)
        ribs.append(Rib(side, k + 1, bone, np.empty((0, 3))))
    return ribs


def _hang(
    head: NDArray[np.float64],
    end: NDArray[np.float64],
    widest: float,
    sag: float,
    droop: float,
    behind: float,
) -> NDArray[np.float64]:
    """Return the centre line from `head` to `end` whose farthest x is `widest`, (N, 3)."""
    chord = end - head
    span = float(np.linalg.norm(chord))
    along = chord / span
    sideways = np.array([np.sign(widest), 0.0, 0.0])
    out = sideways - (sideways @ along) * along
    out /= np.linalg.norm(out)
    across = np.cross(along, out)
    across *= -np.sign(across[2]) if across[2] else 1.0

    # All rib shapes there are between flat and round, at once; the one that is as wide as asked
    # lies between two neighbours.
    shapes = span * _shapes()
    hang = sag * np.sin(np.pi * np.clip(shapes[..., :1] / span, 0, 1))
    curves = head + shapes[..., :1] * along + shapes[..., 1:] * out + hang * across
    reach = (curves[..., 0] * np.sign(widest)).max(axis=1)
    k = int(np.clip(np.searchsorted(reach, abs(widest)), 1, len(reach) - 1))
    share = np.clip((abs(widest) - reach[k - 1]) / max(reach[k] - reach[k - 1], 1e-9), 0, 1)
    middle: NDArray[np.float64] = curves[k - 1] + share * (curves[k] - curves[k - 1])
    # Behind its head a rib does not climb as its plane would have it.
    middle[:, 2] -= droop * np.clip(middle[:, 1] - head[1], 0, None)
    place = np.linspace(0, 1, STATIONS) / _ANGLE
    middle[:, 1] += behind * place**1.5 * np.exp(1.5 * (1 - place))
    return middle


_HEIGHTS = np.concatenate([np.linspace(0.04, 1.0, 33), np.linspace(1.05, 1.8, 12)])


@cache
def _shapes() -> NDArray[np.float64]:
    """Return ribs of span 1 and rising heights, (R, STATIONS, 2)."""
    return np.stack([two_spirals(1.0, height) for height in _HEIGHTS])


def two_spirals(
    span: float,
    height: float,
    *,
    peak: float = 0.42,
    proximal: float = 0.30,
    distal: float = 0.30,
) -> NDArray[np.float64]:
    """Return a rib in its own plane, (N, 2) mm: x along the chord, y the bulge.

    Args:
        span: length of the chord from head to anterior end.
        height: of the peak above the chord.
        peak: place of the peak along the chord, as a share of it.
        proximal: pitch of the spiral toward the head: log of how much its radius shrinks per
            radian from the peak.
        distal: pitch of the spiral toward the end.

    """
    top = np.array([peak * span, height])
    left = _spiral_from(top, np.array([0.0, 0.0]), -proximal)
    right = _spiral_from(np.array([span - top[0], height]), np.array([0.0, 0.0]), -distal)
    right[:, 0] = span - right[:, 0]
    points = np.concatenate([left[::-1], right[1:]])
    return _evenly(points, STATIONS)


def _spiral_from(
    top: NDArray[np.float64], foot: NDArray[np.float64], pitch: float
) -> NDArray[np.float64]:
    """Return the spiral that leaves `top` horizontally and comes down to `foot`, (n, 2).

    r = r0 exp(pitch * angle), turning counter-clockwise. The angle between radius and tangent is
    constant, so the pole lies on a fixed line through `top`, and one number, r0, is left: it is
    found so that the spiral meets `foot`.
    """
    # The direction of travel at the top is (-1, 0) = (pitch * radial + turning) / norm, where
    # turning is radial turned counter-clockwise by 90 degrees: solved for radial.
    radial = np.array([-pitch, 1.0]) / np.hypot(1.0, pitch)
    angles = np.linspace(0, 1.6 * np.pi, 160)
    base = np.arctan2(radial[1], radial[0])
    growth = np.exp(pitch * angles)
    shape = np.stack([growth * np.cos(base + angles), growth * np.sin(base + angles)], axis=1)
    shape -= radial  # starts at the origin; times r0, plus top

    def where(scale: float) -> tuple[float, int]:
        y = top[1] + scale * shape[:, 1]
        below = np.flatnonzero(y <= foot[1])
        if len(below) == 0:
            return np.inf, -1
        j = int(below[0])
        share = (y[j - 1] - foot[1]) / (y[j - 1] - y[j])
        x = top[0] + scale * (shape[j - 1, 0] + share * (shape[j, 0] - shape[j - 1, 0]))
        return x - foot[0], j

    # Small spirals do not come down to the foot's level; large ones reach it far out.
    scales = top[1] * np.geomspace(0.3, 40, 120)
    misses = np.array([where(s)[0] for s in scales])
    good = np.isfinite(misses)
    crossing = np.flatnonzero(good[:-1] & good[1:] & (np.sign(misses[:-1]) != np.sign(misses[1:])))
    if len(crossing) == 0:
        best = int(np.argmin(np.where(good, np.abs(misses), np.inf)))
        scale = float(scales[best])
    else:
        k = int(crossing[0])
        scale = float(brentq(lambda s: where(float(s))[0], scales[k], scales[k + 1], xtol=1e-3))
    stop = where(scale)[1]
    points = top + scale * shape[: stop + 1]
    points[-1] = foot
    return points


def _bone(
    name: str,
    centres: NDArray[np.float64],
    k: int,
    build: Build,
    random: np.random.Generator,
) -> TubularBone:
    share = np.linspace(0, 1, len(centres))
    size = (0.92 if build.sex == "female" else 1.0) * build.tall**0.5
    # The head is thick, the neck thin, the angle broad, the anterior end flares.
    neck = 1 - 0.25 * np.exp(-(((share - 0.05) / 0.04) ** 2))
    flare = 1 + 0.22 * np.clip((share - 0.8) / 0.2, 0, 1) ** 2
    uneven = 1 + 0.04 * _smooth_noise(random, 2, len(centres), 14)
    high = _HALF_HEIGHT[k] * size * neck * flare * uneven[0]
    thick = _HALF_THICKNESS[k] * size * (1 + 0.25 * np.exp(-((share / 0.05) ** 2))) * uneven[1]
    cortex = _CORTEX * build.cortex * (1.25 - 0.45 * share)
    twist = np.full(len(centres), 0.0 if k == 0 else 0.08 * random.standard_normal())
    return TubularBone(
        name, centres, thick, high, cortex, twist,
        spongiosa=0.55 * build.mineral, groove=0.0 if k == 0 else 0.55,
    )  # fmt: skip


def _evenly(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return `count` points at equal distances along a polyline."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    place = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, place[-1], count)
    return np.stack([np.interp(wanted, place, column) for column in points.T], axis=1)


def _smooth_noise(
    random: np.random.Generator, rows: int, count: int, knots: int = 5
) -> NDArray[np.float64]:
    """Return (rows, count) standard normal numbers that change slowly along the row."""
    values = random.standard_normal((rows, knots))
    place = np.linspace(0, knots - 1, count)
    return np.stack([np.interp(place, np.arange(knots), row) for row in values])


def stations_of(rib: Rib) -> Numbers:
    """Return (N,) mm along a rib's bone, from its head."""
    return rib.bone.stations
