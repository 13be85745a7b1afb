"""Beer-Lambert, scatter, noise."""

import numpy as np
import pytest

from ribsight.simulation.projection.exposure import Technique, expose, primary, spectrum


@pytest.mark.parametrize("kilovolts", [70, 85, 100, 120])
def test_beer_lambert_by_hand(kilovolts: int) -> None:
    table = spectrum(kilovolts)
    assert table.weights.sum() == pytest.approx(1, abs=1e-4)
    soft = table.attenuation[:, table.materials.index("soft_tissue")]
    bone = table.attenuation[:, table.materials.index("cortical_bone")]
    expected = (table.weights * np.exp(-soft * 150 - bone * 3)).sum()
    lengths = {"soft_tissue": np.full((2, 3), 150, np.float32),
               "cortical_bone": np.full((2, 3), 3, np.float32)}  # fmt: skip
    np.testing.assert_allclose(primary(lengths, kilovolts), expected, rtol=1e-5)


def test_nothing_in_the_beam_gives_the_open_field() -> None:
    open_field = primary({"soft_tissue": np.zeros((4, 4), np.float32)}, 120)
    np.testing.assert_allclose(open_field, 1, atol=1e-4)


def test_bone_stands_out_more_at_low_voltage() -> None:
    def contrast(kilovolts: int) -> float:
        behind = [
            primary({"soft_tissue": np.full((1, 1), 150, np.float32),
                     "cortical_bone": np.full((1, 1), mm, np.float32)}, kilovolts)[0, 0]
            for mm in (0.0, 2.0)
        ]  # fmt: skip
        return float(1 - behind[1] / behind[0])

    assert contrast(70) > contrast(85) > contrast(120) > 0.02


def test_noise_has_the_stated_deviation() -> None:
    lengths = {"soft_tissue": np.full((400, 400), 120, np.float32)}
    exposure = expose(lengths, 0.4, Technique(), np.random.default_rng(0))
    normal = (exposure.signal - exposure.mean) / exposure.noise
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    # Poisson: variance = signal / quanta per pixel, plus the electronics'.
    technique = Technique()
    expected = exposure.mean / (technique.quanta * 0.4**2) + technique.dark_noise**2
    np.testing.assert_allclose(exposure.noise**2, expected, rtol=1e-4)


def test_blur_and_scatter_keep_a_uniform_field_uniform() -> None:
    lengths = {"soft_tissue": np.full((64, 64), 200, np.float32)}
    technique = Technique(scatter=0.5)
    exposure = expose(lengths, 0.5, technique, np.random.default_rng(0))
    direct = primary(lengths, technique.kilovolts)
    assert direct.max() < 0.2
    np.testing.assert_allclose(exposure.mean, 1.5 * direct, rtol=1e-4)


def test_same_generator_same_film() -> None:
    lengths = {"soft_tissue": np.full((32, 32), 100, np.float32)}
    first, second = (
        expose(lengths, 0.5, Technique(), np.random.default_rng(5)).signal for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("shape", [(3, 5), (7, 130), (64, 64)])
def test_any_size_can_be_exposed(shape: tuple[int, int]) -> None:
    lengths = {"soft_tissue": np.full(shape, 100, np.float32)}
    assert expose(lengths, 0.5, Technique(), np.random.default_rng(5)).signal.shape == shape
