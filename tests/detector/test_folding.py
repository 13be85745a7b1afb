"""Frozen batch norms folded into convolutions: the same network, computed otherwise."""

import copy

import pytest
import torch
from torch import nn

from ribsight.detector.folding import fold_frozen_norms
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import NetworkSettings

BACKBONES = ("test_efficientnet", "tf_efficientnet_lite0", "resnet10t", "mobilenetv3_small_050")


def network_of(backbone: str, frozen_levels: int = 0) -> DetectorNetwork:
    torch.manual_seed(1)
    settings = NetworkSettings(
        backbone=backbone, weights="none", pyramid_channels=8, frozen_levels=frozen_levels
    )
    network = DetectorNetwork(settings, 1)
    for module in network.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            # As after training: no norm is the identity.
            for values, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):
                assert values is not None
                nn.init.uniform_(values, low, high)
    return network.to(memory_format=torch.channels_last).train()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_folded_network_says_and_learns_the_same(backbone: str) -> None:
    plain = network_of(backbone)
    folded = copy.deepcopy(plain)
    norms = [one for one in plain.backbone.modules() if isinstance(one, nn.BatchNorm2d)]
    assert fold_frozen_norms(folded.backbone) == len(norms) > 3
    assert list(folded.state_dict()) == list(plain.state_dict())
    assert folded.training
    images = torch.rand(2, 1, 64, 96)
    maps = [one(images) for one in (plain, folded)]
    torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-5)
    for one in maps:
        torch.autograd.backward(one.square().mean())
    for (name, mine), theirs in zip(folded.named_parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        distance = (mine.grad - theirs.grad).norm()
        assert distance <= 2e-3 * theirs.grad.norm() + 1e-7, name


def test_a_copy_of_a_folded_network_has_weights_of_its_own() -> None:
    folded = network_of("test_efficientnet")
    fold_frozen_norms(folded.backbone)
    images = torch.rand(1, 1, 64, 64)
    teacher = copy.deepcopy(folded)
    before = folded(images)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.5)
    assert torch.equal(folded(images), before)
    assert not torch.allclose(teacher(images), before)
    teacher.load_state_dict(folded.state_dict())
    assert torch.equal(teacher(images), before)


def test_frozen_levels_stay_frozen() -> None:
    network = network_of("tf_efficientnet_lite0", frozen_levels=2)
    fold_frozen_norms(network.backbone)
    torch.autograd.backward(network(torch.rand(1, 1, 64, 64)).mean())
    for parameter in network.parameters():
        assert (parameter.grad is None) != parameter.requires_grad
