"""Materials along the rays of a whole chest."""

from functools import cache

import numpy as np
import pytest

from ribsight.simulation.anatomy.bone import whole
from ribsight.simulation.anatomy.build import draw_build, draw_person
from ribsight.simulation.anatomy.chest import Chest, make_chest
from ribsight.simulation.anatomy.girdle import arms_for
from ribsight.simulation.projection.camera import Camera, camera_for
from ribsight.simulation.projection.exposure import Technique, expose
from ribsight.simulation.projection.film import (
    bone_lengths,
    combined,
    fixed_bone_lengths,
    lung_lengths,
    soft_lengths,
)
from ribsight.simulation.projection.processing import Processing, develop
from ribsight.simulation.projection.raster import Lengths
from ribsight.simulation.truth import View


def film_of(view: View, size: int = 96) -> tuple[Chest, Camera, dict[str, Lengths]]:
    random = np.random.default_rng([1, 4])
    person = draw_person("x", random)
    build = draw_build(person, supine=view is View.AP_SUPINE, random=random)
    chest = make_chest(build, arms_for(view, random), random, supine=view is View.AP_SUPINE)
    camera = camera_for(view, target=(0, -60, -15), detector_gap=160, field=400, size=size)
    parts = [
        soft_lengths(chest, camera),
        fixed_bone_lengths(chest, camera),
        bone_lengths([whole(bone) for bone in chest.breakable], camera),
    ]
    return chest, camera, combined(parts)


@cache
def film(view: View) -> tuple[Chest, Camera, dict[str, Lengths]]:
    return film_of(view)


@pytest.mark.parametrize("view", list(View))
def test_lengths_are_finite_and_not_negative(view: View) -> None:
    _, _, lengths = film(view)
    for name, values in lengths.items():
        assert values.dtype == np.float32, name
        assert np.isfinite(values).all(), name
        assert values.min() >= 0, name


def test_a_frontal_chest_has_plausible_lengths() -> None:
    _, _, lengths = film(View.PA_ERECT)
    soft = lengths["soft_tissue"]
    # Abdomen below, lungs in the upper middle of either side.
    assert 150 < soft[-8:, 40:56].mean() < 400
    assert soft[35:50, 30:38].mean() < 0.75 * soft[-8:, 40:56].mean()
    assert 1 < lengths["cortical_bone"].max() < 40


def test_combining_twice_is_combining_at_once() -> None:
    chest, camera, whole_film = film(View.PA_ERECT)
    ribs = bone_lengths([whole(bone) for bone in chest.breakable], camera)
    first = combined([soft_lengths(chest, camera), fixed_bone_lengths(chest, camera)])
    for name, values in combined([first, ribs]).items():
        np.testing.assert_allclose(values, whole_film[name], atol=1e-2, err_msg=name)


def test_bone_takes_the_place_of_soft_tissue_but_not_of_fat() -> None:
    soft, fat = np.full((2, 2), 100, np.float32), np.full((2, 2), 10, np.float32)
    bone = np.full((2, 2), 4, np.float32)
    total = combined([{"soft_tissue": soft, "fat": fat}, {"cortical_bone": bone, "fat": bone}])
    np.testing.assert_array_equal(total["soft_tissue"], 96)
    np.testing.assert_array_equal(total["fat"], 14)


def test_lungs_are_the_cavity_less_the_union_of_what_is_in_it() -> None:
    def span(begin: float, end: float) -> tuple[Lengths, Lengths]:
        return np.full((1, 1), begin, np.float32), np.full((1, 1), end, np.float32)

    free = lung_lengths([span(0.1, 0.9)], [span(0.3, 0.5), span(0.4, 0.6), span(0.85, 1.2),
                                           span(2, -1)])  # fmt: skip
    # 0.8 less [0.3, 0.6] and [0.85, 0.9].
    assert free[0, 0] == pytest.approx(0.45, abs=1e-6)


def test_same_generator_same_bytes() -> None:
    _, _, first = film(View.AP_SUPINE)
    _, _, second = film_of(View.AP_SUPINE)
    for name, values in first.items():
        assert values.tobytes() == second[name].tobytes(), name


def test_lifted_arms_leave_the_lateral_film() -> None:
    chest, camera, _ = film(View.LATERAL)
    for arm in chest.soft.arms:
        pixels, _ = camera.project(arm.vertices)
        chest_level = camera.project(np.asarray([chest.sternum.line[1]]))[0][0, 1]
        assert (pixels[:, 1] < chest_level).mean() > 0.95


def test_developed_film_is_within_black_and_white() -> None:
    _, camera, lengths = film(View.PA_ERECT)
    exposure = expose(lengths, camera.pixel_spacing, Technique(), np.random.default_rng(0))
    shown = develop(exposure.signal, Processing())
    assert shown.shape == (96, 96)
    assert shown.min() >= 0
    assert shown.max() <= 1
    # Bone is bright: the spine's shadow is brighter than the lung beside it.
    assert shown[40:50, 46:50].mean() > shown[40:50, 30:36].mean() + 0.2
