"""Backbone + feature pyramid + 1 x 1 head: radiographs -> logit maps at stride 4."""

import math
from typing import Any

import timm
import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ribsight.detector.pretrained import load_weights
from ribsight.detector.settings import STRIDE, NetworkSettings
from ribsight.errors import RibsightError

_STRIDES = (STRIDE, 8, 16, 32)


class DetectorNetwork(nn.Module):
    """Fully convolutional detector.

    A timm backbone gives features at strides 4 to 32; a feature pyramid (Lin et al., CVPR 2017)
    carries the coarse ones down to stride 4, where a 1 x 1 convolution gives one logit per finding.
    Only the finest pyramid level is read, because a fracture is small on every radiograph.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: NetworkSettings, findings: int, *, pretrained: bool = True):
        """Build the network; `pretrained` loads `settings.weights`, else weights are random."""
        super().__init__()
        self.settings = settings
        self.backbone, channels = _feature_backbone(settings.backbone)
        if pretrained:
            load_weights(self.backbone, settings.backbone, settings.weights)
        self.pyramid = FeaturePyramid(channels, settings.pyramid_channels, settings.pyramid_norm)
        self.head = nn.Conv2d(settings.pyramid_channels, findings, kernel_size=1)
        nn.init.normal_(self.head.weight, std=0.01)
        bias = torch.full((findings,), math.log(settings.prior / (1 - settings.prior)))
        self.head.bias = nn.Parameter(bias)
        mean, std = _grey_normalisation(settings.backbone)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self._freeze_levels(settings.frozen_levels)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits.

        Args:
            images: (N, 1, H, W) intensities in [0, 1]; H and W multiples of 32.

        Returns:
            (N, K, H/4, W/4) logits.

        """
        normalised = (images - self.mean) / self.std
        logits: Tensor = self.head(self.pyramid(self.backbone(normalised)))
        return logits

    def train(self, mode: bool = True) -> "DetectorNetwork":
        """Switch to training mode; frozen batch norms keep their running statistics."""
        super().train(mode)
        if self.settings.batch_norm == "frozen":
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def _freeze_levels(self, levels: int) -> None:
        """Stop training every weight up to and including the given feature level (1: stride 2)."""
        modules = [info["module"] for info in _all_levels(self.settings.backbone)]
        if levels > len(modules):
            raise RibsightError(
                f"detector.frozen_levels = {levels}, but {self.settings.backbone} has only "
                f"{len(modules)} feature levels"
            )
        if levels == 0:
            return
        last = modules[levels - 1]
        reached = False
        for name, parameter in self.backbone.named_parameters():
            inside = name.startswith(f"{last}.")
            if reached and not inside:
                break
            reached = reached or inside
            parameter.requires_grad_(False)


class FeaturePyramid(nn.Module):
    """Top-down pathway; returns its finest level.

    Group norm, not batch norm: it needs no batch statistics, so one process and many agree. Group
    norm still takes its statistics over the whole view: a crop and the whole image give the same
    place different values. The norm of each pixel over its channels does not.
    """

    def __init__(self, channels: list[int], width: int, norm: str = "group"):
        """Join feature maps of `channels`, finest first, into one of `width` channels."""
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, width, kernel_size=1) for c in channels])
        self.smooth = nn.ModuleList([_smoothing(width, norm) for _ in channels])

    def forward(self, features: list[Tensor]) -> Tensor:
        """Join feature maps, finest first, (N, C_i, H_i, W_i), into (N, width, H_0, W_0)."""
        joined = self.smooth[-1](self.lateral[-1](features[-1]))
        for level in range(len(features) - 2, -1, -1):
            above = interpolate(joined, size=features[level].shape[-2:], mode="nearest")
            joined = self.smooth[level](self.lateral[level](features[level]) + above)
        return joined  # type: ignore[no-any-return]


def _smoothing(width: int, norm: str) -> nn.Sequential:
    convolution = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=norm == "none")
    if norm == "none":
        return nn.Sequential(convolution, nn.ReLU(inplace=True))
    normal = LayerNorm2d(width) if norm == "pixel" else nn.GroupNorm(8, width)
    return nn.Sequential(convolution, normal, nn.ReLU(inplace=True))


def _all_levels(backbone: str) -> list[dict[str, Any]]:
    features: Any = timm.create_model(backbone, pretrained=False, features_only=True)
    return list(features.feature_info.info)


def _feature_backbone(backbone: str) -> tuple[nn.Module, list[int]]:
    """Return a one-channel backbone and the channels of its levels, finest first."""
    try:
        reductions = [level["reduction"] for level in _all_levels(backbone)]
        indices = [reductions.index(stride) for stride in _STRIDES]
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise RibsightError(
            f"'{backbone}' is not a timm model with features at strides 4, 8, 16 and 32: {error}"
        ) from error
    features: Any = timm.create_model(
        backbone, pretrained=False, features_only=True, in_chans=1, out_indices=indices
    )
    return features, features.feature_info.channels()


def _grey_normalisation(backbone: str) -> tuple[float, float]:
    """Mean and standard deviation of a grey image as the backbone's training knew them."""
    config = timm.get_pretrained_cfg(backbone)
    if config is None:
        return 0.5, 0.5
    return sum(config.mean) / len(config.mean), sum(config.std) / len(config.std)
