"""Model folders: what is written is what is read, and nothing else is trusted."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tiny_model import tiny_network, write_tiny_model

from ribsight.detector.detect import Detector
from ribsight.detector.model_file import find_model, load_model
from ribsight.errors import RibsightError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


def test_a_model_gives_the_same_maps_after_reading(model: Path) -> None:
    network = tiny_network()
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(image / np.float32(255))[None, None]))
    detector = Detector.load(model)
    assert detector.findings == ["rib_fracture", "clavicle_fracture"]
    np.testing.assert_allclose(detector.maps([image]), expected.numpy(), atol=1e-6)


def test_a_run_folder_leads_to_its_model(model: Path) -> None:
    assert find_model(model.parent) == model
    assert find_model(model) == model


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="neither a model folder nor a finished run"):
        find_model(tmp_path)


def test_exchanged_or_truncated_weights_are_refused(model: Path) -> None:
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(RibsightError, match="SHA-256"):
        load_model(model)


def test_a_pickle_in_place_of_weights_is_never_opened(model: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(model / "opened"),)

    torch.save(Harmful(), model / "weights.safetensors")
    with pytest.raises(RibsightError, match="SHA-256"):
        load_model(model)
    assert not (model / "opened").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "other/9"}, "not of schema"),
        ({"findings": ["rib_fracture"]}, "does not fit the described network"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"findings": "rib"}, "'findings'"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    model: Path, change: dict[str, object], message: str
) -> None:
    path = model / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RibsightError, match=message):
        load_model(model)


def test_another_pixel_pipeline_is_refused(model: Path) -> None:
    path = model / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"preprocessing": "v0-64-8"}))
    with pytest.raises(RibsightError, match="pixel pipeline 'v0-64-8'"):
        Detector.load(model)
