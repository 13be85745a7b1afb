"""Frozen batch norms without their cost, for training.

A batch norm whose statistics do not change is a factor and a shift of each channel, which the
convolution before it can do for nothing: w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e). Folded
anew at every pass, gradients reach w, g and b as before, up to rounding, while two passes over
every feature map and its copy in memory are saved (`benchmarks/training.py` measures it).
"""

from functools import partial
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ribsight.detector.convolution import Shape, convolution, is_quick, plain

_SIDE = 64


def fold_frozen_norms(backbone: nn.Module, channels: int = 1) -> int:
    """Let convolutions do the work of the frozen batch norms that follow them.

    Names, weights and copies of the modules stay as they are; only how they compute changes. Call
    it on a backbone whose batch norms never learn new statistics.

    Args:
        backbone: maps (N, `channels`, H, W) to feature maps.
        channels: of its images.

    Returns:
        How many batch norms were folded.

    """
    pairs = _pairs(backbone, channels)
    for conv, norm in pairs:
        # On the module itself, so that names and types stay; copies take it along.
        conv.forward = partial(_folded, conv, norm)  # type: ignore[method-assign]
        norm.forward = partial(_after, norm)  # type: ignore[method-assign]
    for module in backbone.modules():
        # Their gradient needs the input, so autograd would save a copy of what they overwrite.
        if isinstance(module, nn.Hardtanh | nn.SiLU | nn.Hardswish | nn.Mish | nn.CELU):
            module.inplace = False
    return len(pairs)


def _pairs(backbone: nn.Module, channels: int) -> list[tuple[nn.Conv2d, _BatchNorm]]:
    """Return each batch norm whose input is, as such, the output of a convolution."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, _BatchNorm]] = []

    def after(module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        is_plain = type(module) in (nn.Conv2d, Conv2dSame)
        if isinstance(module, nn.Conv2d) and is_plain and module.padding_mode == "zeros":
            # The tensor is kept, so that no other takes its number.
            made[id(output)] = (module, output)

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        conv = made.get(id(inputs[0])) if inputs else None
        if conv is not None and isinstance(module, _BatchNorm) and module.affine:
            pairs.append((conv[0], module))

    hooks = [one.register_forward_hook(after) for one in backbone.modules()]
    hooks += [one.register_forward_pre_hook(before) for one in backbone.modules()]
    was_training = backbone.training
    try:
        with torch.no_grad():
            backbone.eval()(torch.zeros(1, channels, _SIDE, _SIDE))
    finally:
        for hook in hooks:
            hook.remove()
        backbone.train(was_training)
    return pairs


def _folded(conv: nn.Conv2d, norm: _BatchNorm, images: Tensor) -> Tensor:
    """Return what `conv` and then the frozen `norm` give, with the norm's ReLU6 if it has one."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * factor
    if conv.bias is not None:
        shift = shift + conv.bias * factor
    weight = conv.weight * factor.view(-1, 1, 1, 1)
    shape, images = _shape(conv, norm, images)
    compute = convolution if is_quick(images, weight) else plain
    return compute(images, weight, shift, shape)


def _shape(conv: nn.Conv2d, norm: _BatchNorm, images: Tensor) -> tuple[Shape, Tensor]:
    """Describe a convolution; return its images as well, padded if it could not do that itself."""
    is_same = (
        isinstance(conv, Conv2dSame)
        and conv.groups == conv.out_channels == conv.in_channels
        and conv.kernel_size in ((3, 3), (5, 5))
        and conv.stride == (2, 2)
        and conv.dilation == (1, 1)
        and images.shape[-2] % 2 == images.shape[-1] % 2 == 0
    )
    if isinstance(conv, Conv2dSame) and not is_same:
        images = pad_same(images, list(conv.kernel_size), list(conv.stride), list(conv.dilation))
    return Shape(
        _pair(conv.stride),
        _pair(conv.padding),
        _pair(conv.dilation),
        conv.groups,
        is_same,
        _has_relu6(norm),
    ), images


def _has_relu6(norm: _BatchNorm) -> bool:
    before = getattr(norm, "drop", None)
    return isinstance(getattr(norm, "act", None), nn.ReLU6) and isinstance(before, nn.Identity)


def _after(norm: _BatchNorm, normalised: Tensor) -> Tensor:
    """Return what timm's batch norms do after normalising, unless it is done."""
    names = ("drop",) if _has_relu6(norm) else ("drop", "act")
    for name in names:
        then = getattr(norm, name, None)
        normalised = normalised if then is None else then(normalised)
    return normalised


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
