"""Patients from a CT in front of the machine, with their truth; the CT's counterpart of `exam`.

scan = load_scan(volume, labels, names)              # once per process: some ten seconds
patient = draw_patient(scan, Variation(), random)    # another body from the same scan
breaks = break_patient(patient, fractures, seed)
film = film_from_ct(patient, breaks, camera, technique, noise)
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.ct.breaks import Difference, break_difference
from ribsight.simulation.ct.centrelines import Centreline, centrelines
from ribsight.simulation.ct.deform import Deformation, Variation, deform, draw_deformation
from ribsight.simulation.ct.materials import UNIT, Materials, decompose
from ribsight.simulation.ct.membership import Membership
from ribsight.simulation.ct.project import project
from ribsight.simulation.ct.volume import CtVolume, read_ct
from ribsight.simulation.fractures.drawing import MARGIN, VISIBLE, contrast_to_noise
from ribsight.simulation.fractures.geometry import draw_break
from ribsight.simulation.projection.camera import Camera, camera_for
from ribsight.simulation.projection.exposure import (
    Exposure,
    Signal,
    Technique,
    blurred,
    expose,
    primary,
)
from ribsight.simulation.projection.raster import Lengths
from ribsight.simulation.truth import Fracture, FractureOnFilm, Point, View

_FINE = 2
"""Differences are projected on a grid this many times finer than the film."""
_NEAR = 6
_CHANGED = 0.2
"""Share of the largest change that counts as part of a break: less is the bend fading away."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT ready to be made into patients.

    Attributes:
        materials: table and contrast agent removed.
        labels: [y, z, x] of the same grid.
        numbers: label of each bone.
        bones: centre line of each bone that can break.
        unusable: why the other bones cannot.

    """

    materials: Materials
    labels: NDArray[np.uint16]
    numbers: dict[str, int]
    bones: dict[str, Centreline]
    unusable: dict[str, str]


@dataclass(frozen=True, eq=False)
class CtPatient:
    """A patient made from a scan.

    Attributes:
        scan: the scan.
        deformation: from the patient to the scan.
        materials: the patient's, unbroken.
        bones: centre lines in the patient, by the bone's name in the patient.

    """

    scan: Scan
    deformation: Deformation
    materials: Materials
    bones: dict[str, Centreline]


@dataclass(frozen=True, eq=False)
class CtFilm:
    """A film of a CT patient.

    Attributes:
        lengths: mm of "soft_tissue" and "cortical_bone", with all breaks, (H, W) each.
        without: per fracture's name, the same without that break.
        exposure: the film with all breaks, before processing.
        fractures: those inside the field.

    """

    lengths: dict[str, Lengths]
    without: dict[str, dict[str, Lengths]]
    exposure: Exposure
    fractures: tuple[FractureOnFilm, ...]


def load_scan(volume: Path, labels: Path, names: Path | None = None) -> Scan:
    """Read and prepare a CT.

    Raises:
        RibsightError: see `read_ct`.

    """
    return prepare(read_ct(volume, labels, names))


def prepare(volume: CtVolume) -> Scan:
    """Return a CT with its materials and centre lines."""
    materials, labels = decompose(volume)
    bones, unusable = centrelines(labels, materials.grid, dict(volume.names))
    numbers = {name: number for number, name in volume.names.items()}
    return Scan(materials, labels, numbers, bones, unusable)


def draw_patient(scan: Scan, variation: Variation, random: np.random.Generator) -> CtPatient:
    """Draw another patient from a scan."""
    return patient_of(scan, draw_deformation(scan.materials.grid, variation, random))


def patient_of(scan: Scan, deformation: Deformation) -> CtPatient:
    """Return the patient that a deformation makes of a scan."""
    bones = {}
    for line in scan.bones.values():
        name = deformation.name(line.name)
        bones[name] = Centreline(name, deformation.from_source(line.centres), line.radius)
    return CtPatient(scan, deformation, deform(scan.materials, deformation), bones)


def break_patient(
    patient: CtPatient, fractures: tuple[Fracture, ...], seed: int
) -> dict[str, Difference]:
    """Return what each fracture changes, by its name.

    Fractures of bones that the scan does not hold (`Scan.unusable`) are left out: drop them from
    the truth, or draw again.
    """
    found = {}
    for fracture in fractures:
        line = patient.bones.get(fracture.bone)
        if line is None:
            continue
        random = np.random.default_rng([seed, int(fracture.name.lstrip("f"))])
        one = draw_break(fracture, line.length, random)
        number = patient.scan.numbers[patient.deformation.name(line.name)]
        scan = patient.scan
        member = Membership(scan.labels, scan.materials.grid, number, patient.deformation)
        room = _room(fracture, fractures, line.length)
        found[fracture.name] = break_difference(patient.materials, member, line, one, random, room)
    return found


def camera_on(
    patient: CtPatient, view: View, size: int, *, rotation: float = 0.0, tilt: float = 0.0,
    roll: float = 0.0, fill: float = 0.97,
) -> Camera:  # fmt: skip
    """Return a camera whose field is what the scan holds: chests in CT are cut off above.

    Args:
        patient: whom to look at.
        view: the projection.
        size: pixels of a side.
        rotation: degrees, as for `camera_for`.
        tilt: degrees, as for `camera_for`.
        roll: degrees, as for `camera_for`.
        fill: share of the scan's height that is shown.

    """
    grid = patient.materials.grid
    _, y, z = grid.axes()
    target = np.array([0.0, (y[0] + y[-1]) / 2, (z[0] + z[-1]) / 2])
    gap = float((y[-1] - y[0]) / 2 + 30)
    distance = 1100.0 if view is View.AP_SUPINE else 1800.0
    field = float((z[-1] - z[0]) * fill * distance / (distance - gap))
    return camera_for(view, target=target, detector_gap=gap, field=field, size=size,
                      rotation=rotation, tilt=tilt, roll=roll)  # fmt: skip


def film_from_ct(
    patient: CtPatient,
    breaks: dict[str, Difference],
    camera: Camera,
    technique: Technique,
    noise: np.random.Generator,
) -> CtFilm:
    """Expose a patient with breaks.

    Args:
        patient: unbroken.
        breaks: see `break_patient`.
        camera: beam and film.
        technique: tube, grid, detector.
        noise: source of the quantum noise.

    """
    materials = patient.materials
    intact = {
        "soft_tissue": project(materials.soft_tissue, materials.grid, camera, UNIT),
        "cortical_bone": project(materials.bone, materials.grid, camera, UNIT),
    }
    changes = {name: projected(one, camera) for name, one in breaks.items()}
    lengths = _changed(intact, list(changes.values()))
    without = {
        name: _changed(intact, [c for other, c in changes.items() if other != name])
        for name in changes
    }
    exposure = expose(lengths, camera.pixel_spacing, technique, noise)
    seen = [
        _seen(name, breaks[name], lengths, without[name], exposure, camera, technique)
        for name in breaks
    ]
    return CtFilm(lengths, without, exposure, tuple(one for one in seen if one is not None))


def projected(one: Difference, camera: Camera) -> Lengths:
    """Return the bone a break adds (positive) or takes along each ray, (H, W) mm."""
    total = np.zeros((camera.height, camera.width), np.float32)
    corners = one.grid.points(np.array(np.meshgrid(*([0, n - 1] for n in one.grid.shape)))
                              .reshape(3, -1).T)  # fmt: skip
    pixels, _ = camera.project(corners)
    left, top = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int) + 2
    right, bottom = min(right, camera.width), min(bottom, camera.height)
    if right <= left or bottom <= top:
        return total
    near = camera.cropped(int(left), int(top), int(right), int(bottom))
    fine = project(one.bone, one.grid, near.at(_FINE))
    blocks = fine.reshape(near.height, _FINE, near.width, _FINE)
    total[top:bottom, left:right] = blocks.mean(axis=(1, 3))
    return total


def _room(fracture: Fracture, fractures: tuple[Fracture, ...], length: float) -> float:
    """Return mm to the middle between a fracture and the next one of the same bone."""
    apart = [abs(other.position - fracture.position) * length / 2 for other in fractures
             if other.name != fracture.name and other.bone == fracture.bone]  # fmt: skip
    return max(min(apart, default=np.inf), 8.0)


def _changed(intact: dict[str, Lengths], changes: list[Lengths]) -> dict[str, Lengths]:
    """Return lengths with more or less bone; soft tissue makes room."""
    more = sum(changes, start=np.zeros_like(intact["cortical_bone"]))
    return {
        "soft_tissue": np.maximum(intact["soft_tissue"] - more, 0),
        "cortical_bone": np.maximum(intact["cortical_bone"] + more, 0),
    }


def _seen(
    name: str,
    one: Difference,
    lengths: dict[str, Lengths],
    without: dict[str, Lengths],
    exposure: Exposure,
    camera: Camera,
    technique: Technique,
) -> FractureOnFilm | None:
    """Return how a film shows one break, None when it lies outside the field."""
    change = lengths["cortical_bone"] - without["cortical_bone"]
    outline = _outline(np.abs(change), one, camera)
    if not outline:
        return None
    corners = np.asarray(outline)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - _NEAR, 0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + _NEAR
    part = (slice(int(top), int(bottom)), slice(int(left), int(right)))
    sigma = technique.blur / camera.pixel_spacing
    broken, intact = (
        blurred(_primary_of(which, part, technique), sigma) for which in (lengths, without)
    )
    ratio = contrast_to_noise(broken, intact, exposure, outline, (int(left), int(top)))
    return FractureOnFilm(name, outline, ratio, visible=ratio >= VISIBLE)


def _outline(change: Lengths, one: Difference, camera: Camera) -> tuple[Point, ...]:
    """Return the convex outline of the changed pixels with a margin; empty outside the field.

    Args:
        change: (H, W) mm of bone that came or went.
        one: the break.
        camera: the film's.

    """
    x, y = camera.project(one.middle[None])[0][0]
    if not (0 < x < camera.width and 0 < y < camera.height) or change.max() <= 0:
        return ()
    rows, columns = np.nonzero(change >= _CHANGED * change.max())
    pixels = np.stack([columns, rows], axis=1) + 0.5
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    reach = MARGIN / camera.pixel_spacing + 0.5
    disc = reach * np.stack([np.cos(around), np.sin(around)], axis=1)
    hull = cv2.convexHull((pixels[:, None] + disc).reshape(-1, 2).astype(np.float32))[:, 0]
    inside = hull.clip(0, [camera.width, camera.height])
    return tuple((float(a), float(b)) for a, b in inside)


def _primary_of(
    lengths: dict[str, Lengths], part: tuple[slice, slice], technique: Technique
) -> Signal:
    near = {name: np.ascontiguousarray(values[part]) for name, values in lengths.items()}
    return primary(near, technique.kilovolts)
