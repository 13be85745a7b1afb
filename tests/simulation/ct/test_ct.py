"""A phantom of tubes in a cylinder, its labels, and what the CT path makes of them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ribsight.errors import RibsightError
from ribsight.findings import Acuity, Side
from ribsight.simulation.ct.breaks import break_difference
from ribsight.simulation.ct.centrelines import trace
from ribsight.simulation.ct.deform import Variation, draw_deformation, identity
from ribsight.simulation.ct.grid import Grid
from ribsight.simulation.ct.materials import UNIT, body_mask, decompose
from ribsight.simulation.ct.membership import Membership
from ribsight.simulation.ct.patient import (
    CtPatient,
    Scan,
    break_patient,
    camera_on,
    film_from_ct,
    load_scan,
    patient_of,
    prepare,
    projected,
)
from ribsight.simulation.ct.project import project
from ribsight.simulation.ct.volume import CtVolume, from_arrays, read_ct, read_names
from ribsight.simulation.fractures.geometry import Break
from ribsight.simulation.fractures.prior import FractureSettings
from ribsight.simulation.patient import simulate_patient
from ribsight.simulation.projection.camera import camera_for
from ribsight.simulation.projection.exposure import Technique
from ribsight.simulation.settings import FilmSettings, RegistrySettings
from ribsight.simulation.truth import RIB_FRACTURE, Displacement, Fracture, View

GRID = Grid((-110.0, -70.0, -60.0), (1.0, 1.0, 2.0), (150, 60, 220))
NAMES = {1: "rib_left_5", 2: "rib_right_5", 3: "rib_left_6", 4: "vertebrae_T7"}
RADIUS = 5.0
RIB_DENSITY = 600


def phantom() -> CtVolume:
    """A body of soft tissue with two half-ring ribs, a bit of a third, and a vertebra."""
    x, y, z = GRID.axes()
    yy, zz, xx = np.meshgrid(y, z, x, indexing="ij")
    body = (xx / 95) ** 2 + (yy / 62) ** 2 < 1
    hounsfield = np.where(body, 40, -1000).astype(np.int16)
    labels = np.zeros(GRID.shape, np.uint16)
    for number, side, level in ((1, 1, 0), (2, -1, 6), (3, 1, 30)):
        angle = np.arctan2(xx * side, yy)
        ring = 45.0
        tube = (np.hypot(xx, yy) - ring) ** 2 + (zz - level) ** 2 < RADIUS**2
        inside = tube & (angle > 0.35) & (angle < (2.6 if number < 3 else 0.5))
        labels[inside] = number
        hounsfield[inside] = RIB_DENSITY
    spine = (xx**2 + (yy - 45) ** 2 < 11**2) & (np.abs(zz) < 20)
    labels[spine], hounsfield[spine] = 4, 300
    return from_arrays(hounsfield, labels, GRID, NAMES)


@pytest.fixture(scope="module")
def scan() -> Scan:
    return prepare(phantom())


@pytest.fixture(scope="module")
def unmoved(scan: Scan) -> CtPatient:
    return patient_of(scan, identity(scan.materials.grid))


def fracture(displacement: Displacement, name: str = "f1", position: float = 0.5) -> Fracture:
    return Fracture(name, RIB_FRACTURE, Side.LEFT, 5, "lateral", position, displacement,
                    Acuity.ACUTE)  # fmt: skip


def box_length(
    source: NDArray[np.float64], ends: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far segments from `source` to `ends` (N, 3) run inside a box at the origin."""
    way = ends - source
    with np.errstate(divide="ignore"):
        one, two = (-half - source) / way, (half - source) / way
    enter, leave = np.minimum(one, two).max(axis=1), np.maximum(one, two).min(axis=1)
    lengths: NDArray[np.float64] = np.clip(leave - enter, 0, None) * np.linalg.norm(way, axis=1)
    return lengths


@pytest.mark.parametrize(
    ("view", "rotation", "roll"),
    [
        (View.PA_ERECT, 0, 0),
        (View.AP_SUPINE, 4, 3),
        (View.OBLIQUE_LEFT, 0, 0),
        (View.LATERAL, 0, 0),
    ],
)
def test_rays_through_a_block_are_as_long_as_geometry_says(
    view: View, rotation: float, roll: float
) -> None:
    grid = Grid((-59.5, -39.5, -79.0), (1.0, 1.0, 2.0), (80, 80, 120))
    voxels = np.zeros(grid.shape, np.float32)
    voxels[20:60, 20:60, 30:90] = 1.0
    camera = camera_for(view, target=(0, 0, 0), detector_gap=150, field=200, size=200,
                        rotation=rotation, roll=roll)  # fmt: skip
    found = project(voxels, grid, camera)
    exact = box_length(camera.source, camera.pixel_centres().reshape(-1, 3),
                       np.array([30.0, 20.0, 40.0])).reshape(found.shape)  # fmt: skip
    # Trilinear voxels have soft edges: compare away from them, and the total everywhere.
    inner = binary_erosion(exact > 0.9 * exact.max(), iterations=2)
    assert inner.any()
    assert np.abs(found - exact)[inner].max() < 1.5
    assert found.sum() == pytest.approx(exact.sum(), rel=0.015)


def test_a_cut_off_scan_is_carried_on_below_and_above() -> None:
    grid = Grid((-49.5, -19.5, -20.0), (1.0, 1.0, 2.0), (40, 21, 100))
    voxels = np.full(grid.shape, 8192, np.uint16)
    camera = camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=50, field=90, size=32)
    lengths = project(voxels, grid, camera, UNIT)
    assert lengths[:, 16] == pytest.approx(20.0, rel=1e-3)


def test_labels_without_ribs_are_refused() -> None:
    with pytest.raises(RibsightError, match="no rib and no clavicle"):
        from_arrays(np.zeros((4, 4, 4), np.int16), np.ones((4, 4, 4), np.uint16),
                    Grid((0, 0, 0), (1, 1, 1), (4, 4, 4)), {1: "liver"})  # fmt: skip


def test_the_origin_is_the_seventh_vertebra() -> None:
    volume = phantom()
    middle = volume.grid.points(np.argwhere(volume.labels == 4)).mean(axis=0)
    assert middle == pytest.approx([0, 0, 0], abs=1e-6)


def test_the_table_goes_and_the_bolus_is_blood() -> None:
    volume = phantom()
    hounsfield = volume.hounsfield.copy()
    hounsfield[140:143, :, 20:200] = 200
    hounsfield[60:70, 25:30, 120:130] = 3000
    touched = replace(volume, hounsfield=hounsfield)
    assert not body_mask(touched)[140:143].any()
    materials, labels = decompose(touched)
    assert materials.soft_tissue.shape == labels.shape
    clean, _ = decompose(volume)
    assert materials.bone.sum() == clean.bone.sum()
    assert materials.soft_tissue.max() <= UNIT


def test_centre_lines_follow_the_ribs(scan: Scan) -> None:
    line = scan.bones["rib_left_5"]
    assert line.length == pytest.approx(45 * (2.6 - 0.35), abs=8)
    # Voxel middles of the phantom were moved so that the vertebra is the origin.
    across = np.hypot(line.centres[:, 0], line.centres[:, 1] + 45)
    assert across[10:-10] == pytest.approx(45, abs=1.3)
    assert across == pytest.approx(45, abs=2.5)
    assert line.centres[0, 1] > line.centres[-1, 1]
    assert np.median(line.radius) == pytest.approx(RADIUS, abs=0.4)
    assert scan.unusable["rib_left_6"] == "too short for a centre line"
    assert scan.unusable["clavicle_left"] == "not labelled"


def test_a_gap_in_a_label_is_bridged() -> None:
    x = np.arange(0, 120.0)
    x = x[(x < 50) | (x > 62)]
    grid = np.stack(np.meshgrid(x, np.arange(-3, 4.0), np.arange(-3, 4.0)), axis=-1).reshape(-1, 3)
    line = trace("rib_left_4", grid, grid[:, 0], 1.0)
    assert not isinstance(line, str)
    assert line.length == pytest.approx(119, abs=5)
    assert np.abs(line.centres[:, 1:]).max() < 1.2


def test_a_deformation_can_be_inverted(scan: Scan) -> None:
    points = np.random.default_rng(0).uniform(-40, 40, (200, 3))
    for seed in range(5):
        one = draw_deformation(
            scan.materials.grid, Variation(bumps=8, mirrored=0.5), np.random.default_rng(seed)
        )
        assert one.to_source(one.from_source(points)) == pytest.approx(points, abs=1e-3)


def test_a_mirror_swaps_sides(scan: Scan, unmoved: CtPatient) -> None:
    mirror = replace(identity(scan.materials.grid), mirrored=True)
    patient = patient_of(scan, mirror)
    left, right = patient.bones["rib_left_5"], unmoved.bones["rib_right_5"]
    assert left.centres[:, 0] == pytest.approx(-right.centres[:, 0])
    assert left.centres[:, 0].mean() > 0
    camera = camera_on(unmoved, View.PA_ERECT, 64)
    one = project(patient.materials.bone, patient.materials.grid, camera, UNIT)
    two = project(unmoved.materials.bone, unmoved.materials.grid, camera, UNIT)
    assert one == pytest.approx(two[:, ::-1], abs=0.3)


@pytest.mark.parametrize(
    ("one", "gained"),
    [
        (Break(station=50, roughness=0), 0.0),
        (Break(station=50, step=(4, 2), bend=12, slant=2), 0.0),
        (Break(station=50, step=(8, 0), bend=20, fragments=2), 0.0),
        (Break(station=50, gap=3), -3.0),
        (Break(station=50, gap=-8, step=(6, 6)), 8.0),
    ],
)
def test_a_break_keeps_the_bone(unmoved: CtPatient, one: Break, gained: float) -> None:
    scan, line = unmoved.scan, unmoved.bones["rib_left_5"]
    member = Membership(scan.labels, scan.materials.grid, 1, unmoved.deformation)
    difference = break_difference(unmoved.materials, member, line, one, np.random.default_rng(1))
    bone = scan.materials.bone[scan.labels == 1].sum() / UNIT * scan.materials.grid.voxel_volume
    change = float(difference.bone.sum()) * difference.grid.voxel_volume
    # As a share of the 60 mm that a break reaches.
    per_mm = bone / line.length
    assert change / (60 * per_mm) == pytest.approx(gained / 60, abs=0.04)
    moved = max(abs(one.step[0]), abs(one.gap))
    assert (float(np.abs(difference.bone).max()) > 0.1) == (moved > 0)


def test_the_film_differs_by_the_projected_difference(unmoved: CtPatient) -> None:
    breaks = break_patient(
        unmoved,
        (fracture(Displacement.SEVERELY_DISPLACED), fracture(Displacement.BUCKLE, "f2", 0.15)),
        seed=1,
    )
    camera = camera_on(unmoved, View.OBLIQUE_LEFT, 160)
    film = film_from_ct(unmoved, breaks, camera, Technique(), np.random.default_rng(0))
    for name, one in breaks.items():
        change = film.lengths["cortical_bone"] - film.without[name]["cortical_bone"]
        assert change == pytest.approx(projected(one, camera), abs=0.1)
        assert film.lengths["soft_tissue"] - film.without[name]["soft_tissue"] == pytest.approx(
            -change, abs=0.1
        )


@pytest.mark.parametrize("displacement", list(Displacement))
def test_the_outline_holds_what_changed(unmoved: CtPatient, displacement: Displacement) -> None:
    import cv2

    breaks = break_patient(unmoved, (fracture(displacement),), seed=2)
    camera = camera_on(unmoved, View.PA_ERECT, 160, rotation=50)
    film = film_from_ct(unmoved, breaks, camera, Technique(), np.random.default_rng(0))
    (seen,) = film.fractures
    assert seen.contrast_to_noise > 0
    change = np.abs(film.lengths["cortical_bone"] - film.without["f1"]["cortical_bone"])
    polygon = np.asarray(seen.outline, np.float32)
    rows, columns = np.nonzero(change > 0.2 * change.max())
    for x, y in zip(columns + 0.5, rows + 0.5, strict=True):
        assert cv2.pointPolygonTest(polygon, (float(x), float(y)), measureDist=True) > 0


def test_the_same_seed_gives_the_same_film(scan: Scan) -> None:
    def once() -> NDArray[np.float32]:
        random = np.random.default_rng(5)
        patient = patient_of(scan, draw_deformation(scan.materials.grid, Variation(), random))
        breaks = break_patient(patient, (fracture(Displacement.DISPLACED),), seed=9)
        camera = camera_on(patient, View.PA_ERECT, 96, rotation=3)
        return film_from_ct(patient, breaks, camera, Technique(), random).exposure.signal

    assert np.array_equal(once(), once())


def test_fractures_of_bones_the_scan_lacks_are_left_out(unmoved: CtPatient) -> None:
    missing = replace(fracture(Displacement.DISPLACED), rib=6)
    assert break_patient(unmoved, (missing,), seed=0) == {}


def test_a_registry_s_patient_can_be_made_from_a_scan(scan: Scan) -> None:
    settings = RegistrySettings(
        seed=2, fractures=FractureSettings(prevalence=1.0), films=FilmSettings(size=128)
    )
    patients = [simulate_patient(settings, number, scan) for number in range(4)]
    again = simulate_patient(settings, 1, scan)
    assert again.truth == patients[1].truth
    assert np.array_equal(again.films[0], patients[1].films[0])
    for patient in patients:
        assert [film.shape for film in patient.films] == [(128, 128)]
        assert patient.truth.confounders == ()
        # The scan holds few bones: what it cannot break is not in the truth either.
        assert {one.bone for one in patient.truth.fractures} <= set(scan.bones)
        assert len(patient.drawings[0]) == len(patient.truth.films[0].fractures)


def test_without_nibabel_the_package_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(RibsightError, match=r"pip install 'ribsight\[ct\]'"):
        load_scan(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")


@pytest.mark.parametrize(
    ("shape", "turn", "sentence"),
    [((8, 8, 8, 2), 0.0, "has 4 dimensions: give one volume"), ((8, 8, 8), 0.3, "is tilted")],
)
def test_volumes_that_are_not_one_upright_block_are_refused(
    tmp_path: Path, shape: tuple[int, ...], turn: float, sentence: str
) -> None:
    nibabel = pytest.importorskip("nibabel", reason="nibabel is missing (the extra `ct`)")
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    path = tmp_path / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), affine), path)
    with pytest.raises(RibsightError, match=sentence):
        read_ct(path, path)


def test_a_table_of_names_says_which_row_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("id,structure\n92,rib_left_1\nx,rib_left_2\n")
    with pytest.raises(RibsightError, match=r"names\.csv, row 3: give the columns id"):
        read_names(path)
