"""What the body itself shows that could be taken for a fracture."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import TubularBone
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.confounders.landmarks import SIDES, rib_of
from ribsight.simulation.confounders.part import Part, Setting
from ribsight.simulation.confounders.shapes import (
    ball,
    copies,
    evenly,
    wire,
    xyz,
)
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.solids import ellipsoid, frames_along, loft
from ribsight.simulation.truth import View

Points = NDArray[np.float64]


def calcified_cartilage(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return flecks of calcium in the costal cartilages.

    Men's calcify along their borders, women's in their core (Ontell et al., Radiographics 1997);
    the first pair does so early and in both.
    """
    build = setting.chest.build
    bordered = build.sex == "male"
    axes, centres = [], []
    for rib in setting.chest.ribs:
        if len(rib.cartilage) < 2:
            continue
        amount = np.clip(build.calcified_cartilage * random.lognormal(0, 0.5), 0, 1)
        if rib.number == 1:
            amount = min(1.6 * amount + 0.1, 1.0)
        found = _flecks(rib, amount, random, bordered=bordered and rib.number > 1)
        axes.append(found[0])
        centres.append(found[1])
    flecks = copies(ball(), np.concatenate(axes), np.concatenate(centres))
    return [Part("cortical_bone", flecks, density=0.65)]


def _flecks(
    rib: Rib, amount: float, random: np.random.Generator, *, bordered: bool
) -> tuple[Points, Points]:
    """Return flecks' axes (N, 3, 3) and centres (N, 3): in clusters, more near the bone."""
    line = evenly(rib.cartilage, 40)
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    count = int(np.ceil(amount * length * 0.55))
    clusters = random.beta(0.8, 1.4, max(count // 5, 1))
    share = np.clip(random.choice(clusters, count) + random.normal(0, 0.05, count), 0, 1)
    k = np.round(share * 39).astype(int)
    frames = frames_along(line)[k]
    thick, high = 0.75 * rib.bone.thick[-1], 0.85 * rib.bone.high[-1]
    if bordered:
        angle = random.choice([-1.0, 1.0], count) * np.pi / 2 + random.normal(0, 0.3, count)
        far = np.ones(count)
    else:
        angle = random.uniform(0, 2 * np.pi, count)
        far = 0.55 * np.sqrt(random.random(count))
    away = (far * thick * np.cos(angle))[:, None] * frames[:, 1] + (
        (far * high * np.sin(angle))[:, None] * frames[:, 2]
    )
    size = random.uniform(0.6, 1.4, (count, 3)) * ([3.4, 0.9, 0.8] if bordered else [2.2, 1.5, 1.5])
    return frames.transpose(0, 2, 1) * size[:, None, :], line[k] + away


def bone_islands(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return one or two small dense spots of compact bone inside ribs, along their length."""
    parts: list[Part] = []
    for _ in range(1 + int(random.random() < 0.15)):
        side = SIDES[int(random.random() < 0.5)]
        bone = rib_of(setting.chest, side, int(random.integers(2, 11))).bone
        k = int(random.uniform(0.12, 0.9) * len(bone.centres))
        room_in, room_up = bone.thick[k] - bone.cortex[k], bone.high[k] - bone.cortex[k]
        up = float(min(random.uniform(1.5, 3.2), 0.85 * room_up))
        half = (up * random.uniform(1.2, 1.9), min(up, 0.85 * room_in), up)
        off = random.uniform(-0.8, 0.8) * max(room_up - up, 0)
        frame = bone.frames()[k]
        spot = ellipsoid(bone.centres[k] + off * frame[2], half, rotation=_columns(frame),
                         rings=10, around=16)  # fmt: skip
        parts += [Part("cortical_bone", spot), Part("spongiosa", spot, density=-bone.spongiosa)]
    return parts


def nutrient_grooves(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return the thin oblique canal of a vessel in the cortex of a clavicle or a rib."""
    if random.random() < 0.5:
        bone = setting.chest.clavicles[int(random.random() < 0.5)]
        middle, length, radius = random.uniform(0.42, 0.66), random.uniform(14, 24), 0.62
    else:
        side = SIDES[int(random.random() < 0.5)]
        bone = rib_of(setting.chest, side, int(random.integers(3, 10))).bone
        middle, length, radius = random.uniform(0.2, 0.75), random.uniform(14, 28), 0.36
    return [Part("cortical_bone", wire(_canal(bone, middle, length, random), radius), density=-0.9)]


def _canal(bone: TubularBone, middle: float, length: float, random: np.random.Generator) -> Points:
    """Return a line (N, 3) in the middle of the cortex that crosses the bone's face obliquely."""
    total = bone.length
    share = np.linspace(-0.5, 0.5, 16)
    here = bone.at(middle * total + share * length)
    frames = here.frames()
    face = random.choice([-1.0, 1.0])
    climb = random.choice([-1.0, 1.0]) * random.uniform(0.45, 0.8)
    up = climb * 2 * share + 0.06 * np.sin(share * 9)
    thick, high = here.thick - here.cortex / 2, here.high - here.cortex / 2
    across = face * thick * np.sqrt(1 - up**2)
    line: Points = (
        here.centres + across[:, None] * frames[:, 1] + (high * up)[:, None] * frames[:, 2]
    )
    return line


def _columns(frame: Points) -> Points:
    """Return a frame's rows as the columns of a rotation."""
    return np.ascontiguousarray(frame.T)


def companion_shadows(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return the bands of skin that run along the upper edges of the clavicles."""
    found = []
    height, deep = random.uniform(5, 9), random.uniform(3.5, 7)
    for bone in setting.chest.clavicles:
        count = len(bone.centres)
        inside = bone.centres[int(0.12 * count) : int(random.uniform(0.6, 0.75) * count)]
        top = (
            inside
            + np.array([0.0, -2, 0])
            + xyz(0, 0, 1.0) * (bone.high[int(0.12 * count) :][: len(inside), None] + 0.5)
        )
        thin = np.sin(np.linspace(0.12, np.pi - 0.12, len(inside)))[:, None]
        found.append(_sheet(top, np.array([0.0, 0, height]), np.array([0.0, deep, 0]) * thin))
    return [Part("soft_tissue", one) for one in found]


def skin_folds(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a fold of loose skin pressed against the detector, its sharp edge outside.

    Lying, it is behind; standing, in front.
    """
    sign = random.choice([-1.0, 1.0])
    chest, skin = setting.chest, setting.skin
    top, low = chest.sternum.line[1, 2], chest.soft.domes[:, 2].mean()
    edge = np.abs(rib_of(chest, SIDES[0], 6).bone.centres[:, 0]).max()
    share = np.linspace(0, 1, 40)
    x = sign * edge * (0.78 - random.uniform(0.1, 0.35) * share + 0.06 * np.sin(2.2 * share))
    z = top + random.uniform(-25, 30) + (low - top) * random.uniform(0.7, 1.1) * share
    line = (skin.behind if setting.view is View.AP_SUPINE else skin.in_front)(x, z)
    width, deep = random.uniform(16, 30), random.uniform(3.0, 6.0)
    swell = np.sqrt(np.sin(np.linspace(0.02, np.pi - 0.02, 40)))[:, None]
    fold = _wedge(line, np.array([-sign * width, 0.0, 0.0]) * swell, np.array([0, deep, 0]) * swell)
    return [Part("soft_tissue", fold)]


def nipple_shadows(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return the nipples, pressed flat or standing in air."""
    chest, skin = setting.chest, setting.skin
    size = random.uniform(3.5, 5.5)
    deep = random.uniform(2.0, 4.5)
    found = []
    for index, side in enumerate(SIDES):
        if chest.breasts:
            tip = chest.breasts[index].vertices
            x, z = tip[:, 0].mean(), tip[:, 2].mean() - 0.25 * np.ptp(tip[:, 2]) / 2
        else:
            front = rib_of(chest, side, 5).bone.centres
            x, z = 0.80 * np.abs(front[:, 0]).max() * np.sign(front[-1, 0]), front[-1, 2] + 8
        at = skin.in_front(x + random.normal(0, 4), z + random.normal(0, 5), deep * 0.6)
        found.append(ellipsoid(at, (size, deep, size), rings=10, around=16))
    return [Part("soft_tissue", one) for one in found]


def _sheet(line: Points, up: Points, deep: Points) -> Mesh:
    """Return a band along a line (N, 3): `up` wide, `deep` thick, its lower edge thinner."""
    rings = np.stack([line - 0.25 * deep, line + 0.25 * deep, line + up + deep / 2,
                      line + up - deep / 2], axis=1)  # fmt: skip
    return _closed(rings)


def _wedge(line: Points, wide: Points, deep: Points) -> Mesh:
    """Return a wedge along a line (N, 3): thick at the line, thin `wide` away from it."""
    rings = np.stack([line - deep / 2, line + deep / 2, line + wide * 0.5 + deep * 0.22,
                      line + wide, line + wide * 0.5 - deep * 0.22], axis=1)  # fmt: skip
    return _closed(rings)


def _closed(rings: Points) -> Mesh:
    """Return the loft through rings, turned right side out."""
    mesh = loft(rings)
    return mesh if mesh.volume() > 0 else replace(mesh, triangles=mesh.triangles[:, ::-1])
