"""What is seen of a break, and what an expert draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from ribsight.simulation.fractures.drawing import contrast_to_noise, drawn_by_reader, outline_of
from ribsight.simulation.projection.camera import Camera, camera_for
from ribsight.simulation.projection.exposure import Exposure
from ribsight.simulation.truth import View


@pytest.fixture
def camera() -> Camera:
    return camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=150, field=400, size=512)


def test_the_outline_holds_the_whole_zone(camera: Camera) -> None:
    zone = np.random.default_rng(0).normal(0, 6, (50, 3))
    outline = Polygon(outline_of(zone, camera))
    pixels, _ = camera.project(zone)
    assert all(outline.contains(Point(*p)) for p in pixels)


def test_a_break_outside_the_field_has_no_outline(camera: Camera) -> None:
    assert outline_of(np.array([[900.0, 0, 0], [905, 0, 0], [900, 0, 5]]), camera) == ()


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_what_the_reader_draws_holds_the_outline(seed: int) -> None:
    random = np.random.default_rng(seed)
    camera = camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=150, field=400, size=512)
    zone = random.normal(0, random.uniform(1, 9), (20, 3))
    outline = outline_of(zone, camera)
    drawing = Polygon(drawn_by_reader(outline, 512, 512, random))
    assert drawing.is_valid
    assert drawing.buffer(0.1).contains(Polygon(outline))


def test_contrast_to_noise_by_hand() -> None:
    intact = np.full((20, 20), 0.2, np.float32)
    broken = intact.copy()
    broken[8:12, 8:12] += 0.01
    noise = np.full((20, 20), 0.005, np.float32)
    exposure = Exposure(intact, noise, intact)
    square = ((5.0, 5.0), (15.0, 5.0), (15.0, 15.0), (5.0, 15.0))
    assert contrast_to_noise(broken, intact, exposure, square) == pytest.approx(2.0, rel=1e-3)
    assert contrast_to_noise(intact, intact, exposure, square) == 0
