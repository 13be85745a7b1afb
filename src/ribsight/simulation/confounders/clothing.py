"""What patients wear: chains, bras, buttons."""

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.confounders.part import Part, Setting, surrounded_by_air
from ribsight.simulation.confounders.shapes import (
    axes_from,
    copies,
    disc,
    loop,
    pin,
    stations,
    through,
    wire,
    xyz,
)
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import ellipsoid

Points = NDArray[np.float64]


def necklace(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a chain around the neck, sometimes with a pendant."""
    chest, skin = setting.chest, setting.skin
    top = chest.sternum.line[0]
    neck = skin.z.max() - 0.25 * (skin.z.max() - top[2])
    wide = 0.8 * float(np.interp(-neck, -skin.z, skin.reach[:, 1]))
    low = top[2] - random.uniform(15, 85)
    middle = top[0] + random.normal(0, 7)
    x = np.array([-1.0, -0.97, -0.7, -0.28, 0.0, 0.28, 0.7, 0.97, 1.0]) * wide
    drop = np.array([0.0, 0.18, 0.58, 0.93, 1.0, 0.93, 0.58, 0.18, 0.0])
    flat = through(np.column_stack([x + middle * drop, neck + (low - neck) * drop, 0 * x]), 2.0)
    front = skin.in_front(flat[:, 0], flat[:, 1], 1.5)
    ends = [skin.behind(sign * 0.55 * wide, neck + 6, 1.5) for sign in (-1.0, 1.0)]
    line = through(np.concatenate([ends[:1], front[::6], front[-1:], ends[1:]]), 1.1)
    # Links seen from the side and edge-on by turns.
    beads = 0.45 + 0.45 * (np.sin(stations(line) * 2 * np.pi / 4.4) > 0)
    metal = "silver" if random.random() < 0.5 else "steel"
    parts = [Part(metal, wire(line, beads), density=0.35)]
    if random.random() < 0.6:
        hang = front[int(np.argmin(front[:, 2]))] + xyz(0.0, -1, -9)
        pendant = (
            ellipsoid(hang, (5.5, 0.9, 7.5))
            if random.random() < 0.5
            else loop(hang, [6.0, 0, 0], [0, 0.5, 7.0], 0.9)
        )
        parts.append(Part(metal, pendant, density=0.35))
    return surrounded_by_air(parts)


def bra_clips(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return hooks behind, the straps' sliders, and often wires below the breasts."""
    if not setting.chest.breasts:
        return []
    wires = random.random() < 0.6
    parts: list[Part] = []
    levels, edges = [], []
    for breast in setting.chest.breasts:
        low, high = breast.vertices.min(axis=0), breast.vertices.max(axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        levels.append(float(middle[2]))
        edges.append(float(middle[0]))
        if wires:
            angle = np.linspace(np.pi + 0.25, 2 * np.pi - 0.25, 40)
            x = middle[0] + 0.92 * half[0] * np.cos(angle)
            z = middle[2] + 0.92 * half[2] * np.sin(angle)
            parts.append(Part("steel", wire(setting.skin.in_front(x, z, 2.0), 0.85), density=0.6))
    level = float(np.mean(levels)) + random.normal(0, 8)
    parts.append(Part("steel", join(_hooks(setting, level, random)), density=0.6))
    top = setting.chest.sternum.line[1, 2]
    parts += [_slider(setting, x, top + random.normal(0, 12)) for x in edges]
    return surrounded_by_air(parts)


def _hooks(setting: Setting, level: float, random: np.random.Generator) -> list[Mesh]:
    """Return two or three hooks and eyes, one above the other, on the back."""
    middle = random.normal(0, 9)
    found = []
    for row in range(int(random.integers(2, 4))):
        at = setting.skin.behind(middle, level + 16.0 * row, 2.0)
        found += [
            loop(at, [4.5, 0, 0], [0, 0, 2.2], 0.55, count=17),
            loop(at + xyz(7.0, 0.6, 0), [3.0, 0, 0], [0, 0, 3.2], 0.5, count=17),
        ]
    return found


def _slider(setting: Setting, x: float, z: float) -> Part:
    """Return the figure-of-eight of a strap, on the front of the shoulder."""
    at = setting.skin.in_front(x, z, 2.0)
    rings = [loop(at + xyz(0, 0, shift), [7.0, 0, 0], [0, 0.5, 3.0], 0.7, count=17)
             for shift in (-3.0, 3.0)]  # fmt: skip
    return Part("steel", join(rings), density=0.5)


def buttons(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a shirt's buttons down the front, or a gown's press studs on the shoulders."""
    if random.random() < 0.6:
        return _shirt(setting, random)
    found = []
    for bone in setting.chest.clavicles:
        place = bone.centres[int(random.uniform(0.55, 0.7) * len(bone.centres))]
        for step in range(int(random.integers(2, 4))):
            at = (place[0] * (1 + 0.02 * step), place[2] - 18 - 38.0 * step)
            found.append(_stud(setting, *at))
    return surrounded_by_air([Part("steel", join(found), density=0.25)])


def _stud(setting: Setting, x: float, z: float) -> Mesh:
    """Return a press stud: a ring around a thin cap."""
    normal = setting.skin.normal(x, z)
    at = setting.skin.in_front(x, z) + 5 * normal
    side = np.cross(normal, [0.0, 0, 1])
    side /= np.linalg.norm(side)
    ring = loop(at, 4.6 * side, 4.6 * np.cross(side, normal), 0.8, count=21)
    return join([ring, disc(at, normal, 4.2, 0.5)])


def _shirt(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return plastic buttons with four holes, 85 mm apart."""
    top = setting.chest.sternum.line[0]
    x, z = top[0] + random.normal(0, 8), top[2] + random.uniform(-20, 25)
    count = int(random.integers(3, 6))
    x = x + random.normal(0, 5, count)
    z = z - 85.0 * np.arange(count)
    out = np.stack([setting.skin.normal(*where) for where in zip(x, z, strict=True)])
    centres = setting.skin.in_front(x, z) + 4 * out
    frames = axes_from(out, 1.0, 1.0)
    plates = copies(pin(18), frames * [5.6, 5.6, 2.2], centres - 1.1 * out)
    rims = [loop(at, 5.0 * one[:, 0], 5.0 * one[:, 1], 0.9)
            for at, one in zip(centres, frames, strict=True)]  # fmt: skip
    corners = np.array([[a, b, -1.05] for a in (-1.5, 1.5) for b in (-1.5, 1.5)])
    holes = copies(
        pin(10),
        np.repeat(frames * [0.9, 0.9, 2.1], 4, axis=0),
        (centres[:, None] + np.einsum("nij,kj->nki", frames, corners)).reshape(-1, 3),
    )
    # Pressed polyester is loaded with chalk and shows more than bare plastic.
    return surrounded_by_air(
        [
            Part("plastic", join([plates, *rims]), density=1.6),
            Part("plastic", holes, density=-1.6),
        ]
    )
