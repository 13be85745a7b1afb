"""Hounsfield units -> how much soft tissue and how much cortical bone fills each voxel.

Two-material decomposition in the image domain: below the soft tissues a voxel is thinned soft
tissue (lung, fat), above them a mixture of soft tissue and cortical bone. Before that the table
and the contrast agent are removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ribsight.simulation.ct.grid import Grid
from ribsight.simulation.ct.volume import BREAKABLE, CtVolume

Density = NDArray[np.uint16]
"""[y, z, x] share of the voxel, in units of 1 / `UNIT`."""

UNIT = 16384
SOFT_TISSUE = 50.0
"""Hounsfield units of muscle and of blood without contrast agent (ICRU 44)."""
CORTICAL_BONE = 1600.0
"""Hounsfield units of cortical bone, 1.92 g/cm^3, at a CT's mean energy of about 70 keV."""

_BONES = ("rib_", "clavicle_", "vertebrae_", "sternum", "scapula_", "humerus_", "skull", "sacrum",
          "hip_", "femur_", "costal_cartilages")  # fmt: skip
_BOLUS = 1900
_SHARPENING = 1.5
_SKIN = -300


@dataclass(frozen=True, eq=False)
class Materials:
    """What fills the voxels.

    Attributes:
        soft_tissue: share of soft tissue; lung and fat are less of it.
        bone: share of cortical bone; spongy bone is less of it.
        grid: where the voxels lie.

    """

    soft_tissue: Density
    bone: Density
    grid: Grid


def decompose(volume: CtVolume) -> tuple[Materials, NDArray[np.uint16]]:
    """Return the materials of a CT without table and contrast agent, and its labels.

    Both are cut to the body.
    """
    body = body_mask(volume)
    low, high = _box(body)
    cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    labels = volume.labels[cut]
    bones = _near_bone(labels, volume.numbers(*_BONES))
    values = without_contrast(volume.hounsfield[cut], labels, bones, volume.names)
    values[~body[cut]] = -1000
    dense = np.clip((values - SOFT_TISSUE) / (CORTICAL_BONE - SOFT_TISSUE), 0, 1)
    dense[~bones] = 0
    dense = _sharpened(dense, bones)
    soft = np.clip((values + 1000) / (SOFT_TISSUE + 1000), 0, 1) - dense
    materials = Materials(_packed(soft), _packed(dense), volume.grid.part(low, high))
    return materials, labels


def body_mask(volume: CtVolume) -> NDArray[np.bool_]:
    """Return where the patient is, [y, z, x]: the largest solid thing, its cavities filled."""
    solid = (volume.hounsfield > _SKIN).astype(np.uint8)
    spacing = volume.grid.spacing
    # An opening of 8 mm in the axial plane lets go of the table's thin shell.
    reach = [max(round(4.0 / spacing[axis]), 1) for axis in (1, 0)]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach[1] + 1, 2 * reach[0] + 1))
    opened = np.empty_like(solid)
    for level in range(solid.shape[1]):
        opened[:, level] = _opened_and_filled(solid[:, level], disc)
    coarse = opened[::2, :, ::2]
    parts, count = ndimage.label(coarse)
    if count == 0:
        return np.ones(solid.shape, np.bool_)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    body = np.repeat(np.repeat(largest, 2, axis=0), 2, axis=2)[
        : solid.shape[0], :, : solid.shape[2]
    ]
    grown = ndimage.binary_dilation(body, np.ones((3, 1, 3), np.bool_))
    # The opening rounds off skin folds, no more: what lies deeper was kept.
    result: NDArray[np.bool_] = grown & ((opened > 0) | (solid > 0))
    return result


def without_contrast(
    hounsfield: NDArray[np.int16],
    labels: NDArray[np.uint16],
    bones: NDArray[np.bool_],
    names: Mapping[int, str],
) -> NDArray[np.float32]:
    """Return Hounsfield units with contrast-filled vessels as plain blood.

    Outside bones nothing is denser than blood. Where the bolus in a vein shines into a bone, the
    bone gets its own median.

    Args:
        hounsfield: [y, z, x].
        labels: [y, z, x].
        bones: where a bone may be, [y, z, x].
        names: names of the labels; only breakable bones are mended.

    """
    values = hounsfield.astype(np.float32)
    bolus = ndimage.binary_dilation(hounsfield > _BOLUS, iterations=4)
    mended = values.copy()
    mended[~bones & (values > SOFT_TISSUE)] = SOFT_TISSUE
    if bolus.any():
        mended[bolus & bones] = SOFT_TISSUE
        for number, name in names.items():
            if name in BREAKABLE:
                _mend(mended, values, labels == number, bolus)
    return mended


def _mend(
    mended: NDArray[np.float32],
    values: NDArray[np.float32],
    bone: NDArray[np.bool_],
    bolus: NDArray[np.bool_],
) -> None:
    clean = values[bone & ~bolus]
    if clean.size:
        mended[bone & bolus] = np.median(clean)


def _sharpened(dense: NDArray[np.float32], bones: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return bone with some of the scanner's blur taken back, and as much of it as before.

    A CT slice is thicker than a rib's cortex; without this, ribs have no bright edges.
    """
    smooth = ndimage.gaussian_filter(dense, (1.0, 0.7, 1.0))
    sharp = np.clip(dense + _SHARPENING * (dense - smooth), 0, 1)
    sharp[~bones] = 0
    total = float(sharp.sum(dtype=np.float64))
    gain = float(dense.sum(dtype=np.float64)) / total if total > 0 else 1.0
    result: NDArray[np.float32] = (sharp * np.float32(gain)).astype(np.float32)
    return result


def _near_bone(labels: NDArray[np.uint16], numbers: list[int]) -> NDArray[np.bool_]:
    """Return labelled bone with a rim of two voxels: automatic labels are a little too small."""
    bone = np.isin(labels, numbers).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    for level in range(bone.shape[1]):
        bone[:, level] = cv2.dilate(np.ascontiguousarray(bone[:, level]), disc)
    result: NDArray[np.bool_] = bone > 0
    return result


def _opened_and_filled(plane: NDArray[np.uint8], disc: cv2.typing.MatLike) -> NDArray[np.uint8]:
    opened = cv2.morphologyEx(np.ascontiguousarray(plane), cv2.MORPH_OPEN, disc)
    framed = cv2.copyMakeBorder(opened, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(framed, None, (0, 0), 2)
    filled: NDArray[np.uint8] = (framed[1:-1, 1:-1] != 2).astype(np.uint8)
    return filled


def _box(mask: NDArray[np.bool_]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    found = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    low = [int(f[0]) for f in found]
    high = [int(f[-1]) + 1 for f in found]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _packed(share: NDArray[np.float32]) -> Density:
    return np.round(share * UNIT).astype(np.uint16)
