"""Plates and screws over fixed fractures, following their bone."""

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import TubularBone
from ribsight.simulation.confounders.landmarks import SIDES, outward, rib_of
from ribsight.simulation.confounders.part import Part, Setting
from ribsight.simulation.confounders.shapes import axes_from, copies, pin, stations
from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.solids import loft
from ribsight.simulation.truth import CLAVICLE_FRACTURE, RIB_FRACTURE

Points = NDArray[np.float64]


def clavicle_plates(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a contoured plate of 3 mm over each fixed clavicle, above or before the bone."""
    parts: list[Part] = []
    for one in setting.fractures:
        if not one.fixed or one.finding != CLAVICLE_FRACTURE:
            continue
        bone = setting.chest.clavicles[SIDES.index(one.side)]
        above = random.random() < 0.6
        toward = np.array([0.0, -0.25, 1.0]) if above else np.array([0.0, -1.0, 0.25])
        metal = "titanium" if random.random() < 0.5 else "steel"
        length = float(random.uniform(82, 112))
        parts += _plate(bone, one.position, toward, metal, length,
                        width=10.0, thickness=3.0, screw=1.7, pitch=12.0, through=1.05)  # fmt: skip
    return parts


def rib_plates(setting: Setting, random: np.random.Generator) -> list[Part]:
    """Return a thin titanium plate over each fixed fracture of a rib, on its outside."""
    parts: list[Part] = []
    for one in setting.fractures:
        if not one.fixed or one.finding != RIB_FRACTURE or one.rib is None:
            continue
        bone = rib_of(setting.chest, one.side, one.rib).bone
        length = float(random.uniform(70, 110))
        parts += _plate(bone, one.position, outward(setting.chest, bone), "titanium", length,
                        width=8.0, thickness=1.5, screw=1.4, pitch=9.0, through=0.95)  # fmt: skip
    return parts


def plate_centre(bone: TubularBone, position: float) -> Points:
    """Return where a fracture is on a bone's centre line, (3,) mm."""
    place = bone.stations
    return np.array([np.interp(position * place[-1], place, c) for c in bone.centres.T])


def _plate(
    bone: TubularBone, position: float, toward: Points, metal: str, length: float, *,
    width: float, thickness: float, screw: float, pitch: float, through: float,
) -> list[Part]:  # fmt: skip
    """Return a plate on one side of a bone, with its screws and empty holes.

    Args:
        bone: what it lies on.
        position: share of the bone's length where the fracture is.
        toward: (3,) or (N, 3), the side on which the plate lies.
        metal: of plate and screws.
        length: mm along the bone.
        width: mm across.
        thickness: mm.
        screw: radius of the screws, mm.
        pitch: mm from hole to hole.
        through: how deep screws go, as a share of the bone's thickness there.

    """
    place, axis, out, lift, deep = _course(bone, position, toward, length)
    across = np.cross(axis, out)
    centre = place + out * (lift + thickness / 2)[:, None]
    parts = [Part(metal, _strip(centre, across, out, width, thickness))]
    along = stations(centre)
    holes = np.arange(pitch / 2, along[-1] - pitch / 3, pitch)
    fracture = plate_centre(bone, position)
    rows = np.abs(along[None] - holes[:, None]).argmin(axis=1)
    # The screws nearest to the fracture are left out.
    order = np.argsort(np.linalg.norm(place[rows] - fracture, axis=1))
    empty, held = rows[order[:2]], rows[order[2:]]
    parts.append(
        Part(metal, copies(pin(12), axes_from(-out[empty], 0.96 * thickness, 0.24 * width),
                           centre[empty] + out[empty] * 0.48 * thickness), density=-1.0)
    )  # fmt: skip
    depth = 2 * deep[held] * through
    shafts = copies(
        pin(8), axes_from(-out[held], depth, screw), place[held] + out[held] * lift[held, None]
    )
    heads = copies(pin(10), axes_from(out[held], 0.8, 1.7 * screw),
                   centre[held] + out[held] * thickness / 2)  # fmt: skip
    parts.append(Part(metal, join([shafts, heads])))
    return parts


def _course(
    bone: TubularBone, position: float, toward: Points, length: float
) -> tuple[Points, Points, Points, Points, Points]:
    """Return along the plate: bone's centre, its tangent, the plate's side, lift, half thickness.

    The plate is centred on the fracture as far as the bone is long enough.
    """
    total = bone.length
    length = min(length, 0.9 * total)
    middle = float(np.clip(position * total, length / 2 + 2, total - length / 2 - 2))
    wanted = np.linspace(middle - length / 2, middle + length / 2, max(int(length / 3), 8))
    sampled = bone.at(wanted)
    guide = np.broadcast_to(np.asarray(toward, dtype=np.float64), bone.centres.shape)
    out = np.stack([np.interp(wanted, bone.stations, c) for c in guide.T], axis=1)
    tangent = np.gradient(sampled.centres, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    out -= np.einsum("ij,ij->i", out, tangent)[:, None] * tangent
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    frames = sampled.frames()
    normal = np.einsum("ij,ij->i", out, frames[:, 1])
    upward = np.einsum("ij,ij->i", out, frames[:, 2])
    # How far an ellipse reaches in that direction.
    lift = np.hypot(sampled.thick * normal, sampled.high * upward)
    return sampled.centres, tangent, out, lift, lift


def _strip(centre: Points, across: Points, out: Points, width: float, thickness: float) -> Mesh:
    """Return a flat strip with rounded ends along a curve."""
    count = len(centre)
    share = np.linspace(-1, 1, count)
    half = (
        width / 2 * np.sqrt(np.clip(1 - np.clip((np.abs(share) - 0.93) / 0.075, 0, 1) ** 2, 0.1, 1))
    )
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    rings = (
        centre[:, None]
        + half[:, None, None] * corners[None, :, :1] * across[:, None]
        + thickness / 2 * corners[None, :, 1:] * out[:, None]
    )
    mesh = loft(rings)
    return mesh if mesh.volume() > 0 else Mesh(mesh.vertices, mesh.triangles[:, ::-1])
