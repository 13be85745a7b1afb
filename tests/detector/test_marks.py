"""Marks: peaks, boxes, and their way back to stored pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from ribsight.detector.marks import Peaks, box_around, find_peaks, to_marks
from ribsight.detector.settings import MarkSettings
from ribsight.radiographs import Radiograph
from ribsight.radiographs.preprocess import Affine, Preprocessing, preprocess

SETTINGS = MarkSettings(minimum_score=0.1, separation=0.15)


def map_with(*peaks: tuple[int, int, float]) -> np.ndarray:
    map_ = np.zeros((20, 20), dtype=np.float32)
    for row, column, score in peaks:
        map_[row, column] = score
    return map_


def peak_at(row: int, column: int) -> Peaks:
    return Peaks(np.array([row]), np.array([column]), np.array([1], np.float32))


def test_peaks_come_highest_first_and_the_low_ones_not_at_all() -> None:
    peaks = find_peaks(map_with((2, 3, 0.5), (10, 15, 0.9), (18, 2, 0.05)), SETTINGS)
    assert list(zip(peaks.rows.tolist(), peaks.columns.tolist(), strict=True)) == [(10, 15), (2, 3)]
    assert peaks.scores.tolist() == pytest.approx([0.9, 0.5])


def test_a_lower_peak_within_the_separation_is_no_mark() -> None:
    # 0.15 of 20 cells: 3 cells.
    assert len(find_peaks(map_with((5, 5, 0.9), (5, 8, 0.8)), SETTINGS).rows) == 1
    assert len(find_peaks(map_with((5, 5, 0.9), (5, 9, 0.8)), SETTINGS).rows) == 2


def test_a_plateau_is_one_mark() -> None:
    map_ = map_with()
    map_[4:6, 4:6] = 0.7
    assert len(find_peaks(map_, SETTINGS).rows) == 1


def test_no_more_than_the_most() -> None:
    map_ = map_with(*[(r, c, 0.5) for r in (1, 7, 13) for c in (1, 7, 13)])
    assert len(find_peaks(map_, SETTINGS.model_copy(update={"most": 4})).rows) == 4


def test_an_empty_map_has_no_marks() -> None:
    assert len(find_peaks(map_with(), SETTINGS).rows) == 0


def test_the_box_holds_the_connected_cells_above_the_level() -> None:
    map_ = map_with((5, 5, 0.8), (5, 6, 0.5), (6, 6, 0.41), (5, 7, 0.3), (15, 15, 0.8))
    assert box_around(map_, peak_at(5, 5), 0, 0.5) == (5, 5, 7, 7)


def test_the_box_of_a_faint_mark_stops_before_a_brighter_one() -> None:
    map_ = map_with()
    map_[10, 2:16] = 0.45
    map_[10, 4], map_[10, 13] = 0.9, 0.5
    identity = Affine(scale_x=1.0, scale_y=1.0, offset_x=0.0, offset_y=0.0)
    apart = SETTINGS.model_copy(update={"separation": 0.3})
    bright, faint = to_marks(map_, apart, identity, 80, 80)
    assert bright.box == (8.0, 40.0, 36.0, 44.0)  # cells 2 to 8, half-way to the other
    assert faint.box == (36.0, 40.0, 64.0, 44.0)  # cells 9 to 15


@given(
    width=st.integers(40, 300),
    height=st.integers(40, 300),
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
)
def test_a_bright_spot_in_the_image_is_marked_where_it_is_stored(
    width: int, height: int, x: float, y: float
) -> None:
    pixels = np.zeros((height, width), dtype=np.uint8)
    size = max(4, max(width, height) // 12)
    row, column = int(y * (height - size)), int(x * (width - size))
    pixels[row : row + size, column : column + size] = 255
    network, affine = preprocess(Radiograph(pixels, 8, ()), Preprocessing(128))
    # A perfect detector at stride 4: the mean of each 4 x 4 block.
    map_ = network.reshape(32, 4, 32, 4).mean(axis=(1, 3)).astype(np.float32) / 255
    best = to_marks(map_, SETTINGS, affine, width, height)[0]
    cell = 4 * max(width, height) / 128
    assert abs(best.x - (column + size / 2)) <= size / 2 + cell
    assert abs(best.y - (row + size / 2)) <= size / 2 + cell
    assert best.box[0] <= best.x <= best.box[2]
    assert best.box[1] <= best.y <= best.box[3]
    assert 0 <= best.box[0] < best.box[2] <= width
    assert 0 <= best.box[1] < best.box[3] <= height


def test_coordinates_are_exact() -> None:
    # Stored 200 x 100 -> network 80 x 40, 20 pixels of padding above: scale 0.4.
    affine = Affine(scale_x=0.4, scale_y=0.4, offset_x=0.0, offset_y=20.0)
    (mark,) = to_marks(map_with((10, 3, 0.9)), SETTINGS, affine, 200, 100)
    # Cell (10, 3) spans network x 12..16, y 40..44; stored x 30..40, y 50..60.
    assert (mark.x, mark.y) == pytest.approx((35.0, 55.0))
    assert mark.box == pytest.approx((30.0, 50.0, 40.0, 60.0))


def test_a_peak_in_the_padding_is_no_mark() -> None:
    affine = Affine(scale_x=0.4, scale_y=0.4, offset_x=0.0, offset_y=20.0)
    assert to_marks(map_with((1, 3, 0.9)), SETTINGS, affine, 200, 100) == ()


@pytest.mark.parametrize("seed", range(6))
def test_peaks_and_boxes_are_those_that_scipy_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.random((40, 40)), 2).astype(np.float32)
    map_ = (smooth - smooth.min()) / np.ptp(smooth)
    reach = np.arange(-6, 7)
    disc = reach[:, None] ** 2 + reach[None, :] ** 2 <= (SETTINGS.separation * 40) ** 2
    highest = ndimage.maximum_filter(map_, footprint=disc, mode="constant", cval=-np.inf)
    peaks = find_peaks(map_, SETTINGS)
    found = set(zip(peaks.rows.tolist(), peaks.columns.tolist(), strict=True))
    assert found == set(zip(*np.nonzero((map_ == highest) & (map_ >= 0.1)), strict=True))
    for row, column in found:
        labels, _ = ndimage.label(map_ >= 0.5 * map_[row, column])
        own = np.argwhere(labels == labels[row, column])
        (y0, x0), (y1, x1) = own.min(axis=0), own.max(axis=0) + 1
        assert box_around(map_, peak_at(row, column), 0, 0.5) == (x0, y0, x1, y1)


@pytest.mark.parametrize("seed", range(6))
def test_boxes_of_several_marks_are_those_of_their_own_cells(seed: int) -> None:
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.random((40, 50)), 2).astype(np.float32)
    map_ = (smooth - smooth.min()) / np.ptp(smooth)
    peaks = find_peaks(map_, SETTINGS)
    assert len(peaks.rows) > 5
    rows, columns = np.indices(map_.shape)
    places = list(zip(peaks.rows, peaks.columns, strict=True))
    owner = np.argmin([(rows - r) ** 2 + (columns - c) ** 2 for r, c in places], axis=0)
    for index, (row, column) in enumerate(places):
        labels, _ = ndimage.label((map_ >= 0.5 * map_[row, column]) & (owner == index))
        own = np.argwhere(labels == labels[row, column])
        (y0, x0), (y1, x1) = own.min(axis=0), own.max(axis=0) + 1
        assert box_around(map_, peaks, index, 0.5) == (x0, y0, x1, y1)
