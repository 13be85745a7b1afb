"""Masks to polygons, with pycocotools as oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from shapely.geometry import Polygon as ShapelyPolygon

from ribsight.regions import coverage
from ribsight.regions.annotations import UnusableError
from ribsight.regions.masks import brush_mask, coco_runs, mask_polygons, runs_mask

coco_mask = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any)

RING = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 1]], dtype=bool)


@given(MASKS)
def test_polygons_cover_the_pixels_of_a_mask_and_no_other(mask: NDArray[np.bool_]) -> None:
    polygons = mask_polygons(mask)
    np.testing.assert_array_equal(coverage(polygons, *mask.shape), mask)
    assert sum(ShapelyPolygon(one).area for one in polygons) == mask.sum()


def test_a_hole_stays_a_hole() -> None:
    polygons = mask_polygons(RING, offset=(10, 20))
    assert len(polygons) == 2
    assert sum(ShapelyPolygon(one).area for one in polygons) == 10
    assert not any(ShapelyPolygon(one).contains(ShapelyPolygon.from_bounds(11.2, 21.2, 11.8, 21.8))
                   for one in polygons)  # fmt: skip


def test_a_single_pixel_is_its_square() -> None:
    (square,) = mask_polygons(np.eye(3, dtype=bool)[1:2])
    assert square.tolist() == [[1, 0], [2, 0], [2, 1], [1, 1]]


@given(MASKS)
@settings(max_examples=50)
def test_coco_run_lengths_decode_as_pycocotools_encodes(mask: NDArray[np.bool_]) -> None:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = encoded["counts"]
    text = counts.decode() if isinstance(counts, bytes) else counts
    height, width = mask.shape
    np.testing.assert_array_equal(runs_mask(coco_runs(text), height, width, by_column=True), mask)


def test_long_runs_of_coco_decode() -> None:
    mask = np.zeros((900, 1100), dtype=np.uint8)
    mask[300:700, 200:900] = 1
    text = coco_mask.encode(np.asfortranarray(mask))["counts"]
    assert isinstance(text, bytes)
    decoded = runs_mask(coco_runs(text.decode()), 900, 1100, by_column=True)
    np.testing.assert_array_equal(decoded, mask == 1)


@pytest.mark.parametrize("text", ["\x00", "~~", "P" * 30, "é"])
def test_no_run_length_string_is_refused(text: str) -> None:
    with pytest.raises(UnusableError):
        coco_runs(text)


@pytest.mark.parametrize("runs", [[3], [2, 3], [-1, 5], []])
def test_runs_of_another_size_are_refused(runs: list[int]) -> None:
    with pytest.raises(UnusableError):
        runs_mask(runs, 2, 2, by_column=False)


def bits(*values: tuple[int, int]) -> list[int]:
    """Pack (value, number of bits) into bytes."""
    text = "".join(format(value, f"0{count}b") for value, count in values)
    text += "0" * (-len(text) % 8)
    return [int(text[place : place + 8], 2) for place in range(0, len(text), 8)]


HEAD = [(7, 5), (2, 4), (3, 4), (7, 4), (15, 4)]
"""Values of 8 bits; lengths of 3, 4, 8 or 16 bits."""


def test_a_brush_decodes_runs_and_literals() -> None:
    # 2 x 2 pixels, RGBA: two transparent pixels as one run of 8 zeros, two as eight literals.
    code = bits((16, 32), *HEAD, (1, 1), (0, 2), (7, 3), (0, 8),
                (0, 1), (1, 2), (7, 4), (1, 8), (2, 8), (3, 8), (255, 8), (4, 8), (5, 8), (6, 8),
                (0, 8))  # fmt: skip
    assert brush_mask(code, 2, 2).tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize(
    "code", [[], [1, 2, 3], bits((20, 32), *HEAD), bits((16, 32), *HEAD), [300], ["a"], [-1]]
)
def test_no_brush_is_refused(code: list[int]) -> None:
    with pytest.raises(UnusableError):
        brush_mask(code, 2, 2)
