"""A whole chest: what must hold for everybody."""

from functools import cache

import numpy as np
import pytest

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import BoneSurfaces
from ribsight.simulation.anatomy.build import Build, draw_build, draw_person
from ribsight.simulation.anatomy.chest import Chest, make_chest
from ribsight.simulation.anatomy.girdle import arms_for
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.truth import View

VIEWS = [View.PA_ERECT, View.AP_SUPINE, View.LATERAL, View.PA_ERECT]


@cache
def chest_of(number: int) -> Chest:
    view = VIEWS[number % len(VIEWS)]
    random = np.random.default_rng([8, number])
    build = draw_build(draw_person("x", random), supine=view is View.AP_SUPINE, random=random)
    return make_chest(build, arms_for(view, random), random, supine=view is View.AP_SUPINE)


def meshes(chest: Chest) -> list[Mesh]:
    soft = chest.soft
    return [
        *soft.cavities, *soft.solids, *soft.gas, *soft.inner_fat, soft.body, soft.muscle_wall,
        *soft.muscles, *soft.arms, *chest.breasts, *chest.vessels, *chest.cartilages,
        chest.sternum.mesh, *chest.vertebrae, *chest.processes, *chest.flat_bones,
    ]  # fmt: skip


def is_closed(mesh: Mesh) -> bool:
    t = mesh.triangles.astype(np.int64)
    edges = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    forward = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    backward = edges[:, 1] * len(mesh.vertices) + edges[:, 0]
    return np.array_equal(np.sort(forward), np.sort(backward))


@pytest.mark.parametrize("number", range(4))
def test_every_surface_is_closed_and_looks_outwards(number: int) -> None:
    for mesh in meshes(chest_of(number)):
        assert np.isfinite(mesh.vertices).all()
        assert is_closed(mesh)
        assert mesh.volume() > 0


@pytest.mark.parametrize("number", range(4))
def test_marrow_is_less_than_the_bone(number: int) -> None:
    chest = chest_of(number)
    bones: tuple[BoneSurfaces, ...] = (*chest.bodies, *chest.arches, *chest.shoulders)
    for bone in bones:
        assert 0 < bone.marrow.volume() < bone.outer.volume()


@pytest.mark.parametrize("number", range(4))
def test_organs_have_the_size_of_organs(number: int) -> None:
    chest = chest_of(number)
    litres = [1e-6 * mesh.volume() for mesh in chest.soft.cavities]
    assert 1.5 < sum(litres) < 12
    heart = 1e-6 * chest.soft.solids[0].volume()
    assert 0.3 < heart < 1.7
    assert chest.soft.muscle_wall.volume() < chest.soft.body.volume()


@pytest.mark.parametrize("number", range(4))
def test_the_heart_rests_on_the_diaphragm(number: int) -> None:
    soft = chest_of(number).soft
    vertices = soft.solids[0].vertices
    below = vertices[:, 2] < soft.diaphragm.height(vertices[:, 0], vertices[:, 1])
    # Its lowest ring lies in the abdomen all around, its highest above.
    low = vertices[:, 2] < vertices[:, 2].min() + 5
    assert below[low].all()
    assert not below[vertices[:, 2] > vertices[:, 2].max() - 10].any()


@pytest.mark.parametrize("number", range(4))
def test_left_is_left(number: int) -> None:
    chest = chest_of(number)
    assert [c.name for c in chest.clavicles] == ["clavicle_right", "clavicle_left"]
    assert chest.clavicles[0].centres[-1, 0] < 0 < chest.clavicles[1].centres[-1, 0]
    assert chest.soft.domes[0, 0] < 0 < chest.soft.domes[1, 0]
    # The apex of the heart points to the left.
    heart = chest.soft.solids[0].vertices
    assert heart[:, 0].max() > -heart[:, 0].min() + 15
    assert len(chest.breakable) == 26
    sides = {Side.RIGHT: -1, Side.LEFT: 1}
    for rib in chest.ribs:
        if len(rib.cartilage):
            assert sides[rib.side] * rib.cartilage[0, 0] > 0


def test_old_cartilage_is_calcified_and_young_is_not() -> None:
    def grains(age: int) -> int:
        total = 0
        for seed in range(4):
            random = np.random.default_rng(seed)
            person = draw_person("x", random)
            build: Build = draw_build(
                type(person)("x", "male", age, 1750.0, 75.0), supine=False, random=random
            )
            chest = make_chest(build, arms_for(View.PA_ERECT, random), random, supine=False)
            total += len(chest.calcifications.triangles)
        return total

    assert grains(85) > 10 * max(grains(20), 1)


def test_same_generator_same_chest_and_another_differs() -> None:
    first = meshes(chest_of(0))
    chest_of.cache_clear()
    for a, b in zip(first, meshes(chest_of(0)), strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
    other = chest_of(3)
    assert not np.array_equal(other.ribs[3].bone.centres, chest_of(0).ribs[3].bone.centres)
