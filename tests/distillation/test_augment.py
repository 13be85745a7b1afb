"""Views: the same affine moves pixels and regions."""

import numpy as np
import pytest

from ribsight.distillation.augment import draw_geometry, perturb, warp, warp_points
from ribsight.distillation.recipe import AugmentationSettings

SETTINGS = AugmentationSettings(flip_vertical=0.5, rotation=30.0)


@pytest.mark.parametrize("seed", range(12))
def test_a_dot_moves_to_where_its_region_moves(seed: int) -> None:
    image = np.zeros((64, 64), dtype=np.uint8)
    image[20:23, 36:39] = 255
    matrix = draw_geometry(SETTINGS, 64, np.random.default_rng(seed))
    moved = warp(image, matrix).astype(np.float64)
    row, column = np.indices(moved.shape) + 0.5
    centre = [(column * moved).sum() / moved.sum(), (row * moved).sum() / moved.sum()]
    expected = warp_points(np.array([[37.5, 21.5]]), matrix)[0]
    np.testing.assert_allclose(centre, expected, atol=0.1)


def test_a_flip_keeps_the_grid() -> None:
    settings = AugmentationSettings(flip_horizontal=1.0, rotation=0.0, scale=0.0, shift=0.0)
    image = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    matrix = draw_geometry(settings, 32, np.random.default_rng(0))
    np.testing.assert_array_equal(warp(image, matrix), image[:, ::-1])


def test_intensities_stay_in_the_unit_interval_and_depend_on_the_generator_alone() -> None:
    image = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    views = [perturb(image, SETTINGS, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(views[0], views[1])
    assert np.abs(views[0] - views[2]).max() > 0
    assert all(view.dtype == np.float32 for view in views)
    assert all(view.min() >= 0 and view.max() <= 1 for view in views)


def test_strength_zero_changes_nothing() -> None:
    image = np.random.default_rng(0).random((16, 16), dtype=np.float32)
    same = perturb(image, SETTINGS, np.random.default_rng(5), strength=0.0)
    np.testing.assert_allclose(same, image, atol=1e-6)
