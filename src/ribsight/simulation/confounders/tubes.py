"""Tubes and lines in the body: plastic with a radiopaque stripe.

Where tips belong: Godoy, Leitman, de Groot, Vlahos & Naidich, "Chest radiography in the ICU: part
1", AJR 2012: the endotracheal tube's 3 to 5 cm above the carina with the neck neutral (2 cm more
or less when it bends), a central line's in the superior vena cava down to the atrium, a gastric
tube's with its side hole below the diaphragm.
"""

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Side
from ribsight.simulation.confounders.landmarks import (
    SIDES,
    great_veins,
    outward,
    rib_of,
    sign_of,
    windpipe,
)
from ribsight.simulation.confounders.part import Part, Setting, surrounded_by_air
from ribsight.simulation.confounders.shapes import (
    stations,
    through,
    tubing,
    wire,
    xyz,
)

Points = NDArray[np.float64]


def endotracheal_tube(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a tube in the trachea, its tip 15 to 75 mm above the carina."""
    line = windpipe(setting.chest)
    place = stations(line)
    above = float(np.clip(random.normal(42, 13), 15, min(75.0, place[-1] - 30)))
    inside = np.stack(
        [np.interp(np.linspace(above, place[-1], 8), place, c) for c in line.T], axis=1
    )
    inside[:, 0] += random.normal(0, 0.8)
    # On through the larynx to the mouth.
    rise = inside[-1] + np.array([[1.0, -6, 28], [2, -26, 62], [2, -56, 84]])
    path = through(np.concatenate([inside, rise]))
    return surrounded_by_air(tubing(path, 5.2, 1.3, 0.75, random.uniform(-0.9, 0.9) + np.pi))


def gastric_tube(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a tube down the oesophagus into the stomach, its side hole marked by a gap."""
    chest = setting.chest
    trachea = windpipe(chest)
    column, depth = chest.spine.centres, chest.spine.depth
    dome = chest.soft.domes[1]

    def oesophagus(level: int, x: float, gap: float) -> Points:
        """Before the body of a thoracic vertebra."""
        k = level + 1
        place: Points = column[k] + np.array([x, -depth[k] / 2 - gap, 0.0])
        return place

    behind = trachea[[-1, 6]] + [[0.0, 13, 0], [-2.0, 14, 0]]
    reach = random.uniform(30, 85)
    outlet = np.array([dome[0] * random.uniform(0.15, 0.5), dome[1] - 12, dome[2] - 95 - reach])
    bend = np.array([dome[0] * random.uniform(0.8, 1.05), dome[1] + 2, dome[2] - 55 - 0.4 * reach])
    path = through(
        np.stack(
            [
                outlet,
                (outlet + bend) / 2 + xyz(0.12 * dome[0], 2, -14),
                bend,
                oesophagus(11, 0.30 * dome[0], 14),
                oesophagus(10, 0.17 * dome[0], 13),
                oesophagus(8, 0.05 * dome[0], 12),
                oesophagus(6, 1, 11),
                *behind[::-1],
                trachea[-1] + xyz(1, 10, 45),
                trachea[-1] + xyz(2, -15, 95),
            ]
        )
    )
    return tubing(path, random.uniform(2.3, 2.9), 0.9, 0.45, random.uniform(0, 2 * np.pi),
                  holes=((random.uniform(45, 70), 90.0),))  # fmt: skip


def central_line(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a catheter from the neck or below a clavicle into the superior vena cava."""
    chest = setting.chest
    veins = great_veins(chest)
    share = random.uniform(-0.25, 0.9)
    tip = veins["cava"] + share * (veins["atrium"] - veins["cava"])
    above = veins["cava"] + xyz(0.0, 0, max(12.0, 26.0 - 30 * share))
    side = Side.RIGHT if random.random() < 0.72 else Side.LEFT
    jugular = random.random() < 0.7
    way = _neck(setting, side, random) if jugular else _below_clavicle(setting, side, random)
    cross = [] if side is Side.RIGHT else [
        veins["top"] * [-0.2, 1, 1] + xyz(0.0, 0, 4), veins["top"] + xyz(2.0, 0, -16)
    ]  # fmt: skip
    start = [veins["top"]] if side is Side.RIGHT else []
    path = through(np.stack([tip, above, *cross, *start, *way]))
    # The whole wall is loaded: it shows as one line, brighter at its edges.
    return [
        Part("barium_stripe", wire(path, 1.15, 10), density=0.55),
        Part("barium_stripe", wire(path, 0.6, 8), density=-0.55),
    ]


def _neck(setting: Setting, side: Side, random: np.random.Generator) -> list[Points]:
    """Return points (3,) up the internal jugular vein and out to a fold of tubing on the skin."""
    joint = setting.chest.clavicles[SIDES.index(side)].centres[4]
    sign, spine = sign_of(side), setting.chest.spine.centres
    x = 1.15 * abs(joint[0])
    vein = np.array([sign * x, (joint[1] + spine[2, 1]) / 2, joint[2] + 4])
    puncture = vein + xyz(sign * 9, -2, 44.0)
    outside = puncture + xyz(sign * random.uniform(14, 26), -14, 22)
    return [vein, puncture, outside, outside + xyz(sign * 24, -4, -20.0)]


def _below_clavicle(setting: Setting, side: Side, random: np.random.Generator) -> list[Points]:
    """Return points (3,) along the subclavian vein and out of the skin below the clavicle."""
    bone = setting.chest.clavicles[SIDES.index(side)].centres
    sign = sign_of(side)
    medial, middle, lateral = (bone[int(share * (len(bone) - 1))] for share in (0.12, 0.36, 0.56))
    skin = setting.skin.in_front(lateral[0] + sign * random.uniform(4, 18), lateral[2] - 24)
    return [
        medial + xyz(0, 12, -4),
        middle + xyz(0, 6, -9),
        (lateral + skin) / 2 + xyz(0, 0, -6),
        skin,
        skin + xyz(sign * 34, -5, -14),
    ]


def chest_tube(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a drain from the side of the chest, up to the apex or back to the base.

    It lies on the side of the patient's fractures, if they are on one.
    """
    chest = setting.chest
    sides = sorted({one.side for one in setting.fractures if one.rib is not None} & set(SIDES))
    side = sides[0] if len(sides) == 1 else SIDES[int(random.random() < 0.5)]
    upward = random.random() < 0.75
    entry = int(random.integers(5, 7))
    ways = [(2, 0.30), (3, 0.30), (4, 0.42)] if upward else [(10, 0.16), (9, 0.26), (7, 0.40)]
    inside = [_within(setting, side, number, share) for number, share in ways]
    wall = rib_of(chest, side, entry).bone
    widest = int(np.argmax(np.abs(wall.centres[:, 0])))
    out = outward(chest, wall)[widest]
    # Through the space below the rib, tunnelled upwards from a lower cut.
    space = wall.centres[widest] - xyz(0.0, 0, wall.high[widest] + 5)
    sign = sign_of(side)
    skin = setting.skin.in_front(sign * 1e3, space[2] - 25)[0]
    away = [space - 9 * out, space + 8 * out + xyz(0, 0, -13),
            np.array([skin + sign * 8, space[1] - 6, space[2] - 36]),
            np.array([skin + sign * 38, space[1] - 18, space[2] - 88])]  # fmt: skip
    path = through(np.stack([*inside, *away]))
    return surrounded_by_air(
        tubing(
            path,
            random.choice([4.0, 4.7, 5.3]),
            1.4,
            0.8,
            random.uniform(0, 2 * np.pi),
            holes=((34.0, 40.0), (66.0, 73.0), (random.uniform(96, 110), 118.0)),
        )
    )


def _within(setting: Setting, side: Side, number: int, share: float) -> Points:
    """Return a point (3,) in the pleural space, inside a rib."""
    bone = rib_of(setting.chest, side, number).bone
    k = int(share * (len(bone.centres) - 1))
    inside: Points = bone.centres[k] - 13.0 * outward(setting.chest, bone)[k]
    return inside
