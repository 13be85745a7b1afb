from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ribsight.radiographs import Pixels, read_radiograph
from ribsight.radiographs import view_classifier as classifier
from ribsight.radiographs.eligibility import KINDS, Policy, eligibility
from ribsight.radiographs.image_header import ImageHeader
from ribsight.radiographs.radiograph import View
from ribsight.radiographs.view_classifier import (
    SIDE,
    judged_by_pixels,
    look_at,
    network_input,
)
from ribsight.simulation.registry import simulate_registry
from ribsight.simulation.settings import RegistrySettings

SILENT = ImageHeader(modality="CR")
CHEST = ImageHeader(modality="CR", body_part="CHEST")


@pytest.fixture(scope="session")
def chests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Pixels]]:
    """Films of three simulated patients by view."""
    out = tmp_path_factory.mktemp("registry")
    document = {"seed": 31, "drawn": 0, "films": {"size": 160, "lateral_share": 1.0}}
    simulate_registry(out, 4, RegistrySettings.model_validate(document), progress=False)
    views: dict[str, list[Pixels]] = {"frontal": [], "lateral": []}
    for line in (out / "truth" / "radiographs.csv").read_text().splitlines()[1:]:
        _, name, view = line.split(",")[:3]
        pixels = read_radiograph(out / "images" / f"{name}.dcm").pixels
        if view in ("pa_erect", "ap_supine", "lateral"):
            views["lateral" if view == "lateral" else "frontal"].append(pixels)
    assert all(views.values())
    return views


def test_simulated_chests_are_told_apart(chests: dict[str, list[Pixels]]) -> None:
    for pixels in chests["frontal"]:
        assert look_at(pixels).frontal > 0.9
    for pixels in chests["lateral"]:
        assert look_at(pixels).lateral > 0.9


def test_a_real_chest_passes_and_a_real_hip_does_not(dicom_data: Path) -> None:
    for file, kind in (
        ("RG1_CR_CHEST_PA_j2ki.dcm", "chest"),
        ("RG1_CR_CHEST_PA_jlsn.dcm", "chest"),
        ("RG2_CR_HIP_rle.dcm", "other_body_part"),
    ):
        pixels = read_radiograph(dicom_data / file).pixels
        found = judged_by_pixels(eligibility(CHEST), pixels, Policy())
        assert found.kind == kind
        assert found.eligible == (kind == "chest")


def test_what_the_header_settles_stays(chests: dict[str, list[Pixels]]) -> None:
    lateral = chests["lateral"][0]
    said = eligibility(ImageHeader(body_part="CHEST", view=View.PA, view_source="ViewPosition"))
    assert judged_by_pixels(said, lateral, Policy()) == said
    said = eligibility(ImageHeader(modality="MG"))
    assert judged_by_pixels(said, chests["frontal"][0], Policy(KINDS)) == said


def test_pixels_settle_what_the_header_leaves_open(chests: dict[str, list[Pixels]]) -> None:
    for header in (SILENT, CHEST):
        said = eligibility(header)
        refused = judged_by_pixels(said, chests["lateral"][0], Policy())
        assert (refused.eligible, refused.kind) == (False, "lateral_chest")
        assert refused.source.endswith("+ pixels")
        assert "look like a chest from the side" in refused.reason
        passed = judged_by_pixels(said, chests["frontal"][0], Policy())
        # Pixels do not vouch for what no header says.
        assert (passed.eligible, passed.kind) == (True, said.kind)
        assert "look like a chest from the front" in passed.reason
        assert judged_by_pixels(said, chests["lateral"][0], Policy(KINDS)).eligible


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_turned_and_inverted_chests_are_noticed(
    chests: dict[str, list[Pixels]], quarter: int
) -> None:
    film = chests["frontal"][0]
    assert look_at(film).warnings() == ()
    assert look_at(film).turn == 0
    turned = np.asarray(np.rot90(film, -quarter), np.uint16)
    assert look_at(turned).turn == 90 * quarter
    assert f"turned by {90 * quarter} degrees" in "".join(look_at(turned).warnings())
    inverted = np.asarray(film.max() - film, np.uint16)
    assert look_at(inverted).inverted > 0.9
    assert "bone seems dark" in "".join(look_at(inverted).warnings())


def test_a_page_of_text_is_no_chest() -> None:
    page = np.zeros((700, 500), np.uint8)
    for y in range(40, 680, 30):
        text = "Findings: no acute fracture seen."
        cv2.putText(page, text, (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1)
    found = judged_by_pixels(eligibility(SILENT), page, Policy())
    assert (found.eligible, found.kind) == (False, "other_body_part")


@given(
    st.floats(0.3, 3).map(lambda power: lambda x: x**power)
    | st.floats(0.05, 10).map(lambda factor: lambda x: 7 + factor * x)
)
def test_brightness_contrast_and_gamma_do_not_matter(
    tone: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    film = np.random.default_rng(0).random((SIDE, SIDE))
    np.testing.assert_allclose(network_input(tone(film)), network_input(film), atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 32), (40, 900), (64, 64), (1000, 37)])
def test_any_size_and_an_empty_image_are_looked_at(shape: tuple[int, int]) -> None:
    for pixels in (np.zeros(shape, np.uint8), np.full(shape, 65535, np.uint16)):
        planes = network_input(pixels)
        assert planes.shape == (2, SIDE, SIDE)
        assert np.isfinite(planes).all()
        look = look_at(pixels)
        assert look.frontal + look.lateral + look.other == pytest.approx(1, abs=1e-5)
        assert look.warnings() == () or look.frontal >= 0.5


def test_the_network_is_that_of_pytorch() -> None:
    planes = np.random.default_rng(1).normal(size=(2, SIDE, SIDE)).astype(np.float32)
    weights = {name: torch.from_numpy(value) for name, value in classifier._weights().items()}
    expected = torch.from_numpy(planes)[None]
    for layer in range(4):
        expected = torch.conv2d(
            expected, weights[f"convolution{layer}"], weights[f"bias{layer}"], stride=2, padding=1
        ).relu()
    expected = weights["linear"] @ expected.flatten() + weights["bias"]
    kinds, turns, inverted = classifier._run(planes)
    found = np.concatenate([kinds, turns, [inverted]])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-3)
