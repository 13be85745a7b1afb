"""Convolutions on the CPU, quicker than torch's own in both directions; equal up to rounding.

What costs a training step of EfficientNet-Lite most is not its arithmetic:

- oneDNN (3.x) has a kernel for weight gradients of depthwise convolutions up to three columns wide;
  for five columns it falls back to one that is five to ten times slower. Five columns are three
  and three that share the middle one, each with the output's gradient moved by a column.
- TensorFlow's "same" padding adds a row and a column at the far side only, which torch copies the
  whole image for. A kernel with a row and a column of zeros in front needs no such copy.
- 1 x 1 convolutions are products of matrices; on one thread torch copies the bias into the output
  first.
- ReLU6 is done in the same pass, and its gradient is taken from the output.

`benchmarks/training.py` measures what it is worth.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, hardtanh, pad

_Pair = tuple[int, int]
_ONES, _NOTHING = (1, 1), (0, 0)
_SIX = (0.0, 6.0)


@dataclass(frozen=True)
class Shape:
    """A convolution apart from its weights.

    Attributes:
        stride: along rows and columns.
        padding: of zeros on both sides of rows and columns.
        dilation: along rows and columns.
        groups: of channels.
        is_same: padded as TensorFlow does for stride 2 and even sides: one more at the far side.
        is_relu6: followed by ReLU6.

    """

    stride: _Pair = _ONES
    padding: _Pair = _NOTHING
    dilation: _Pair = _ONES
    groups: int = 1
    is_same: bool = False
    is_relu6: bool = False


def is_quick(images: Tensor, weight: Tensor) -> bool:
    """Return whether `convolution` can be used here."""
    return (
        images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and images.is_contiguous(memory_format=torch.channels_last)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def convolution(images: Tensor, weight: Tensor, bias: Tensor, shape: Shape) -> Tensor:
    """Return a convolution.

    Args:
        images: (N, C, H, W), channels last.
        weight: (K, C / groups, k, k).
        bias: (K,).
        shape: of the convolution; `is_same` only for depthwise ones with k of 3 or 5.

    """
    if not torch.is_grad_enabled():
        return _forward(images, weight, bias, shape)
    out: Tensor = _Convolution.apply(images, weight, bias, shape)
    return out


def plain(images: Tensor, weight: Tensor, bias: Tensor, shape: Shape) -> Tensor:
    """Return the same by torch's own means, anywhere."""
    if shape.is_same:
        before, after = weight.shape[-1] // 2 - 1, weight.shape[-1] // 2
        images = pad(images, (before, after, before, after))
    out = conv2d(images, weight, bias, shape.stride, shape.padding, shape.dilation, shape.groups)
    return hardtanh(out, *_SIX) if shape.is_relu6 else out


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, shape: Shape) -> Tensor:
        out = _forward(images, weight, bias, shape)
        ctx.save_for_backward(images, weight, *([out] if shape.is_relu6 else []))
        ctx.shape = shape
        return out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        shape: Shape = ctx.shape
        images, weight, *out = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if shape.is_relu6:
            gradient = torch.ops.aten.hardtanh_backward(gradient, out[0], *_SIX)
        wanted = ctx.needs_input_grad
        to_images, to_weight = _gradients(gradient, images, weight, shape, wanted[0], wanted[1])
        return to_images, to_weight, gradient.sum(dim=(0, 2, 3)) if wanted[2] else None, None


def _forward(images: Tensor, weight: Tensor, bias: Tensor, shape: Shape) -> Tensor:
    weight, padding = _extended(weight, shape)
    after = ("hardtanh", list(_SIX)) if shape.is_relu6 else ("none", [])
    out: Tensor = torch.ops.mkldnn._convolution_pointwise(
        images, weight, bias, padding, shape.stride, shape.dilation, shape.groups, *after, ""
    )
    return out


def _extended(weight: Tensor, shape: Shape) -> tuple[Tensor, _Pair]:
    """Return weights and padding that need no padding at one side only."""
    if not shape.is_same:
        return weight, shape.padding
    half = weight.shape[-1] // 2
    return pad(weight, (1, 0, 1, 0)), (half, half)


def _gradients(
    gradient: Tensor, images: Tensor, weight: Tensor, shape: Shape, to_images: bool, to_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of images and weight, None where not wanted."""
    if weight.shape[2:] == _ONES and (shape.stride, shape.groups) == (_ONES, 1):
        return _of_product(gradient, images, weight, to_images, to_weight)
    is_wide = weight.shape[1:] == (1, 5, 5) and (shape.stride, shape.padding) == (_ONES, (2, 2))
    if not (shape.is_same or is_wide):
        return _of_torch(gradient, images, weight, shape, to_images, to_weight)
    extended, padding = _extended(weight, shape)
    for_images = Shape(shape.stride, padding, _ONES, shape.groups)
    found = _of_torch(gradient, images, extended, for_images, to_images, False)[0]
    if not to_weight:
        return found, None
    return found, (_of_same if shape.is_same else _of_five)(gradient, images, weight)


def _of_product(
    gradient: Tensor, images: Tensor, weight: Tensor, to_images: bool, to_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    size, _, height, width = images.shape
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, len(weight))
    seen = images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])
    back = rows @ weight.flatten(1) if to_images else None
    return (
        None if back is None else back.view(size, height, width, -1).permute(0, 3, 1, 2),
        (rows.t() @ seen).view_as(weight) if to_weight else None,
    )


def _of_torch(
    gradient: Tensor, images: Tensor, weight: Tensor, shape: Shape, to_images: bool, to_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    found = torch.ops.aten.convolution_backward(
        gradient, images, weight, None, shape.stride, shape.padding, shape.dilation,
        False, _NOTHING, shape.groups, (to_images, to_weight, False),
    )  # fmt: skip
    return found[0], found[1]


def _of_five(gradient: Tensor, images: Tensor, weight: Tensor) -> Tensor:
    """Return the weight's gradient of a depthwise 5 x 5 convolution that keeps the size.

    With the output's gradient one column to the left, columns 0, 1, 2 of the weight lie where a
    narrow convolution has its own; one column to the right, columns 2, 3, 4.
    """
    three = weight[..., :3]
    left = _columns(_moved(gradient, -1), images, three, 1, (2, 1))
    # What moved out at the left met the middle column alone.
    lost = _columns(gradient[..., :1], images[..., :1], weight[..., :1], 1, (2, 0))
    right = _columns(_moved(gradient, 1), images, three, 1, (2, 1))
    return torch.cat([left[..., :2], left[..., 2:] + lost, right[..., 1:]], dim=-1)


def _of_same(gradient: Tensor, images: Tensor, weight: Tensor) -> Tensor:
    """Return the weight's gradient of a depthwise convolution with TensorFlow's padding.

    A narrow convolution with padding 1 meets columns -1, 0, 1 of the image; with the output's
    gradient one column, that is two of the image, to the right 1, 2, 3. The weight's columns
    lie at 0, 1, 2 (k = 3) or -1 ... 3 (k = 5); its rows have a row of zeros in front.
    """
    half = weight.shape[-1] // 2
    three = pad(weight, (0, 0, 1, 0))[..., :3]
    near = _columns(gradient, images, three, 2, (half, 1))[..., 1:, :]
    moved = _moved(gradient, 1)
    if half == 2:
        far = _columns(moved, images, three, 2, (half, 1))[..., 1:, 1:]
        return torch.cat([near, far], dim=-1)
    far = _columns(moved, images, three[..., :1], 2, (half, 0))[..., 1:, :]
    return torch.cat([near[..., 1:], far], dim=-1)


def _columns(
    gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: _Pair
) -> Tensor:
    """Return the gradient of a depthwise weight of this shape; its values do not matter."""
    shape = Shape((stride, stride), padding, _ONES, len(weight))
    found = _of_torch(gradient, images, weight, shape, False, True)[1]
    assert found is not None
    return found


def _moved(gradient: Tensor, columns: int) -> Tensor:
    """Return (N, C, H, W) moved by one column to the right (1) or left (-1), zero where empty."""
    moved = torch.empty_like(gradient)
    if columns > 0:
        moved[..., 1:], moved[..., 0] = gradient[..., :-1], 0
    else:
        moved[..., :-1], moved[..., -1] = gradient[..., 1:], 0
    return moved
