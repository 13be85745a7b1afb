"""Area coverage of polygons on a grid, against shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.regions import coverage


def test_a_box_covers_its_share_of_each_cell() -> None:
    box = np.array([[0.25, 0.5], [2.5, 0.5], [2.5, 2.0], [0.25, 2.0]])
    expected = [[0.375, 0.5, 0.25], [0.75, 1.0, 0.5], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(coverage([box], 3, 3), expected)


def test_orientation_does_not_matter() -> None:
    triangle = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(coverage([triangle], 3, 3), coverage([triangle[::-1]], 3, 3))


@pytest.mark.parametrize("shift", [(-1.5, 0.0), (2.5, 0.0), (0.0, -1.25), (0.0, 2.5), (-9.0, 9.0)])
def test_parts_outside_the_grid_are_cut_off(shift: tuple[float, float]) -> None:
    box = np.array([[0.5, 0.5], [3.0, 0.5], [3.0, 3.0], [0.5, 3.0]]) + np.array(shift)
    np.testing.assert_allclose(coverage([box], 4, 4), _shapely_coverage(box, 4, 4), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    radii=st.lists(st.floats(0.3, 6.0), min_size=3, max_size=12),
    centre=st.tuples(st.floats(-2, 10), st.floats(-2, 8)),
)
def test_star_shapes_equal_shapely(radii: list[float], centre: tuple[float, float]) -> None:
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    polygon = np.array(radii)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + centre
    np.testing.assert_allclose(
        coverage([polygon], 7, 9), _shapely_coverage(polygon, 7, 9), atol=1e-5
    )


def test_a_lesion_smaller_than_a_cell_keeps_its_area() -> None:
    dot = np.array([[1.9, 1.9], [2.1, 1.9], [2.1, 2.1], [1.9, 2.1]])
    assert coverage([dot], 4, 4).sum() == pytest.approx(0.04)


def _shapely_coverage(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    shape = shapely.Polygon(polygon)
    cells = [
        [shape.intersection(shapely.box(c, r, c + 1, r + 1)).area for c in range(width)]
        for r in range(height)
    ]
    return np.array(cells)
