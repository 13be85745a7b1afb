"""Where points fall on the film."""

import numpy as np
import pytest

from ribsight.simulation.projection.camera import SOURCE_TO_DETECTOR, camera_for, rotation_about
from ribsight.simulation.truth import View

VIEWS = list(View)


@pytest.mark.parametrize("view", VIEWS)
def test_pixel_centres_project_onto_themselves(view: View) -> None:
    camera = camera_for(view, target=(3, -60, 10), detector_gap=140, field=350, size=24,
                        rotation=4, tilt=-3, roll=6)  # fmt: skip
    pixels, distances = camera.project(camera.pixel_centres().reshape(-1, 3))
    rows, columns = np.mgrid[:24, :24]
    np.testing.assert_allclose(
        pixels, np.stack([columns, rows], -1).reshape(-1, 2) + 0.5, atol=1e-8
    )
    assert distances.min() >= camera.source_to_detector - 1e-6


@pytest.mark.parametrize("view", VIEWS)
def test_target_falls_on_the_middle_at_the_views_distance(view: View) -> None:
    camera = camera_for(view, target=(3, -60, 10), detector_gap=140, field=400, size=100)
    pixels, _ = camera.project([(3, -60, 10)])
    np.testing.assert_allclose(pixels, [[50, 50]])
    assert camera.source_to_detector == pytest.approx(SOURCE_TO_DETECTOR[view])


@pytest.mark.parametrize("view", [View.PA_ERECT, View.AP_SUPINE])
def test_frontal_films_show_the_left_on_the_right_and_the_head_on_top(view: View) -> None:
    camera = camera_for(view, target=(0, 0, 0), detector_gap=150, field=400, size=100)
    pixels, _ = camera.project([(50, 0, 0), (0, 0, 50)])
    assert pixels[0, 0] > 60
    assert pixels[1, 1] < 40


def test_what_is_nearer_the_source_is_larger() -> None:
    camera = camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=150, field=400, size=400)
    pixels, _ = camera.project([(100, -100, 0), (100, 100, 0)])
    # PA: the back is nearer the source; magnification is 1800 / distance from the source.
    assert pixels[0, 0] - 200 == pytest.approx(100 * 1800 / 1750)
    assert pixels[1, 0] - 200 == pytest.approx(100 * 1800 / 1550)


def test_finer_camera_sees_the_same_at_finer_pixels() -> None:
    camera = camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=150, field=400, size=64)
    point = [(20, -30, 40)]
    np.testing.assert_allclose(camera.at(2).project(point)[0], 2 * camera.project(point)[0])


def test_rotation_is_a_rotation() -> None:
    turn = rotation_about((1, 2, 3), 50)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(rotation_about((0, 0, 1), 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
