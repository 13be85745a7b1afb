"""Electrodes on the skin and the wires that leave them."""

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.confounders.landmarks import SIDES, Skin, rib_of
from ribsight.simulation.confounders.part import Part, Setting, surrounded_by_air
from ribsight.simulation.confounders.shapes import disc, through, wire
from ribsight.simulation.mesh import join
from ribsight.simulation.truth import View

Points = NDArray[np.float64]

_COPPER = 0.45
"""Density of a stranded copper wire in insulation, against solid steel of its radius."""


def ecg_leads(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return three or five electrodes and their wires, which meet outside the chest."""
    sites = _sites(setting, random)
    end = _trunk_end(setting, random)
    discs, studs, clips, wires = [], [], [], []
    for place in sites:
        normal = setting.skin.normal(place[0], place[2])
        discs.append(disc(place + normal, normal, 5.5, 0.8))
        studs.append(disc(place + 3.2 * normal, normal, 1.9, 3.2, around=12))
        heading = _heading(place, end, random)
        clips.append(wire(place + normal * 4.5 + np.outer([0, 4.0, 9.0, 13.0], heading),
                          np.array([2.2, 2.0, 1.3, 0.9])))  # fmt: skip
        line = _wire_line(setting.skin, place, heading, end, random)
        wires.append(wire(line, 0.5))
    return surrounded_by_air(
        [
            # A film of silver chloride on plastic: faint beside its steel stud.
            Part("silver", join(discs), density=0.03),
            Part("steel", join(studs), density=0.35),
            Part("steel", join(clips), density=0.10),
            Part("steel", join(wires), density=_COPPER),
        ]
    )


def _sites(setting: Setting, random: np.random.Generator) -> Points:
    """Return where the electrodes stick, (3 or 5, 3) mm on the skin."""
    chest = setting.chest
    right, left = (one.centres[int(0.6 * len(one.centres))] for one in chest.clavicles)
    low = [rib_of(chest, side, 9).bone.centres for side in SIDES]
    middle = chest.sternum.line[2]
    flat = [
        (right[0], right[2] - 34), (left[0], left[2] - 34),
        (0.72 * low[1][:, 0].max(), low[1][:, 2].min()),
        (0.72 * low[0][:, 0].min(), low[0][:, 2].min()),
        (middle[0] + 38, middle[2] - 6),
    ]  # fmt: skip
    count = 5 if random.random() < 0.55 else 3
    chosen = np.array(flat[:count]) + random.normal(0, [10.0, 13.0], (count, 2))
    return setting.skin.in_front(chosen[:, 0], chosen[:, 1])


def _trunk_end(setting: Setting, random: np.random.Generator) -> Points:
    """Return x, z where the wires leave the field together: over a shoulder or down a flank."""
    side = 1.0 if random.random() < 0.6 else -1.0
    sternum, domes = setting.chest.sternum.line, setting.chest.soft.domes
    upward = 0.65 if setting.view is View.AP_SUPINE else 0.25
    if random.random() < upward:
        return np.array([side * random.uniform(45, 85), sternum[0, 2] + 95])
    return np.array([side * random.uniform(20, 120), domes[0, 2] - random.uniform(130, 190)])


def _heading(place: Points, end: Points, random: np.random.Generator) -> Points:
    """Return the unit direction (3,) in which a wire leaves its electrode."""
    angle = np.arctan2(end[1] - place[2], end[0] - place[0]) + random.normal(0, 0.7)
    return np.array([np.cos(angle), 0.0, np.sin(angle)])


def _wire_line(
    skin: Skin, place: Points, heading: Points, end: Points, random: np.random.Generator
) -> Points:
    """Return a smooth line (N, 3) over the skin from an electrode to where the wires meet."""
    start = place[[0, 2]] + 7 * heading[[0, 2]]
    leaving = start + random.uniform(22, 40) * heading[[0, 2]]
    meet = end + random.normal(0, 5, 2)
    way = meet - leaving
    sideways = np.array([-way[1], way[0]]) / max(float(np.linalg.norm(way)), 1.0)
    bow = random.normal(0, 0.14) * np.linalg.norm(way)
    between = [
        leaving + share * way + (bow * np.sin(np.pi * share) + random.normal(0, 7)) * sideways
        for share in (0.28, 0.55, 0.8)
    ]
    flat = through(np.column_stack([np.array([start, leaving, *between, meet]), np.zeros(6)]), 5.0)
    line = skin.in_front(flat[:, 0], flat[:, 1], 3.0)
    return _eased(line)


def _eased(line: Points) -> Points:
    """Return the line with its depth smoothed: a wire bridges the hollows of the skin."""
    eased = line.copy()
    kernel = np.hanning(9)[1:-1] / np.hanning(9)[1:-1].sum()
    for axis in range(3):
        padded = np.pad(line[:, axis], 3, mode="reflect", reflect_type="odd")
        eased[:, axis] = np.convolve(padded, kernel, mode="valid")
    return eased
