"""A chest and a camera -> mm of each material along the ray of every pixel."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import BoneSurfaces
from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.mesh import join
from ribsight.simulation.projection.camera import Camera
from ribsight.simulation.projection.raster import (
    Lengths,
    path_length,
    ray_lengths,
    spans,
    weighted_lengths,
)

FINE = 2
"""Bones and vessels are scanned on a grid this many times finer: their edges are thin."""

_LUNG_DENSITY = 0.24
_STERNUM_SHELL = 0.7
"""mm of cortex."""
_CALCIFIED = np.float32(0.45)
"""Mineral of a calcified patch of cartilage against cortical bone."""


def soft_lengths(chest: Chest, camera: Camera) -> dict[str, Lengths]:
    """Return soft tissue and fat of a chest without its bones, (H, W) mm each."""
    soft = chest.soft
    rays = ray_lengths(camera)
    arms = [spans(one, camera) for one in soft.arms]
    wall = _united([spans(soft.muscle_wall, camera), *arms]) * rays
    skin = _united([spans(soft.body, camera), *arms]) * rays
    breast = path_length(join(chest.breasts), camera)
    cavities = [spans(one, camera) for one in soft.cavities]
    solids = [spans(one, camera) for one in soft.solids]
    lung = lung_lengths(cavities, solids) * rays
    gas = path_length(join(soft.gas), camera)
    # Vessels are drawn through the whole cavity: where heart or liver fill it, fewer show.
    cavity = sum(np.maximum(leaves - enters, 0) for enters, leaves in cavities)
    free = lung / np.maximum(cavity * rays, np.float32(1.0))
    vessels = path_length(join(chest.vessels), camera, FINE) * free**2
    density = _LUNG_DENSITY + 0.10 * (1 - chest.build.inspiration)
    air = lung * np.float32(1 - density)
    air = np.maximum(air - np.minimum(vessels, lung), 0)
    blurred = cv2.GaussianBlur(air + np.minimum(gas, wall), (0, 0), 0.6)
    inner = path_length(join(soft.inner_fat), camera)
    fat = np.maximum(skin - wall, 0) + breast * np.float32(0.7) + inner
    bulk = path_length(join(soft.muscles), camera)
    bulk = np.minimum(bulk, np.float32(0.2) * wall)
    return {
        "soft_tissue": np.maximum(wall + bulk - blurred - inner, 0) + breast * np.float32(0.3),
        "fat": cv2.GaussianBlur(fat, (0, 0), 1.0).astype(np.float32),
    }


def fixed_bone_lengths(chest: Chest, camera: Camera) -> dict[str, Lengths]:
    """Return cortex, spongy bone and cartilage of everything that does not break."""
    breastbone = BoneSurfaces(
        chest.sternum.mesh, chest.sternum.mesh.shrunk(_STERNUM_SHELL * chest.build.cortex),
        spongiosa=0.7 * chest.build.mineral,
    )  # fmt: skip
    bones = (*chest.bodies, *chest.arches, *chest.shoulders, breastbone)
    lengths = bone_lengths(bones, camera)
    mineral = _CALCIFIED * path_length(chest.calcifications, camera)
    lengths["cortical_bone"] += mineral
    gristle = path_length(join(chest.cartilages), camera)
    lengths["cartilage"] = np.maximum(gristle - mineral, 0)
    return lengths


def bone_lengths(bones: Sequence[BoneSurfaces], camera: Camera) -> dict[str, Lengths]:
    """Return cortex and spongy bone of tubular bones, whole or broken, (H, W) mm."""
    # In one scan: cortex is the outside less the marrow, and spongy bone fills the marrow.
    parts = [(join([one.outer for one in bones]), (1.0, 0.0))]
    for density in sorted({one.spongiosa for one in bones}):
        same = join([one.marrow for one in bones if one.spongiosa == density])
        parts.append((same, (-1.0, density)))
    parts += [(one.callus, (one.callus_mineral, 0.0)) for one in bones]
    cortex, spongy = weighted_lengths(parts, camera, FINE)
    return {"cortical_bone": np.maximum(cortex, 0), "spongiosa": np.maximum(spongy, 0)}


def combined(parts: Sequence[Mapping[str, Lengths]]) -> dict[str, Lengths]:
    """Return the sum of parts; what is bone or metal is not soft tissue.

    A part that has soft tissue has already given way to its own bones: combining what is combined
    with more is combining everything at once.
    """
    total: dict[str, Lengths] = {}
    for part in parts:
        for name, lengths in part.items():
            total[name] = total[name] + lengths if name in total else lengths
    new = [part for part in parts if "soft_tissue" not in part]
    hard = [v for part in new for name, v in part.items() if name != "fat"]
    if hard:
        total["soft_tissue"] = np.maximum(total["soft_tissue"] - np.sum(hard, axis=0), 0)
    return total


def lung_lengths(
    cavities: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    solids: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> NDArray[np.float32]:
    """Return how much of each ray's way through the cavities no solid fills.

    Args:
        cavities: `spans` of each cavity, (H, W) each.
        solids: `spans` of each solid.

    Returns:
        (H, W) shares of the way from the source to the detector's plane.

    """
    stack_in = np.stack([s[0] for s in solids], axis=-1)
    stack_out = np.stack([s[1] for s in solids], axis=-1)
    total = np.zeros(cavities[0][0].shape, np.float32)
    for enters, leaves in cavities:
        _free_length(total, enters, leaves, stack_in, stack_out)
    return total


def _united(
    parts: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> NDArray[np.float32]:
    """Return the length of the first span and of what the others have beside it."""
    enters, leaves = parts[0]
    total: NDArray[np.float32] = np.maximum(leaves - enters, 0)
    for begin, end in parts[1:]:
        own = np.maximum(end - begin, 0)
        total += own - np.clip(np.minimum(end, leaves) - np.maximum(begin, enters), 0, own)
    return total


@njit(cache=True, nogil=True)
def _free_length(total, enters, leaves, solid_in, solid_out):  # type: ignore[no-untyped-def]
    height, width, count = solid_in.shape
    begin = np.empty(count, np.float32)
    end = np.empty(count, np.float32)
    for row in range(height):
        for column in range(width):
            low, high = enters[row, column], leaves[row, column]
            if low >= high:
                continue
            found = 0
            for k in range(count):
                a = max(solid_in[row, column, k], low)
                b = min(solid_out[row, column, k], high)
                if a < b:
                    place = found
                    while place > 0 and begin[place - 1] > a:
                        begin[place] = begin[place - 1]
                        end[place] = end[place - 1]
                        place -= 1
                    begin[place] = a
                    end[place] = b
                    found += 1
            free = high - low
            reached = low
            for k in range(found):
                a = max(begin[k], reached)
                if end[k] > a:
                    free -= end[k] - a
                    reached = end[k]
            total[row, column] += free
