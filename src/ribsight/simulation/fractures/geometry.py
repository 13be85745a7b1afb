"""What a break is: gap, step, bend, overlap, fragments, buckle and callus, in millimetres."""

from dataclasses import dataclass, replace

import numpy as np

from ribsight.findings import Acuity
from ribsight.simulation.truth import CLAVICLE_FRACTURE, Displacement, Fracture


@dataclass(frozen=True)
class Break:
    """One break of a tubular bone.

    Attributes:
        station: mm along the bone.
        gap: mm between the ends; negative when they overlap.
        step: mm (outward, upward) the far end has moved against the near one.
        bend: degrees between the ends.
        bend_direction: radians in the (outward, upward) plane in which the apex points.
        slant: mm the break's plane runs along the bone from lower to upper edge.
        roughness: mm, standard deviation of the broken edge.
        bulge: mm a cortex is pushed out (buckle); the bone is not cut if it is positive.
        fragments: number of loose pieces.
        reach: mm over which step and bend fade along the bone.
        callus: mm of new bone around the break.
        callus_mineral: its density against cortical bone.
        healed: no cut any more: the outline is thickened instead.

    """

    station: float
    gap: float = 0.0
    step: tuple[float, float] = (0.0, 0.0)
    bend: float = 0.0
    bend_direction: float = 0.0
    slant: float = 0.0
    roughness: float = 0.3
    bulge: float = 0.0
    fragments: int = 0
    reach: float = 45.0
    callus: float = 0.0
    callus_mineral: float = 0.0
    healed: bool = False

    @property
    def cut(self) -> bool:
        """Whether the bone is in two."""
        return not self.healed and self.bulge == 0


def draw_break(fracture: Fracture, length: float, random: np.random.Generator) -> Break:
    """Draw the geometry of a fracture of a bone that is `length` mm long."""
    station = fracture.position * length
    direction = random.uniform(0, 2 * np.pi)
    slant = float(random.normal(0, 3.0))
    clavicle = fracture.finding == CLAVICLE_FRACTURE
    size = 1.5 if clavicle else 1.0
    match fracture.displacement:
        case Displacement.NON_DISPLACED:
            # Less than a cortex's width: half of them are seen on CT alone.
            gap, step = _about(random, 0.5, 0.6), _about(random, 0.4, 0.7)
            bend, bulge = random.uniform(0, 3), 0.0
        case Displacement.BUCKLE:
            gap, step, bend, bulge = 0.0, 0.0, _about(random, 7, 0.5), _about(random, 1.2, 0.45)
        case Displacement.DISPLACED:
            gap, step = random.uniform(-1.0, 4.0), random.uniform(3.0, 7.0)
            bend, bulge = random.uniform(5, 20), 0.0
        case Displacement.SEVERELY_DISPLACED:
            gap, step = random.uniform(-20.0, 8.0), random.uniform(7.0, 15.0)
            bend, bulge = random.uniform(12, 35), 0.0
    if clavicle:
        # The weight of the arm pulls the outer end down, the neck's muscles the inner end up.
        direction = random.normal(-np.pi / 2, 0.5)
    severe = fracture.displacement is Displacement.SEVERELY_DISPLACED
    fragments = int(random.integers(1, 4)) if severe and random.random() < 0.45 else 0
    if fragments == 0 and fracture.displacement is Displacement.DISPLACED and random.random() < 0.1:
        fragments = 1
    fresh = Break(
        station=station,
        gap=float(gap * size),
        step=(float(step * size * np.cos(direction)), float(step * size * np.sin(direction))),
        bend=float(bend),
        bend_direction=float(random.uniform(0, 2 * np.pi)),
        slant=slant * size,
        roughness=float(random.uniform(0.2, 0.8)),
        bulge=float(bulge),
        fragments=fragments,
        reach=float(random.uniform(30, 60)),
    )
    return _aged(fresh, fracture.acuity, random)


def _about(random: np.random.Generator, middle: float, spread: float) -> float:
    """Draw a log-normal number, never more than four times the middle."""
    return float(min(middle * np.exp(spread * random.standard_normal()), 4 * middle))


def _aged(fresh: Break, acuity: Acuity, random: np.random.Generator) -> Break:
    if acuity is Acuity.HEALING:
        # Weeks old: cloudy callus, the line still open or filling.
        return replace(
            fresh, gap=0.7 * fresh.gap, roughness=0.2, fragments=0,
            callus=float(random.uniform(2.0, 4.5)), callus_mineral=float(random.uniform(0.12, 0.3)),
        )  # fmt: skip
    if acuity is Acuity.OLD:
        # Remodelled: the step is a smooth shoulder, the bone thicker.
        keep = random.uniform(0.3, 0.8)
        return replace(
            fresh, gap=0.0, bulge=0.0, roughness=0.0, fragments=0, healed=True, slant=0.0,
            step=(fresh.step[0] * keep, fresh.step[1] * keep), bend=fresh.bend * keep,
            callus=float(random.uniform(0.8, 3.0)), callus_mineral=float(random.uniform(0.3, 0.5)),
        )  # fmt: skip
    return fresh
