"""What a break does to a bone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ribsight.findings import Acuity, Side
from ribsight.simulation.anatomy.bone import TubularBone, whole
from ribsight.simulation.fractures.broken import ZONE, break_bone
from ribsight.simulation.fractures.geometry import Break, draw_break
from ribsight.simulation.truth import RIB_FRACTURE, Displacement, Fracture


@pytest.fixture
def bone() -> TubularBone:
    """A bent rod of 200 mm."""
    angle = np.linspace(0, 1.0, 60)
    centres = 200 * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], axis=1)
    ones = np.ones(60)
    return TubularBone("rod", centres, 4 * ones, 6 * ones, 0.8 * ones, 0 * ones)


def _fracture(displacement: Displacement, acuity: Acuity) -> Fracture:
    return Fracture("f1", RIB_FRACTURE, Side.LEFT, 6, "lateral", 0.5, displacement, acuity)


@pytest.mark.parametrize("displacement", Displacement)
@pytest.mark.parametrize("acuity", [Acuity.ACUTE, Acuity.HEALING, Acuity.OLD])
def test_a_broken_bone_keeps_its_volume(
    bone: TubularBone, displacement: Displacement, acuity: Acuity
) -> None:
    intact = whole(bone)
    for seed in range(5):
        random = np.random.default_rng(seed)
        broken = break_bone(
            bone, (draw_break(_fracture(displacement, acuity), bone.length, random),), seed
        ).surfaces
        assert 0.85 < broken.outer.volume() / intact.outer.volume() < 1.25
        assert 0 < broken.marrow.volume() < broken.outer.volume()
        assert broken.callus.volume() >= 0
        assert (broken.callus.volume() > 0) == (acuity is Acuity.HEALING)


def test_a_gap_parts_the_bone_where_it_was_asked(bone: TubularBone) -> None:
    broken = break_bone(bone, (Break(station=100.0, gap=4.0, roughness=0.0),), 0)
    middle = bone.at(np.array([100.0]))
    axis = bone.at(np.array([99.0, 101.0])).centres
    along = (axis[1] - axis[0]) / np.linalg.norm(axis[1] - axis[0])
    place = (broken.surfaces.outer.vertices - middle.centres[0]) @ along
    assert not (np.abs(place) < 1.9).any()
    assert (np.abs(np.abs(place) - 2.0) < 0.3).any()


def test_a_step_moves_the_ends_against_each_other(bone: TubularBone) -> None:
    straight = break_bone(bone, (Break(station=100.0, gap=1.0, roughness=0.0),), 0)
    stepped = break_bone(bone, (Break(station=100.0, gap=1.0, step=(0, 5.0), roughness=0.0),), 0)
    moved = stepped.surfaces.outer.vertices - straight.surfaces.outer.vertices
    rise = moved[:, 2]
    assert rise.max() == pytest.approx(2.5, abs=0.1)
    assert rise.min() == pytest.approx(-2.5, abs=0.1)


def test_an_overlap_lays_the_ends_side_by_side(bone: TubularBone) -> None:
    shape = Break(station=100.0, gap=-12.0, step=(0, 13.0), roughness=0.0)
    longer = break_bone(bone, (shape,), 0).surfaces.outer.volume()
    section = whole(bone).outer.volume() / bone.length
    assert longer == pytest.approx((bone.length + 12) * section, rel=0.03)


def test_a_buckle_does_not_part_the_bone(bone: TubularBone) -> None:
    broken = break_bone(bone, (Break(station=100.0, bulge=1.5),), 0)
    assert len(broken.surfaces.outer.vertices) == len(broken.surfaces.marrow.vertices)
    # One closed surface has two caps; each cut adds two more.
    apart = break_bone(bone, (Break(station=100.0, gap=1.0),), 0)
    edges = [_surfaces(one.surfaces.outer.triangles) for one in (broken, apart)]
    assert edges == [1, 2]


def test_the_zone_holds_the_broken_ends(bone: TubularBone) -> None:
    broken = break_bone(bone, (Break(station=100.0, gap=3.0, step=(0, 8.0)),), 0)
    centre = bone.at(np.array([100.0])).centres[0]
    near = broken.surfaces.outer.vertices
    near = near[np.linalg.norm(near - centre, axis=1) < 0.8 * ZONE]
    zone = {tuple(point) for point in broken.zones[0].round(6)}
    assert all(tuple(point) in zone for point in near.round(6))


def test_a_break_looks_the_same_whether_or_not_there_is_another(bone: TubularBone) -> None:
    one = Break(station=60.0, gap=2.0, fragments=2, reach=20.0)
    other = Break(station=150.0, gap=1.0, reach=20.0)
    alone = break_bone(bone, (one,), 3)
    both = break_bone(bone, (other, one), 3)
    assert len(both.zones) == 2
    distance = np.linalg.norm(alone.zones[0][:, None] - both.zones[1][None], axis=-1).min(axis=1)
    assert distance.max() < 0.1


def _surfaces(triangles: NDArray[np.int32]) -> int:
    """Count connected surfaces."""
    parent = np.arange(triangles.max() + 1)

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = int(parent[k])
        return k

    for a, b, c in triangles.tolist():
        parent[root(b)] = root(a)
        parent[root(c)] = root(a)
    return len({root(int(k)) for k in np.unique(triangles)})
