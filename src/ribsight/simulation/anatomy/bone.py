"""Bones as tubes with a cortex: a centre line, half widths, and what fills them."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.mesh import Mesh, Vertices, join
from ribsight.simulation.solids import frames_along, loft

Numbers = NDArray[np.float64]

AROUND = 14
"""Points of a cross-section."""


@dataclass(frozen=True, eq=False)
class TubularBone:
    """A rib, a clavicle: what breaks.

    Attributes:
        name: "rib_left_7", "clavicle_right".
        centres: (N, 3) mm, from the spine or the sternum outwards.
        thick: (N,) half width along the frame's normal (into the chest wall).
        high: (N,) half width along the frame's binormal (toward the head).
        cortex: (N,) thickness of the cortex, mm.
        twist: (N,) rotation of the cross-section, radians.
        spongiosa: density of what fills it, against normal spongy bone.
        groove: how far the lower edge is drawn out to the thin lip below the costal groove.

    """

    name: str
    centres: Vertices
    thick: Numbers
    high: Numbers
    cortex: Numbers
    twist: Numbers
    spongiosa: float = 1.0
    groove: float = 0.0

    @property
    def stations(self) -> Numbers:
        """(N,) mm along the centre line."""
        steps = np.linalg.norm(np.diff(self.centres, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length(self) -> float:
        """Mm along the centre line."""
        return float(self.stations[-1])

    def at(self, stations: Numbers) -> "TubularBone":
        """Return the bone sampled at other stations (mm along the centre line)."""
        here = self.stations
        along = [np.interp(stations, here, values) for values in
                 (*self.centres.T, self.thick, self.high, self.cortex, self.twist)]  # fmt: skip
        return replace(
            self,
            centres=np.stack(along[:3], axis=1),
            thick=along[3], high=along[4], cortex=along[5], twist=along[6],
        )  # fmt: skip

    def frames(self) -> NDArray[np.float64]:
        """(N, 3, 3) rows tangent, normal (outward), binormal (up), with the twist applied."""
        frames = frames_along(self.centres)
        cos, sin = np.cos(self.twist)[:, None], np.sin(self.twist)[:, None]
        normal, binormal = frames[:, 1], frames[:, 2]
        return np.stack(
            [
                frames[:, 0],
                normal * cos + binormal * sin,
                binormal * cos - normal * sin,
            ],
            axis=1,
        )


def cross_sections(bone: TubularBone, inset: Numbers | float = 0.0) -> NDArray[np.float64]:
    """Return (N, P, 2): coordinates along normal and binormal of the outline, moved inwards.

    Args:
        bone: the tube.
        inset: mm, (N,): 0 gives the outer surface, the cortex's thickness the marrow's.

    """
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    inset = np.broadcast_to(inset, len(bone.thick))
    thick = np.maximum(bone.thick - inset, 0.15)[:, None]
    high = np.maximum(bone.high - inset, 0.15)[:, None]
    lower = np.clip(-np.sin(angle), 0, None) ** 2
    across = thick * np.cos(angle) * (1 - bone.groove * lower)
    return np.stack([across, high * np.broadcast_to(np.sin(angle), across.shape)], axis=-1)


def surface(
    bone: TubularBone,
    sections: NDArray[np.float64],
    along: NDArray[np.float64] | None = None,
    frames: NDArray[np.float64] | None = None,
) -> Mesh:
    """Return the closed surface through cross-sections (N, P, 2).

    Args:
        bone: its centre line.
        sections: coordinates along normal and binormal.
        along: (N, P) mm by which points lie ahead of their cross-section's plane.
        frames: (N, 3, 3), those of the bone if None.

    """
    axes = bone.frames() if frames is None else frames
    rings = (
        bone.centres[:, None]
        + sections[..., :1] * axes[:, None, 1]
        + sections[..., 1:] * axes[:, None, 2]
    )
    if along is not None:
        rings = rings + along[..., None] * axes[:, None, 0]
    return loft(rings)


@dataclass(frozen=True, eq=False)
class BoneSurfaces:
    """What a bone, whole or broken, is made of.

    Attributes:
        outer: outside of the cortex.
        marrow: inside of the cortex.
        callus: new bone around a healing break, lying outside the cortex as well as in it.
        spongiosa: density of the marrow space against normal spongy bone.
        callus_mineral: density of the callus against cortical bone.

    """

    outer: Mesh
    marrow: Mesh
    callus: Mesh = field(default_factory=lambda: join([]))
    spongiosa: float = 1.0
    callus_mineral: float = 0.25


def whole(bone: TubularBone) -> BoneSurfaces:
    """Return the surfaces of an unbroken bone."""
    frames = bone.frames()
    return BoneSurfaces(
        surface(bone, cross_sections(bone), frames=frames),
        surface(bone, cross_sections(bone, bone.cortex), frames=frames),
        spongiosa=bone.spongiosa,
    )
