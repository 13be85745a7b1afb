"""A CT volume and its label map: read, checked, and brought into patient coordinates."""

import csv
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.simulation.ct.grid import Grid

if TYPE_CHECKING:
    import nibabel

SIDES = ("left", "right")
BREAKABLE = tuple(f"rib_{side}_{number}" for side in SIDES for number in range(1, 13)) + tuple(
    f"clavicle_{side}" for side in SIDES
)
"""Names of the bones that can break."""

_VERTEBRAE = [f"vertebrae_L{n}" for n in range(5, 0, -1)] + [
    f"vertebrae_T{n}" for n in range(12, 0, -1)
] + [f"vertebrae_C{n}" for n in range(7, 0, -1)]  # fmt: skip

# Class numbers of TotalSegmentator's task "total", version 2 (Wasserthal et al., Radiol Artif
# Intell 2023); only what the simulation asks for.
TOTAL_SEGMENTATOR: dict[int, str] = {
    25: "sacrum", 26: "vertebrae_S1",
    **{27 + k: name for k, name in enumerate(_VERTEBRAE)},
    69: "humerus_left", 70: "humerus_right", 71: "scapula_left", 72: "scapula_right",
    73: "clavicula_left", 74: "clavicula_right", 75: "femur_left", 76: "femur_right",
    77: "hip_left", 78: "hip_right", 91: "skull",
    **{92 + k: f"rib_left_{k + 1}" for k in range(12)},
    **{104 + k: f"rib_right_{k + 1}" for k in range(12)},
    116: "sternum", 117: "costal_cartilages",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CtVolume:
    """A CT and its label map.

    Attributes:
        hounsfield: [y, z, x] int16.
        labels: [y, z, x], 0 is nothing.
        grid: where the voxels lie; origin in the middle of the seventh thoracic vertebra.
        names: name of each label; clavicles are "clavicle_left" and "clavicle_right".

    """

    hounsfield: NDArray[np.int16]
    labels: NDArray[np.uint16]
    grid: Grid
    names: Mapping[int, str]

    def numbers(self, *beginnings: str) -> list[int]:
        """Return the labels whose names begin with any of `beginnings`."""
        return [number for number, name in self.names.items() if name.startswith(beginnings)]


def read_ct(volume: Path, labels: Path, names: Path | None = None) -> CtVolume:
    """Return a CT with its label map.

    Args:
        volume: NIfTI file in Hounsfield units.
        labels: NIfTI label map of the same shape and affine.
        names: CSV with columns `id` and `structure`; TotalSegmentator's numbers if None.

    Raises:
        RibsightError: nibabel is missing, a file cannot be read, the two do not lie on the same
            voxels, the scan is tilted, or no rib and no clavicle is labelled.

    """
    image, mask = _load(volume), _load(labels)
    if image.shape != mask.shape or not np.allclose(image.affine, mask.affine, atol=1e-2):
        raise RibsightError(
            f"{labels} does not lie on the voxels of {volume} (shapes {mask.shape} and "
            f"{image.shape}): resample the label map to the volume"
        )
    if len(image.shape) != 3:
        raise RibsightError(f"{volume} has {len(image.shape)} dimensions; a CT has three")
    hounsfield, affine = _upright(volume, image)
    marked, _ = _upright(labels, mask)
    known = TOTAL_SEGMENTATOR if names is None else read_names(names)
    spacing = np.abs(np.diag(affine)[:3])
    # nibabel's x and y point to the right and forward; ours to the left and back.
    hounsfield, marked = (np.ascontiguousarray(a[::-1, ::-1].transpose(1, 2, 0))
                          for a in (hounsfield, marked))  # fmt: skip
    grid = Grid(
        (0.0, 0.0, 0.0),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (hounsfield.shape[0], hounsfield.shape[1], hounsfield.shape[2]),
    )
    return from_arrays(
        np.clip(hounsfield, -1024, 3071).astype(np.int16), marked.astype(np.uint16), grid, known,
        str(labels),
    )  # fmt: skip


def from_arrays(
    hounsfield: NDArray[np.int16],
    labels: NDArray[np.uint16],
    grid: Grid,
    names: Mapping[int, str],
    source: str = "the label map",
) -> CtVolume:
    """Return a CT from arrays [y, z, x], its origin moved to the spine.

    Raises:
        RibsightError: no rib and no clavicle is labelled.

    """
    present = {int(number) for number in np.unique(labels)} - {0}
    plain = {n: name.replace("clavicula", "clavicle") for n, name in names.items() if n in present}
    if not any(name in BREAKABLE for name in plain.values()):
        raise RibsightError(
            f"{source} labels no rib and no clavicle: name its labels rib_left_1 ... "
            "clavicle_right in a CSV with columns id and structure"
        )
    unmoved = CtVolume(hounsfield, labels, grid, plain)
    x, y, z = _middle(unmoved)
    origin = (grid.origin[0] - x, grid.origin[1] - y, grid.origin[2] - z)
    return CtVolume(hounsfield, labels, Grid(origin, grid.spacing, grid.shape), plain)


def read_names(path: Path) -> dict[int, str]:
    """Return the names of labels from a CSV with columns `id` and `structure`.

    Raises:
        RibsightError: it cannot be read or lacks a column.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RibsightError(f"cannot read {path}: {error}") from error
    names: dict[int, str] = {}
    for number, row in enumerate(rows, start=2):
        try:
            names[int(row["id"])] = row["structure"]
        except (KeyError, ValueError, TypeError) as error:
            raise RibsightError(
                f"{path}, row {number}: give the columns id (a number) and structure (a name)"
            ) from error
    return names


def _load(path: Path) -> "nibabel.Nifti1Image":
    try:
        import nibabel
    except ImportError as error:
        raise RibsightError(
            "a CT volume needs the package nibabel: pip install 'ribsight[ct]'"
        ) from error
    try:
        image = cast("nibabel.Nifti1Image", nibabel.load(path))
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise RibsightError(f"cannot read {path} as a NIfTI volume: {error}") from error
    if len(image.shape) != 3:
        raise RibsightError(f"{path} has {len(image.shape)} dimensions: give one volume")
    return image


def _upright(path: Path, image: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return voxels along right, forward, up, and their affine."""
    import nibabel

    canonical = nibabel.as_closest_canonical(image)  # type: ignore[no-untyped-call]
    linear = canonical.affine[:3, :3]
    off = np.abs(linear - np.diag(np.diag(linear))).max()
    if off > 0.05 * np.abs(np.diag(linear)).min():
        raise RibsightError(f"{path} is tilted against the body's axes: resample it upright")
    try:
        return np.asarray(canonical.dataobj), canonical.affine
    except (OSError, EOFError, zlib.error) as error:
        raise RibsightError(f"cannot read {path}: {error}") from error


def _middle(volume: CtVolume) -> tuple[float, float, float]:
    """Return the middle of T7, else of all vertebrae, else of everything labelled, mm."""
    for numbers in (volume.numbers("vertebrae_T7"), volume.numbers("vertebrae_"), []):
        inside = np.isin(volume.labels, numbers) if numbers else volume.labels > 0
        found = np.argwhere(inside)
        if len(found):
            x, y, z = volume.grid.points(found).mean(axis=0)
            return float(x), float(y), float(z)
    return 0.0, 0.0, 0.0
