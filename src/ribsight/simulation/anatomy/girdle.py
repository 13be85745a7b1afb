"""Sternum and clavicles.

Measures of the mean male: clavicle 150 mm long, its S 13 and 10 mm deep (Bachoura et al., J
Shoulder Elbow Surg 2013); manubrium 50 and body 100 mm.
"""

# ruff: noqa: RUF005 - an array plus a list is a sum here, not a concatenation.

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import TubularBone
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import tube
from ribsight.simulation.truth import View

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arms:
    """How the shoulders are held.

    Attributes:
        forward: mm the shoulders are rolled forward (PA: scapulae leave the lungs).
        raised: mm the shoulders are lifted.
        abducted: degrees from hanging (0) over hands on the hips (35) to overhead (160).

    """

    forward: float
    raised: float
    abducted: float = 30.0


def arms_for(view: View, random: np.random.Generator) -> Arms:
    """Draw how a patient holds the arms for a view."""
    wobble = random.standard_normal(3)
    forward, raised, abducted = {
        View.PA_ERECT: (40.0, 4.0, 38.0),
        View.AP_SUPINE: (6.0, 9.0, 14.0),
        View.OBLIQUE_LEFT: (25.0, 22.0, 135.0),
        View.OBLIQUE_RIGHT: (25.0, 22.0, 135.0),
        View.LATERAL: (45.0, 38.0, 165.0),
    }[view]
    return Arms(
        forward + 7 * wobble[0],
        raised + 6 * wobble[1],
        max(abducted + 8 * wobble[2], 4.0),
    )


@dataclass(frozen=True, eq=False)
class Sternum:
    """Where the sternum is.

    Attributes:
        line: (5, 3) mm: top of the manubrium, its angle, middle and end of the body, xiphoid's tip.
        mesh: its surface.

    """

    line: Points
    mesh: Mesh


def make_sternum(build: Build, ribs: tuple[Rib, ...]) -> Sternum:
    """Return the sternum, hung before the ends of the ribs."""
    ends = {(r.side, r.number): r.bone.centres[-1] for r in ribs}

    def between(number: int) -> Points:
        middle: Points = (ends[Side.LEFT, number] + ends[Side.RIGHT, number]) / 2
        return middle

    top = between(1) + [0, -6 * build.deep, 12 * build.tall]
    angle = between(2) + [0, -5 * build.deep, 1]
    low = angle + np.array([0, -0.30, -1.0]) * 100 * build.tall
    middle = (angle + low) / 2
    tip = low + np.array([0, 1, -28]) * build.tall
    line = np.stack([top, angle, middle, low, tip])
    line[:, 0] *= 0.5
    place = np.linspace(0, 4, 24)
    centres = through(line, place)
    wide = np.interp(
        place, [0, 0.3, 0.9, 1.1, 2, 2.7, 3, 3.2, 4], [30, 30, 17, 16, 19, 22, 16, 9, 3]
    )
    thick = np.interp(place, [0, 1, 2, 3, 4], [7, 7, 6, 5, 2.5])
    return Sternum(line, tube(centres, wide * build.wide, thick, up=(0, -1, 0), around=20))


def make_clavicle(
    build: Build, sternum: Sternum, side: Side, arms: Arms, random: np.random.Generator
) -> TubularBone:
    """Return a clavicle, from the sternum outwards."""
    sign = 1.0 if side is Side.LEFT else -1.0
    length = 150 * build.wide * (0.96 if build.sex == "female" else 1.0) * random.normal(1, 0.04)
    start = sternum.line[0] + [sign * 22 * build.wide, 4, 2]
    rise = 0.13 * length + arms.raised + random.normal(0, 5)
    back = 0.34 * length - arms.forward
    out = np.sqrt(max(length**2 - rise**2 - back**2, 1e3)) * 0.965
    share = np.linspace(0, 1, 64)
    # Convex forward in the medial two thirds, concave in the lateral third.
    bow = 13 * np.sin(np.pi * np.clip(share / 0.6, 0, 1)) - 10 * np.sin(
        np.pi * np.clip((share - 0.6) / 0.4, 0, 1)
    )
    # Its plane leans: from the front it is an S too.
    arch = random.normal(2, 2) * np.sin(np.pi * share) + random.normal(0.3, 0.15) * bow
    centres = start + np.stack(
        [
            sign * out * share,
            back * share - bow * random.normal(1, 0.15),
            rise * share + arch,
        ],
        axis=1,
    )
    size = (0.88 if build.sex == "female" else 1.0) * _rounded_ends(share * length)
    front_to_back = np.interp(
        share, [0, 0.06, 0.2, 0.5, 0.75, 0.93, 1], [9, 10, 7, 5.8, 6.6, 9.5, 7]
    )
    high = np.interp(share, [0, 0.06, 0.2, 0.5, 0.75, 0.93, 1], [9.5, 10.5, 7.5, 5.8, 5.6, 5.2, 4])
    cortex = np.interp(share, [0, 0.15, 0.5, 0.8, 1], [0.7, 1.2, 2.2, 1.3, 0.7]) * build.cortex
    return TubularBone(
        f"clavicle_{side.value}", centres, front_to_back * size, high * size, cortex,
        np.zeros(len(share)), spongiosa=0.65 * build.mineral,
    )  # fmt: skip


def _rounded_ends(stations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a factor for half widths that rounds the last millimetres of both ends."""
    from_end = np.minimum(stations / 7.0, (stations[-1] - stations) / 5.0)
    factor: NDArray[np.float64] = np.sqrt(np.clip(1 - (1 - np.minimum(from_end, 1)) ** 2, 0.1, 1))
    return factor


def through(points: Points, place: NDArray[np.float64]) -> Points:
    """Return a smooth curve through points, sampled at `place` (0 is the first point)."""
    curve: Points = PchipInterpolator(np.arange(len(points)), points, axis=0)(place)
    return curve
