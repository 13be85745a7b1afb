"""Closed surfaces: volumes against closed forms, orientation, shells."""

import numpy as np
import pytest

from ribsight.simulation.mesh import MIRROR_X, Mesh, copies, join
from ribsight.simulation.solids import box, ellipsoid, frames_along, loft, tube


def is_closed(mesh: Mesh) -> bool:
    """Every edge belongs to two triangles that run along it in opposite directions."""
    t = mesh.triangles.astype(np.int64)
    edges = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    forward = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    backward = edges[:, 1] * len(mesh.vertices) + edges[:, 0]
    return np.array_equal(np.sort(forward), np.sort(backward))


def test_volume_of_an_ellipsoid_is_the_closed_form() -> None:
    ball = ellipsoid((5, -3, 7), (10, 20, 30), rings=80, around=120)
    assert ball.volume() == pytest.approx(4 / 3 * np.pi * 10 * 20 * 30, rel=2e-3)
    assert is_closed(ball)


def test_volume_of_a_turned_box_is_the_closed_form() -> None:
    angle = 0.7
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    cuboid = box((1, 2, 3), (2, 3, 4), rotation=turn)
    assert cuboid.volume() == pytest.approx(8 * 2 * 3 * 4)
    assert is_closed(cuboid)


def test_volume_of_a_bent_tube_is_section_times_length() -> None:
    # Pappus: a quarter torus of radius 100 has the volume of its section times its centre line.
    angle = np.linspace(0, np.pi / 2, 200)
    line = np.stack([100 * np.cos(angle), 100 * np.sin(angle), 0 * angle], axis=1)
    bent = tube(line, 6, 9, around=64)
    assert bent.volume() == pytest.approx(np.pi * 6 * 9 * 100 * np.pi / 2, rel=5e-3)
    assert is_closed(bent)


def test_round_ends_add_the_halves_of_an_ellipsoid() -> None:
    line = np.stack([np.zeros(5), np.zeros(5), np.linspace(0, 50, 5)], axis=1)
    flat, rounded = tube(line, 4, around=64), tube(line, 4, around=64, round_ends=True)
    # The caps are polyhedra of three rings: a little less than the ball.
    added = rounded.volume() - flat.volume()
    assert 0.85 * 4 / 3 * np.pi * 64 < added < 4 / 3 * np.pi * 64
    assert is_closed(rounded)


def test_mirrored_meshes_still_look_outwards() -> None:
    ball = ellipsoid((50, 0, 0), (5, 6, 7))
    mirrored = ball.moved(MIRROR_X)
    assert mirrored.volume() == pytest.approx(ball.volume())
    assert mirrored.vertices[:, 0].max() < 0


def test_shrunk_sphere_is_a_smaller_sphere() -> None:
    ball = ellipsoid((0, 0, 0), (20, 20, 20), rings=60, around=80)
    radii = np.linalg.norm(ball.shrunk(3).vertices, axis=1)
    np.testing.assert_allclose(radii, 17, atol=0.02)


def test_outward_turns_a_mesh_that_is_inside_out() -> None:
    ball = ellipsoid((0, 0, 0), (1, 1, 1))
    inside_out = Mesh(ball.vertices, ball.triangles[:, ::-1])
    assert inside_out.volume() < 0
    assert inside_out.outward().volume() == pytest.approx(ball.volume())


def test_joined_volumes_and_copied_volumes_add_up() -> None:
    ball, cuboid = ellipsoid((0, 0, 0), (1, 2, 3)), box((9, 9, 9), (1, 1, 1))
    assert join([ball, cuboid]).volume() == pytest.approx(ball.volume() + cuboid.volume())
    many = copies(ball, np.stack([np.eye(3), 2 * np.eye(3)]), np.array([[0, 0, 0], [20, 0, 0.0]]))
    assert many.volume() == pytest.approx(9 * ball.volume())
    assert is_closed(many)
    assert join([]).volume() == 0


def test_frames_are_right_handed_and_follow_the_curve() -> None:
    random = np.random.default_rng(0)
    steps = random.normal(size=(40, 3)) + np.array([2.0, 1.0, 0.0])
    line = np.cumsum(steps, axis=0)
    frames = frames_along(line)
    products = frames @ frames.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (40, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1)
    ahead = line[2:] - line[:-2]
    assert (np.einsum("ij,ij->i", frames[1:-1, 0], ahead) > 0).all()


def test_frames_along_their_guide_are_carried_on() -> None:
    line = np.stack([np.zeros(9), np.zeros(9), np.linspace(0, 10, 9)], axis=1)
    frames = frames_along(line, up=(0, 0, 1))
    np.testing.assert_allclose(np.linalg.det(frames), 1)
    np.testing.assert_allclose(frames, np.broadcast_to(frames[0], frames.shape), atol=1e-12)


def test_a_loft_may_be_built_twice_and_is_not_shared() -> None:
    rings = np.stack([np.stack([[1, 0, z], [0, 1, z], [-1, 0, z], [0, -1, z]]) for z in (0.0, 1.0)])
    first, second = loft(rings), loft(2 * rings)
    assert first.volume() == pytest.approx(2)
    assert second.volume() == pytest.approx(16)
