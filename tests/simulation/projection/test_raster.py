"""Path lengths against rays intersected by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ribsight.simulation.mesh import Mesh, join
from ribsight.simulation.projection.camera import Camera, camera_for, rotation_about
from ribsight.simulation.projection.raster import (
    _SUBPIXELS,
    _scan_span,
    path_length,
    pixel_box,
    ray_lengths,
    spans,
    weighted_lengths,
)
from ribsight.simulation.solids import box, ellipsoid
from ribsight.simulation.truth import View


def camera_of(view: View, size: int = 128) -> Camera:
    return camera_for(view, target=(0, 0, 0), detector_gap=150, field=260, size=size,
                      rotation=7, tilt=3, roll=5)  # fmt: skip


def directions(camera: Camera) -> NDArray[np.float64]:
    rays = camera.pixel_centres() - camera.source
    unit: NDArray[np.float64] = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return unit


def through_ellipsoid(
    camera: Camera, centre: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    rays = directions(camera) / half
    start = (camera.source - centre) / half
    a = (rays**2).sum(-1)
    b = (rays * start).sum(-1)
    inside = b**2 - a * ((start**2).sum() - 1)
    length: NDArray[np.float64] = 2 * np.sqrt(np.maximum(inside, 0)) / a
    return length


def through_box(
    camera: Camera, centre: NDArray[np.float64], half: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    rays = directions(camera) @ turn
    start = (camera.source - centre) @ turn
    near, far = (-half - start) / rays, (half - start) / rays
    enters, leaves = np.minimum(near, far).max(-1), np.maximum(near, far).min(-1)
    length: NDArray[np.float64] = np.maximum(leaves - enters, 0)
    return length


@pytest.mark.parametrize("view", list(View))
def test_ellipsoid_against_the_quadratic(view: View) -> None:
    camera = camera_of(view)
    centre, half = np.array([5.0, -20, 8]), np.array([40.0, 30, 55])
    expected = through_ellipsoid(camera, centre, half)
    seen = path_length(ellipsoid(centre, half, rings=200, around=300), camera)
    middle = expected > 20
    assert np.abs(seen - expected)[middle].max() < 0.15
    assert (seen[expected == 0] == 0).all()


@pytest.mark.parametrize("view", list(View))
def test_box_against_the_slabs(view: View) -> None:
    camera = camera_of(view)
    centre, half = np.array([-10.0, 12, 4]), np.array([30.0, 22, 41])
    turn = rotation_about((1, 2, -1), 33)
    expected = through_box(camera, centre, half, turn)
    seen = path_length(box(centre, half, rotation=turn), camera)
    # Corners are snapped to 1/256 pixel: rays along an edge may be off by a steep side's share.
    error = np.abs(seen - expected)
    assert np.percentile(error, 99.5) < 0.02
    assert error.max() < 1.5


@pytest.mark.parametrize("view", [View.PA_ERECT, View.AP_SUPINE, View.LATERAL])
def test_lengths_over_a_small_sphere_sum_to_its_volume(view: View) -> None:
    camera = camera_for(view, target=(0, 0, 0), detector_gap=150, field=60, size=256)
    ball = ellipsoid((0, 0, 0), (20, 20, 20), rings=120, around=160)
    lengths = path_length(ball, camera)
    rays = directions(camera)
    # A pixel's ray stands for the cone of its solid angle: volume = sum of length x section there.
    distance = np.linalg.norm(camera.pixel_centres() - camera.source, axis=-1)
    at_ball = (rays * -camera.source).sum(-1) / distance
    section = camera.pixel_spacing**2 * (rays @ camera.axis) * at_ball**2
    # Over the length l around s the cone's section varies by (l / s)^2 / 12, here 1e-5.
    assert (lengths * section).sum() == pytest.approx(ball.volume(), rel=2e-3)


def random_closed(random: np.random.Generator) -> Mesh:
    parts = []
    for _ in range(6):
        turn = rotation_about(random.normal(size=3), random.uniform(0, 360))
        centre, half = random.uniform(-60, 60, 3), random.uniform(0.3, 30, 3)
        make = random.integers(2)
        parts.append(
            box(centre, half, rotation=turn) if make
            else ellipsoid(centre, half, rotation=turn, rings=9, around=13)
        )  # fmt: skip
    return join(parts)


@pytest.mark.parametrize("seed", range(12))
def test_no_ray_leaks(seed: int) -> None:
    random = np.random.default_rng(seed)
    mesh = random_closed(random)
    camera = camera_of(list(View)[seed % 5], size=160)
    lengths = path_length(mesh, camera)
    enters, leaves = spans(mesh, camera)
    outside = enters > leaves
    assert lengths.min() > -1e-3
    assert (lengths[outside] == 0).all()
    # An upper bound: no ray is longer inside all parts than the parts' number times the span.
    reach = np.maximum(leaves - enters, 0) * ray_lengths(camera)
    assert (lengths <= 6 * reach + 1e-2).all()


def test_fine_rays_are_the_mean_of_finer_pixels() -> None:
    camera = camera_of(View.PA_ERECT, size=64)
    mesh = random_closed(np.random.default_rng(3))
    finer = path_length(mesh, camera.at(2))
    mean = finer.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(path_length(mesh, camera, 2), mean, atol=2e-3)


def test_weights_scale_and_add() -> None:
    camera = camera_of(View.PA_ERECT, size=64)
    first, second = ellipsoid((0, 0, 0), (30, 20, 30)), box((10, 0, 0), (20, 20, 20))
    sums = weighted_lengths([(first, (1.0, 0.0)), (second, (-1.0, 0.5))], camera)
    a, b = path_length(first, camera), path_length(second, camera)
    np.testing.assert_allclose(sums[0], a - b, atol=1e-3)
    np.testing.assert_allclose(sums[1], 0.5 * b, atol=1e-3)


def test_spans_of_a_convex_body_are_its_length() -> None:
    camera = camera_of(View.OBLIQUE_LEFT)
    mesh = ellipsoid((0, 10, 0), (40, 30, 20))
    enters, leaves = spans(mesh, camera)
    reach = np.maximum(leaves - enters, 0) * ray_lengths(camera)
    np.testing.assert_allclose(reach, path_length(mesh, camera), atol=2e-3)


def test_pixel_box_holds_everything_seen() -> None:
    camera = camera_of(View.PA_ERECT)
    mesh = ellipsoid((20, 0, 30), (15, 10, 8))
    rows, columns = np.nonzero(path_length(mesh, camera))
    left, top, right, bottom = pixel_box(mesh, camera)
    assert left <= columns.min() <= columns.max() < right
    assert top <= rows.min() <= rows.max() < bottom


def test_beyond_the_film_nothing_breaks() -> None:
    camera = camera_of(View.PA_ERECT, size=32)
    far = ellipsoid((5000, 0, 0), (30, 20, 30))
    assert (path_length(far, camera) == 0).all()
    assert (path_length(join([]), camera) == 0).all()


def test_the_smallest_triangles_meet_their_ray_too() -> None:
    """A pixel's middle at a corner of a triangle of half a unit: its areas all go to the edges."""
    middle = _SUBPIXELS // 2
    near = np.array([2.0, 2.0, 2.0], np.float32)
    for turn in range(4):
        spin = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), turn)
        for corner in range(3):
            shape = np.array([[0, 0], [1, 0], [0, 1]]) @ spin.T
            corners = (shape - shape[corner] + middle).astype(np.int64)
            enters, leaves = np.full((1, 1), 2.0, np.float32), np.full((1, 1), -1.0, np.float32)
            _scan_span(enters, leaves, corners, near, np.array([[0, 1, 2]]))
            assert (enters[0, 0], leaves[0, 0]) in ((2.0, -1.0), (0.5, 0.5))
