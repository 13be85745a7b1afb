"""Hand-computed presentation values, and the percentile window inside a collimated field."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from ribsight.radiographs.dicom_header import Header
from ribsight.radiographs.presentation import (
    LookupTable,
    Rendering,
    Rescale,
    Window,
    present,
    present_wide,
)
from ribsight.radiographs.rendering import read_rendering

HEADER = Header(
    ComputedRadiographyImageStorage, ExplicitVRLittleEndian, 100, 100, 1, 12, False, "MONOCHROME2"
)


def test_windows_as_the_standard_defines_them() -> None:
    # PS3.3 C.11.2.1.2.1 gives this example: center 2048, width 4096 maps 0 to 4095 onto all.
    linear = Window(2048, 4096).apply(np.array([0.0, 2047.5, 4095.0, 5000.0]))
    np.testing.assert_allclose(linear, [0, 0.5, 1, 1])
    assert Window(10, 1).apply(np.array([9.0, 9.5, 10.0])).tolist() == [0, 0, 1]
    exact = Window(10, 4, "LINEAR_EXACT").apply(np.array([8.0, 9.0, 10.0, 12.0]))
    np.testing.assert_allclose(exact, [0, 0.25, 0.5, 1])
    sigmoid = Window(10, 4, "SIGMOID").apply(np.array([-1e9, 10.0, 11.0]))
    np.testing.assert_allclose(sigmoid, [0, 0.5, 1 / (1 + np.exp(-1))], atol=1e-12)


def test_a_table_holds_its_ends() -> None:
    table = LookupTable(5, np.array([10, 20, 30], dtype=np.uint16), 255)
    assert table.look_up(np.array([-3.0, 5.0, 6.2, 7.0, 900.0])).tolist() == [10, 10, 20, 30, 30]


def test_a_table_that_never_reaches_its_white_is_stretched_with_a_warning() -> None:
    stored = np.tile(np.arange(64, dtype=np.uint16), (64, 1))
    table = LookupTable(0, (np.arange(64) * 4095 // 63).astype(np.uint16), 65535)
    notes: list[str] = []
    pixels, window = present(stored, Rendering(12, False, choices=(table,)), notes)
    assert (pixels.min(), pixels.max(), window) == (0, 65535, "lookup table")
    assert notes == ["the lookup table reaches 4095 of 65535: its largest is white"]


def film_with_border() -> NDArray[np.uint16]:
    """(200, 160) values 1000 to 2000 in a field, and a collimated border near 4000 around it."""
    random = np.random.default_rng(0)
    film = random.normal(4000, 2, (200, 160))
    film[40:170, 30:120] = random.uniform(1000, 2000, (130, 90))
    film[5:15, 5:20] = 0  # a letter of lead
    return film.astype(np.uint16)


def test_the_percentile_window_is_that_of_the_collimated_field() -> None:
    film = film_with_border()
    pixels, window = present(film, Rendering(12, False), [])
    assert window == "percentiles"
    expected = (film - 1005.0) / 990
    inside = (slice(45, 165), slice(35, 115))
    np.testing.assert_allclose(pixels[inside] / 65535, expected[inside].clip(0, 1), atol=0.01)
    given, _ = present(film, Rendering(12, False, field=(40, 170, 30, 120)), [])
    assert np.abs(given[inside].astype(int) - pixels[inside]).max() < 700


def test_a_film_without_a_border_is_used_whole() -> None:
    film = np.random.default_rng(0).integers(0, 4096, (200, 160), dtype=np.uint16)
    pixels, _ = present(film, Rendering(12, False), [])
    np.testing.assert_allclose(pixels / 65535, ((film - 20.0) / 4055).clip(0, 1), atol=0.005)


def test_a_constant_film_is_read_as_black() -> None:
    assert not present(np.full((50, 50), 7, np.uint16), Rendering(12, False), [])[0].any()


def test_a_falling_rescale_turns_light_and_dark() -> None:
    stored = np.tile(np.arange(100, dtype=np.uint16), (100, 1))
    rising, _ = present(stored, Rendering(12, False), [])
    falling, _ = present(stored, Rendering(12, False, modality=Rescale(-1, 4095)), [])
    assert np.array_equal(falling, 65535 - rising)


@pytest.mark.parametrize(
    ("data", "syntax", "bits", "entries"),
    [
        (b"\1\0\2\0\3\0\4\0", ExplicitVRLittleEndian, 16, [1, 2, 3, 4]),
        (b"\0\1\0\2\0\3\0\4", ExplicitVRBigEndian, 16, [1, 2, 3, 4]),
        (b"\1\2\3\4", ExplicitVRLittleEndian, 8, [1, 2, 3, 4]),
        (b"\1\0\2\0\3\0\4\0", ExplicitVRLittleEndian, 8, [1, 2, 3, 4]),
    ],
)
def test_tables_of_bytes_and_words(data: bytes, syntax: str, bits: int, entries: list[int]) -> None:
    (table,) = rendering_of(data, [4, 100, bits], syntax).choices
    assert isinstance(table, LookupTable)
    assert (table.first, table.entries.tolist(), table.top) == (100, entries, 2**bits - 1)


@pytest.mark.parametrize(
    ("data", "descriptor"),
    [(b"\1\0\2\0", [4, 0, 16]), (b"", [0, 0, 16]), (b"\1\0\2\0", [2, 0, 3]), (b"\1\0\2\0", [2, 0])],
)
def test_a_damaged_table_is_absent_with_a_warning(data: bytes, descriptor: list[int]) -> None:
    notes: list[str] = []
    assert rendering_of(data, descriptor, ExplicitVRLittleEndian, notes).choices == ()
    assert notes == ["a table of VOILUTSequence is damaged and treated as absent"]


def rendering_of(
    data: bytes, descriptor: list[int], syntax: str, notes: list[str] | None = None
) -> Rendering:
    dataset, item = Dataset(), Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", data)
    dataset.VOILUTSequence = [item]
    header = Header(**{**HEADER.__dict__, "transfer_syntax": syntax})
    return read_rendering(dataset, header, [] if notes is None else notes)[0]


def test_a_collimator_in_other_units_is_not_believed() -> None:
    dataset = Dataset()
    dataset.CollimatorShape = "RECTANGULAR"
    dataset.CollimatorUpperHorizontalEdge, dataset.CollimatorLowerHorizontalEdge = 10, 90
    dataset.CollimatorLeftVerticalEdge, dataset.CollimatorRightVerticalEdge = 5, 95
    assert read_rendering(dataset, HEADER, [])[0].field == (10, 90, 5, 95)
    dataset.CollimatorLeftVerticalEdge = -184
    assert read_rendering(dataset, HEADER, [])[0].field is None


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    "choices", [(Window(1500, 400),), (Window(1500, 400, "LINEAR_EXACT"),), ()]
)
def test_wide_values_shown_through_the_files_window_are_the_usual_ones(
    choices: tuple[Window, ...], inverted: bool
) -> None:
    film = film_with_border()
    rendering = Rendering(12, False, Rescale(0.5, 700), choices=choices, inverted=inverted)
    usual, window = present(film, rendering, [])
    wide, same_window, (black, white) = present_wide(film, rendering, [])
    assert window == same_window
    again = ((wide.astype(float) - black) / (white - black)).clip(0, 1) * 65535
    np.testing.assert_allclose(again, usual, atol=65535 / (white - black) + 1)
    # What was cut off is there: as many values as were stored, in their order.
    assert len(np.unique(usual)) < len(np.unique(wide)) == len(np.unique(film))
    _, first = np.unique(film, return_index=True)
    steps = np.diff(wide.ravel()[first].astype(float))
    assert (steps < 0).all() if inverted else (steps > 0).all()
    assert (wide.min(), wide.max()) == (0, 65535)


def test_tables_and_sigmoids_have_no_ends_to_widen() -> None:
    film = film_with_border()
    table = LookupTable(0, np.arange(0, 65536, 16, dtype=np.uint16), 65535)
    for choice in (table, Window(1500, 400, "SIGMOID")):
        rendering = Rendering(12, False, choices=(choice,))
        wide, _, ends = present_wide(film, rendering, [])
        np.testing.assert_array_equal(wide, present(film, rendering, [])[0])
        assert ends == (0, 65535)
