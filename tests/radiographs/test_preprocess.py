import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing, Radiograph, preprocess
from ribsight.radiographs.preprocess import equalised, percentiles


def radiograph(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Radiograph:
    return Radiograph(pixels, bits=8 * pixels.dtype.itemsize)


@given(
    width=st.integers(32, 300),
    height=st.integers(32, 300),
    size=st.integers(32, 200),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_a_point_goes_to_the_network_and_comes_back(
    width: int, height: int, size: int, x: float, y: float
) -> None:
    blank = radiograph(np.zeros((height, width), dtype=np.uint8))
    _, affine = preprocess(blank, Preprocessing(size))
    stored = np.array([[x * width, y * height]])
    network = affine.to_network(stored)
    assert np.all((network >= 0) & (network <= size + 1e-9))
    np.testing.assert_allclose(affine.to_stored(network), stored, rtol=0, atol=1e-9)


@given(width=st.integers(32, 300), height=st.integers(32, 300), size=st.integers(32, 200))
def test_the_corners_of_the_image_are_where_its_padding_begins(
    width: int, height: int, size: int
) -> None:
    white = radiograph(np.full((height, width), 255, dtype=np.uint8))
    network, affine = preprocess(white, Preprocessing(size))
    (x0, y0), (x1, y1) = affine.to_network(np.array([[0.0, 0.0], [width, height]]))
    rows, columns = np.nonzero(network)
    assert (columns.min(), rows.min()) == (round(x0), round(y0))
    assert (columns.max() + 1, rows.max() + 1) == (round(x1), round(y1))
    assert max(x1 - x0, y1 - y0) == pytest.approx(size)


@pytest.mark.parametrize(("width", "height", "size"), [(454, 373, 320), (100, 64, 256)])
def test_a_bright_dot_is_found_back_where_it_was_drawn(width: int, height: int, size: int) -> None:
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[20:25, 70:75] = 255  # its centre is x 72.5, y 22.5 from the corner of the corner pixel
    network, affine = preprocess(radiograph(pixels), Preprocessing(size))
    rows, columns = np.indices(network.shape)
    weight = network / network.sum(dtype=np.float64)
    centre = np.array([[((columns + 0.5) * weight).sum(), ((rows + 0.5) * weight).sum()]])
    np.testing.assert_allclose(affine.to_stored(centre), [[72.5, 22.5]], atol=0.1)


def test_8_bit_samples_keep_their_values() -> None:
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8)
    same, _ = preprocess(radiograph(pixels), Preprocessing(64))
    wide, _ = preprocess(radiograph(pixels), Preprocessing(64, bits=16))
    assert np.array_equal(same, pixels)
    assert np.array_equal(wide, pixels.astype(np.uint16) * 257)


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (16, 65535)])
def test_16_bit_samples_fill_the_range_whatever_they_used(bits: int, top: int) -> None:
    # A 12-bit detector: 1000 to 3000 inside, and burnt-in white at the border.
    pixels = np.linspace(1000, 3000, 100 * 100).reshape(100, 100).astype(np.uint16)
    pixels[:3] = 65535
    network, _ = preprocess(radiograph(pixels), Preprocessing(100, bits=bits))
    assert network[10].max() == pytest.approx(0.075 * top, abs=0.02 * top)
    assert network[-10:].max() == top
    assert network[50, 50] == pytest.approx(0.5 * top, abs=0.02 * top)


def test_a_constant_16_bit_image_becomes_zeros() -> None:
    network, _ = preprocess(
        radiograph(np.full((40, 40), 7, dtype=np.uint16)), Preprocessing(32, bits=16)
    )
    assert not network.any()


def test_the_key_names_everything_that_decides_the_pixels() -> None:
    assert Preprocessing(320).key == "v1-320-8"
    assert Preprocessing(1024, bits=16).key == "v1-1024-16"


@pytest.mark.parametrize(("size", "bits"), [(31, 8), (320, 12)])
def test_an_impossible_preprocessing_is_refused(size: int, bits: int) -> None:
    with pytest.raises(RibsightError):
        Preprocessing(size, bits)


def test_local_contrast_evens_out_what_a_shadow_weakens() -> None:
    random = np.random.default_rng(0)
    texture = random.normal(0, 0.1, (256, 256)).astype(np.float32)
    shadow = np.where(np.arange(256) > 128, 0.25, 1.0).astype(np.float32)
    flat = equalised(0.4 + texture * shadow, 8)
    bright, dark = flat[:, 20:100].std(), flat[:, 160:240].std()
    assert 0.5 < dark / bright < 1.05
    assert flat.min() >= 0
    assert flat.max() <= 1
    assert flat.mean() == pytest.approx(0.5, abs=0.02)
    assert Preprocessing(320, local_contrast=8).key == "v1-320-8-c8"
    with pytest.raises(RibsightError, match="-1 pixels"):
        Preprocessing(320, local_contrast=-1)


def test_local_contrast_of_nothing_is_the_middle_grey() -> None:
    assert np.allclose(equalised(np.full((64, 64), 0.3, np.float32), 6), 0.5)


def test_padding_stays_black_behind_local_contrast() -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (100, 50)).astype(np.uint16)
    network, _ = preprocess(Radiograph(pixels, 16), Preprocessing(64, local_contrast=5))
    assert (network[:, :15] == 0).all()
    assert network[:, 20:44].std() > 10


@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    values=st.sampled_from([1, 2, 50, 4096, 65536]),
)
def test_percentiles_by_counting_are_those_of_numpy(
    seed: int, height: int, width: int, values: int
) -> None:
    samples = np.random.default_rng(seed).integers(0, values, (height, width), dtype=np.uint16)
    expected = np.percentile(samples, (0.1, 99.9))
    assert percentiles(samples, (0.1, 99.9)) == expected.tolist()
    eight = (samples // 256).astype(np.uint8)
    assert percentiles(eight, (5, 50, 95)) == np.percentile(eight, (5, 50, 95)).tolist()
