"""Costal cartilage: from the ribs' ends to the sternum, calcified in patches with age."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import Side
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.girdle import Sternum
from ribsight.simulation.anatomy.ribs import Rib
from ribsight.simulation.mesh import Mesh, copies, join
from ribsight.simulation.solids import ellipsoid, frames_along, tube

Points = NDArray[np.float64]


def with_cartilage(ribs: tuple[Rib, ...], sternum: Sternum) -> tuple[Rib, ...]:
    """Return the ribs with the centre lines of their cartilages."""
    top, angle, middle, low, _ = sternum.line
    seats = {1: 0.65 * top + 0.35 * angle, 2: angle, 3: 0.65 * angle + 0.35 * middle,
             4: 0.3 * angle + 0.7 * middle, 5: 0.7 * middle + 0.3 * low,
             6: 0.3 * middle + 0.7 * low, 7: low}  # fmt: skip
    done: dict[tuple[Side, int], Rib] = {}
    for rib in ribs:
        sign = 1.0 if rib.side is Side.LEFT else -1.0
        end = rib.bone.centres[-1]
        if rib.number <= 7:
            seat = seats[rib.number] + [sign * 16, 0, 0]
        elif rib.number <= 10:
            # False ribs lean on the cartilage above.
            above = done[rib.side, rib.number - 1].cartilage
            seat = above[len(above) // 2]
        else:
            done[rib.side, rib.number] = rib
            continue
        sag = (
            np.array([0, -4, -0.22 * np.linalg.norm(seat - end)]) if rib.number > 3 else [0, -3, 0]
        )
        share = np.linspace(0, 1, 14)[:, None]
        line = (1 - share) * end + share * seat + 4 * share * (1 - share) * sag
        done[rib.side, rib.number] = replace(rib, cartilage=line)
    return tuple(done[r.side, r.number] for r in ribs)


def cartilage_meshes(ribs: tuple[Rib, ...]) -> list[Mesh]:
    """Return the surfaces of all costal cartilages."""
    found = []
    for rib in ribs:
        if len(rib.cartilage) == 0:
            continue
        line = rib.cartilage[:12] if rib.number > 7 else rib.cartilage
        share = np.linspace(0, 1, len(line))
        thick, high = rib.bone.thick[-1], rib.bone.high[-1]
        taper = 1.05 - (0.55 if rib.number > 7 else 0.2) * share
        found.append(tube(line, thick * taper, high * taper, around=10, round_ends=True))
    return found


def calcifications(ribs: tuple[Rib, ...], build: Build, random: np.random.Generator) -> Mesh:
    """Return calcified patches: along the edges in men, in the middle in women.

    The pattern by sex is that of Navani et al., Radiology 1970; the first cartilage calcifies
    earliest and most.
    """
    matrices, shifts = [], []
    for rib in ribs:
        if len(rib.cartilage) == 0:
            continue
        share = build.calcified_cartilage * (1.0 if rib.number > 1 else 2.2)
        share = float(np.clip(share * random.uniform(0.4, 1.6), 0, 1))
        length = float(np.linalg.norm(np.diff(rib.cartilage, axis=0), axis=1).sum())
        count = random.poisson(share * length * 0.9)
        if count == 0:
            continue
        frames = frames_along(rib.cartilage)
        # It begins at the rib's end.
        place = np.clip(random.beta(0.8, 1.6, count), 0, 0.97) * (len(rib.cartilage) - 1)
        near = place.astype(int)
        centre = np.stack(
            [np.interp(place, np.arange(len(rib.cartilage)), c) for c in rib.cartilage.T],
            axis=1,
        )
        edge = random.choice([-1.0, 1.0], count) * random.uniform(0.7, 0.95, count)
        offset = edge if build.sex == "male" else random.normal(0, 0.35, count)
        centre += (offset * rib.bone.high[-1])[:, None] * frames[near, 2]
        size = random.lognormal(0, 0.35, (count, 3)) * [3.6, 1.9, 1.5]
        matrices.append(np.einsum("nij,ni->nji", frames[near], size))
        shifts.append(centre)
    if not shifts:
        return join([])
    grain = ellipsoid((0, 0, 0), (1, 1, 1), rings=5, around=8)
    return copies(grain, np.concatenate(matrices), np.concatenate(shifts))
