"""One patient before the machine: anatomy, breaks and devices become films with their truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.anatomy.bone import BoneSurfaces, TubularBone, whole
from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.anatomy.chest import Chest, make_chest
from ribsight.simulation.anatomy.girdle import Arms
from ribsight.simulation.confounders.lengths import confounder_lengths
from ribsight.simulation.confounders.place import confounder_parts
from ribsight.simulation.fractures.broken import BrokenBone, break_bone
from ribsight.simulation.fractures.drawing import VISIBLE, contrast_to_noise, outline_of
from ribsight.simulation.fractures.geometry import Break, draw_break
from ribsight.simulation.projection.camera import Camera, camera_for
from ribsight.simulation.projection.exposure import Exposure, Technique, blurred, expose, primary
from ribsight.simulation.projection.film import (
    bone_lengths,
    combined,
    fixed_bone_lengths,
    soft_lengths,
)
from ribsight.simulation.projection.processing import Processing, Shown, develop
from ribsight.simulation.projection.raster import Lengths
from ribsight.simulation.truth import Confounder, Fracture, FractureOnFilm, View

_QUANTA = 3.5e5
"""Detected quanta per mm^2 in the open field: 2.5 uGy behind the lungs, 3e4 quanta per mm^2 and
uGy, an efficiency between storage phosphor's (0.3) and flat panels' (0.6), and a lung that lets
a tenth pass."""
_NEAR = 6
"""Pixels around a break's outline that are rendered again without it."""


@dataclass(frozen=True, eq=False)
class Position:
    """How a patient stands or lies in the beam.

    Attributes:
        view: the projection.
        camera: the beam.
        technique: the exposure.
        processing: the unit's look.

    """

    view: View
    camera: Camera
    technique: Technique
    processing: Processing


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A patient's breakable bones, with their breaks.

    Attributes:
        bones: all of them, by name.
        breaks: per broken bone, the breaks.
        broken: per broken bone, its surfaces.
        fractures: per broken bone, the fractures in the order of `breaks`.
        seed: of what is irregular about a break, so that it is the same on every film.

    """

    bones: dict[str, TubularBone]
    breaks: dict[str, tuple[Break, ...]]
    broken: dict[str, BrokenBone]
    fractures: dict[str, tuple[Fracture, ...]]
    seed: int

    def surfaces(self, name: str, without: int | None = None) -> BoneSurfaces:
        """Return a bone as it is, or as it would be without one of its breaks."""
        if name not in self.breaks:
            return whole(self.bones[name])
        if without is None:
            return self.broken[name].surfaces
        rest = tuple(b for k, b in enumerate(self.breaks[name]) if k != without)
        if not rest:
            return whole(self.bones[name])
        return break_bone(self.bones[name], rest, self.seed).surfaces


def break_skeleton(chest: Chest, fractures: tuple[Fracture, ...], seed: int) -> Skeleton:
    """Return the chest's breakable bones with these fractures."""
    bones = {bone.name: bone for bone in chest.breakable}
    by_bone: dict[str, list[Fracture]] = {}
    for fracture in fractures:
        by_bone.setdefault(fracture.bone, []).append(fracture)
    breaks = {
        name: tuple(
            draw_break(
                one, bones[name].length, np.random.default_rng([seed, int(one.name.lstrip("f"))])
            )
            for one in found
        )
        for name, found in by_bone.items()
    }
    broken = {name: break_bone(bones[name], found, seed) for name, found in breaks.items()}
    return Skeleton(bones, breaks, broken, {k: tuple(v) for k, v in by_bone.items()}, seed)


def draw_position(view: View, chest: Chest, size: int, random: np.random.Generator) -> Position:
    """Draw camera, exposure and processing of one film."""
    cage = np.concatenate([rib.bone.centres for rib in chest.ribs])
    low, high = cage.min(axis=0), cage.max(axis=0)
    supine = view is View.AP_SUPINE
    # The apices and the shoulders belong on the film; the floating ribs need not.
    target = (low + high) / 2 + [random.normal(0, 5), 0, random.normal(22, 9)]
    camera = camera_for(
        view,
        target=target,
        detector_gap=float((high[1] - low[1]) / 2 + 45 + random.uniform(0, 20)),
        field=float(np.clip((high - low)[[0, 2]].max() * random.uniform(1.14, 1.3), 330, 470)),
        size=size,
        rotation=float(random.normal(0, 5 if supine else 2.5)),
        tilt=float(random.normal(4 if supine else 0, 5 if supine else 2)),
        roll=float(random.normal(0, 3 if supine else 1.2)),
    )
    return Position(view, camera, draw_technique(view, random), draw_processing(random))


def draw_processing(random: np.random.Generator) -> Processing:
    """Draw the look of a unit."""
    return Processing(
        enhancement=float(random.uniform(0.62, 0.85)),
        latitude=float(random.uniform(0.65, 0.9)),
        low=float(random.uniform(0.5, 2.0)),
        high=float(random.uniform(99.3, 99.9)),
        gamma=float(random.lognormal(0, 0.12)),
    )


def draw_technique(view: View, random: np.random.Generator) -> Technique:
    """Draw tube, grid and detector of one film."""
    dose = float(random.lognormal(0, 0.3))
    match view:
        case View.AP_SUPINE:
            volts, scatter = (85 if random.random() < 0.6 else 100), 0.7
        case View.OBLIQUE_LEFT | View.OBLIQUE_RIGHT:
            volts, scatter = (70 if random.random() < 0.6 else 85), 0.4
        case _:
            volts, scatter = 120, 0.35
    return Technique(volts, _QUANTA * dose, scatter * float(random.uniform(0.8, 1.2)),
                     blur=float(random.uniform(0.14, 0.26)))  # fmt: skip


def take_film(
    chest: Chest,
    skeleton: Skeleton,
    confounders: tuple[Confounder, ...],
    position: Position,
    noise: np.random.Generator,
    devices: np.random.Generator,
) -> tuple[Shown, tuple[FractureOnFilm, ...]]:
    """Return a film as it is shown, (size, size) in [0, 1], and the fractures on it.

    Args:
        chest: held as this view holds it.
        skeleton: its bones.
        confounders: what else is on the film.
        position: beam, exposure, look.
        noise: source of the quantum noise.
        devices: source of where things lie; generators of one seed for all films of a patient.

    """
    camera = position.camera
    fractures = tuple(f for found in skeleton.fractures.values() for f in found)
    parts = confounder_parts(confounders, chest, fractures, position.view, devices)
    lengths = combined(
        [
            soft_lengths(chest, camera),
            fixed_bone_lengths(chest, camera),
            bone_lengths([skeleton.surfaces(name) for name in skeleton.bones], camera),
            confounder_lengths(parts, camera),
        ]
    )
    exposure = expose(lengths, camera.pixel_spacing, position.technique, noise)
    found = [
        seen
        for name in skeleton.breaks
        for number in range(len(skeleton.breaks[name]))
        if (seen := _seen(skeleton, name, number, lengths, exposure, position)) is not None
    ]
    found.sort(key=lambda one: int(one.fracture.lstrip("f")))
    return develop(exposure.signal, position.processing), tuple(found)


def _seen(
    skeleton: Skeleton,
    name: str,
    number: int,
    lengths: dict[str, Lengths],
    exposure: Exposure,
    position: Position,
) -> FractureOnFilm | None:
    """Return how a film shows one break, None when it lies outside the field."""
    camera = position.camera
    outline = outline_of(skeleton.broken[name].zones[number], camera)
    if not outline:
        return None
    corners = np.asarray(outline)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - _NEAR, 0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + _NEAR
    right, bottom = min(right, camera.width), min(bottom, camera.height)
    near = camera.cropped(int(left), int(top), int(right), int(bottom))
    with_break = bone_lengths([skeleton.surfaces(name)], near)
    without = bone_lengths([skeleton.surfaces(name, number)], near)
    broken = {k: v[top:bottom, left:right] for k, v in lengths.items()}
    intact = _exchanged(broken, with_break, without)
    kilovolts = position.technique.kilovolts
    sigma = position.technique.blur / camera.pixel_spacing
    ratio = contrast_to_noise(
        blurred(primary(broken, kilovolts), sigma),
        blurred(primary(intact, kilovolts), sigma),
        exposure,
        outline,
        (int(left), int(top)),
    )
    fracture = skeleton.fractures[name][number].name
    return FractureOnFilm(fracture, outline, ratio, visible=ratio >= VISIBLE)


def _exchanged(
    lengths: dict[str, NDArray[np.float32]],
    out: dict[str, NDArray[np.float32]],
    into: dict[str, NDArray[np.float32]],
) -> dict[str, NDArray[np.float32]]:
    """Return lengths with one bone taken out and another put in; soft tissue makes room."""
    changed = dict(lengths)
    hard = np.zeros_like(changed["soft_tissue"])
    for material in out:
        difference = into[material] - out[material]
        changed[material] = np.maximum(changed[material] + difference, 0)
        hard += difference
    changed["soft_tissue"] = np.maximum(changed["soft_tissue"] - hard, 0)
    return changed


def chest_for(build: Build, view: View, seed: list[int], arms: Arms) -> Chest:
    """Return the patient's chest as a view holds it; the same seed gives the same bones."""
    random = np.random.default_rng(seed)
    return make_chest(build, arms, random, supine=view is View.AP_SUPINE)
