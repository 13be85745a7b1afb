"""Orientation, crop and resize as one affine: what was drawn on stored pixels is found back."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing, Radiograph, preprocess, read_radiograph
from ribsight.radiographs.orientation import (
    orientation_of_exif,
    orientation_of_patient,
    turned,
)
from ribsight.radiographs.radiograph import Orientation

WriteDicom = Callable[..., Path]

EIGHT = [Orientation(*flags) for flags in product((False, True), repeat=3)]
FRONTAL = [
    [a, b] for a, b in product("LRHF", repeat=2) if (a in "LR") != (b in "LR")
]  # the eight ways to lay a frontal film
LATERAL = [[a, b] for a, b in product("APHF", repeat=2) if (a in "AP") != (b in "AP")]


def radiograph(
    height: int, width: int, orientation: Orientation, field: tuple[int, int, int, int] | None
) -> Radiograph:
    pixels = np.zeros((height, width), np.uint8)
    return Radiograph(pixels, 8, orientation=orientation, field=field)


@given(
    orientation=st.sampled_from(EIGHT),
    height=st.integers(60, 300),
    width=st.integers(60, 300),
    size=st.integers(32, 200),
    edges=st.tuples(*[st.floats(0, 0.2)] * 4),
    crop=st.sampled_from(["none", "collimation"]),
    box=st.tuples(*[st.floats(0.25, 0.75)] * 4),
)
def test_a_box_goes_to_the_network_and_comes_back(
    orientation: Orientation, height: int, width: int, size: int,
    edges: tuple[float, ...], crop: str, box: tuple[float, ...],
) -> None:  # fmt: skip
    top, left = int(edges[0] * height), int(edges[1] * width)
    bottom, right = height - int(edges[2] * height), width - int(edges[3] * width)
    image = radiograph(height, width, orientation, (top, bottom, left, right))
    wanted = Preprocessing(size, orientation="from_header", crop=crop)  # type: ignore[arg-type]
    _, affine = preprocess(image, wanted)
    xs, ys = sorted(box[:2]), sorted(box[2:])
    drawn = np.array([[xs[0] * width, ys[0] * height, xs[1] * width, ys[1] * height]])
    network = affine.boxes_to_network(drawn)
    assert np.all(network[:, 2:] >= network[:, :2])
    assert np.all((network >= -1e-9) & (network <= size + 1e-9))
    np.testing.assert_allclose(affine.boxes_to_stored(network), drawn, rtol=0, atol=1e-9)
    corner = affine.to_stored(affine.to_network(drawn[:, :2]))
    np.testing.assert_allclose(corner, drawn[:, :2], rtol=0, atol=1e-9)


@pytest.mark.parametrize("orientation", EIGHT, ids=str)
@pytest.mark.parametrize("crop", ["none", "collimation"])
def test_a_bright_dot_lies_where_the_affine_says(orientation: Orientation, crop: str) -> None:
    pixels = np.zeros((150, 230), np.uint8)
    pixels[40:46, 70:76] = 255  # its centre is x 73, y 43
    image = Radiograph(pixels, 8, orientation=orientation, field=(30, 130, 50, 200))
    wanted = Preprocessing(128, orientation="from_header", crop=crop)  # type: ignore[arg-type]
    network, affine = preprocess(image, wanted)
    rows, columns = np.indices(network.shape)
    weight = network / network.sum(dtype=np.float64)
    centre = np.array([[((columns + 0.5) * weight).sum(), ((rows + 0.5) * weight).sum()]])
    np.testing.assert_allclose(affine.to_stored(centre), [[73, 43]], atol=0.2)
    np.testing.assert_allclose(affine.to_network(np.array([[73.0, 43.0]])), centre, atol=0.2)


@pytest.mark.parametrize("directions", [*FRONTAL, *LATERAL], ids="".join)
def test_what_the_patient_points_at_ends_up_upright(directions: list[str]) -> None:
    """Letters at the edges of a picture, laid as the header says, end where they belong."""
    opposite = dict(zip("LRAPHF", "RLPAFH", strict=True))
    letters = np.array(
        [
            [" ", opposite[directions[1]], " "],
            [opposite[directions[0]], " ", directions[0]],
            [" ", directions[1], " "],
        ]
    )
    orientation = orientation_of_patient(directions)
    assert orientation is not None
    upright = turned(letters, orientation)
    across = "".join(upright[1])
    assert (upright[0, 1], upright[2, 1]) == ("H", "F")
    assert across == "R L" if directions in FRONTAL else across in ("A P", "P A")
    if directions in LATERAL:  # turned, not mirrored: an odd number of steps would mirror
        steps = (orientation.transposed, orientation.mirrored_x, orientation.mirrored_y)
        assert sum(steps) % 2 == 0


@pytest.mark.parametrize("directions", [[], ["L"], ["L", "R"], ["X", "F"], ["H", "F"], ["L", ""]])
def test_an_orientation_that_says_nothing_is_none(directions: list[str]) -> None:
    assert orientation_of_patient(directions) is None


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_is_what_pillow_does(tmp_path: Path, value: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = value
    image.save(tmp_path / "a.png", exif=exif)
    read = read_radiograph(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as again:
        expected = np.asarray(ImageOps.exif_transpose(again))
    assert np.array_equal(read.pixels, pixels)
    assert read.orientation == orientation_of_exif(value)
    assert np.array_equal(turned(read.pixels, read.orientation), expected)
    network, _ = preprocess(read, Preprocessing(60, orientation="from_header"))
    top, left = (60 - expected.shape[0]) // 2, (60 - expected.shape[1]) // 2
    inside = network[top : top + expected.shape[0], left : left + expected.shape[1]]
    assert np.array_equal(inside, expected)


def test_a_mirrored_film_is_mirrored_back_only_where_that_is_asked_for(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    upright = read_radiograph(write_dicom("a.dcm", PatientOrientation=["L", "F"]))
    mirrored = read_radiograph(
        write_dicom("b.dcm", film[:, ::-1], PatientOrientation=["R", "F"],
                    FieldOfViewHorizontalFlip="YES", FieldOfViewRotation="90")
    )  # fmt: skip
    assert np.array_equal(mirrored.pixels, upright.pixels[:, ::-1])
    as_stored, _ = preprocess(mirrored, Preprocessing(64))
    turned_back, _ = preprocess(mirrored, Preprocessing(64, orientation="from_header"))
    expected, _ = preprocess(upright, Preprocessing(64))
    assert np.array_equal(turned_back, expected)
    assert not np.array_equal(as_stored, expected)
    assert mirrored.provenance is not None
    assert mirrored.provenance.orientation_source == "PatientOrientation"
    assert mirrored.provenance.field_of_view == "turned 90, flipped"


def test_a_collimated_border_is_cut_off_where_that_is_asked_for(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    wide = np.full((100, 100), 4095, np.uint16)
    wide[20:80, 26:74] = film
    image = read_radiograph(write_dicom(pixels=wide))
    assert image.field == (20, 80, 26, 74)
    whole, _ = preprocess(image, Preprocessing(128))
    part, affine = preprocess(image, Preprocessing(128, crop="collimation"))
    corners = affine.to_stored(np.array([[0.0, 0.0], [128.0, 128.0]]))
    assert corners[0, 1] == pytest.approx(19)
    assert corners[1, 1] == pytest.approx(81)
    assert (part > 0).mean() > (whole > 0).mean() * 0.5
    assert np.ptp(affine.boxes_to_network(np.array([[26.0, 20.0, 74.0, 80.0]]))[0, 1::2]) > 120


def test_defaults_keep_pixels_and_names() -> None:
    """Caches and models that exist are named after these keys."""
    assert Preprocessing(320).key == "v1-320-8"
    assert Preprocessing(512, 16, 8).key == "v1-512-16-c8"
    keys = {
        Preprocessing(64, orientation=a, crop=b).key  # type: ignore[arg-type]
        for a, b in product(("as_stored", "from_header"), ("none", "collimation"))
    }
    assert len(keys) == 4
    image = radiograph(60, 48, Orientation(True, True, False), (10, 50, 10, 40))
    _, affine = preprocess(image, Preprocessing(64))
    assert (affine.transposed, affine.scale_x > 0, affine.offset_y) == (False, True, 0)


@pytest.mark.parametrize("option", [{"orientation": "upright"}, {"crop": "yes"}])
def test_another_word_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(RibsightError, match=next(iter(option))):
        Preprocessing(64, **option)  # type: ignore[arg-type]


def test_unit_pixels_are_from_black_to_white() -> None:
    eight = Radiograph(np.array([[0, 255], [85, 0]], np.uint8), 8).unit_pixels()
    sixteen = Radiograph(np.array([[0, 65535], [21845, 0]], np.uint16), 16).unit_pixels()
    for unit in (eight, sixteen):
        assert unit.dtype == np.float32
        assert np.allclose(unit, np.array([[0, 1], [1 / 3, 0]]), atol=1e-6)
