"""The cropped scan of confounders."""

import numpy as np
import pytest

from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.confounders.lengths import confounder_lengths
from ribsight.simulation.confounders.part import Part
from ribsight.simulation.confounders.place import confounder_parts
from ribsight.simulation.projection.camera import Camera, camera_for
from ribsight.simulation.projection.film import FINE
from ribsight.simulation.projection.raster import path_length
from ribsight.simulation.solids import ellipsoid
from ribsight.simulation.truth import Confounder, Fracture, View


def camera(view: View, size: int = 192) -> Camera:
    return camera_for(
        view, target=(0, -60, -15), detector_gap=150, field=400, size=size, rotation=3, roll=2
    )


def full_scan(parts: list[Part], film: Camera) -> dict[str, np.ndarray]:
    total: dict[str, np.ndarray] = {}
    for part in parts:
        fine = part.density * path_length(part.mesh, film.at(FINE)).astype(np.float64)
        blocks = fine.reshape(film.height, FINE, film.width, FINE).mean(axis=(1, 3))
        for name in {part.material, "soft_tissue"} if part.in_air else {part.material}:
            total[name] = total.get(name, 0.0) + blocks
    return total


@pytest.mark.parametrize("view", list(View))
def test_cropped_scans_equal_full_scans(
    chest: Chest, fractures: tuple[Fracture, ...], view: View
) -> None:
    film = camera(view)
    parts = confounder_parts(list(Confounder), chest, fractures, view, np.random.default_rng(4))
    found, wanted = confounder_lengths(parts, film), full_scan(parts, film)
    assert set(found) == {name for name, lengths in wanted.items() if np.any(lengths)}
    for name, lengths in found.items():
        assert lengths.shape == (film.height, film.width)
        assert lengths.dtype == np.float32
        # Corners are rounded to 1/256 pixel: now and then one falls on the other side.
        assert np.abs(lengths - wanted[name]).max() < 0.06


def test_nothing_placed_nothing_returned(chest: Chest) -> None:
    parts = confounder_parts([], chest, (), View.PA_ERECT, np.random.default_rng(0))
    assert parts == []
    assert confounder_lengths(parts, camera(View.PA_ERECT)) == {}


def test_parts_outside_the_field_cost_nothing() -> None:
    far = Part("steel", ellipsoid((900, 0, 0), (5, 5, 5)))
    assert confounder_lengths([far], camera(View.PA_ERECT)) == {}


def test_a_balls_middle_is_its_diameter_times_its_density() -> None:
    ball = ellipsoid((0, -60, -15), (10, 10, 10), rings=40, around=60)
    film = camera(View.PA_ERECT)
    lengths = confounder_lengths([Part("steel", ball, density=0.5, in_air=True)], film)
    assert lengths["steel"].max() == pytest.approx(10, rel=0.02)
    assert np.array_equal(lengths["steel"], lengths["soft_tissue"])
    volume_at_detector = lengths["steel"].sum() * film.pixel_spacing**2
    near = film.source_to_detector - 150
    enlargement = (film.source_to_detector / near) ** 2
    assert volume_at_detector / enlargement == pytest.approx(0.5 * ball.volume(), rel=0.02)


def test_the_cropped_cameras_pixels_are_the_films(chest: Chest) -> None:
    film = camera(View.OBLIQUE_LEFT)
    part = film.cropped(30, 50, 71, 90)
    assert (part.width, part.height) == (41, 40)
    assert np.allclose(part.pixel_centres(), film.pixel_centres()[50:90, 30:71])
