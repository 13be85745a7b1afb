"""Quick convolutions against torch's own: values and gradients."""

import pytest
import torch
from torch import Tensor

from ribsight.detector.convolution import Shape, convolution, is_quick, plain

DEPTHWISE = Shape(padding=(2, 2), groups=16)
SAME = Shape(stride=(2, 2), groups=16, is_same=True)

CASES = {
    "product": (Shape(), 1, (9, 7)),
    "product with relu6": (Shape(is_relu6=True), 1, (8, 8)),
    "five": (DEPTHWISE, 5, (12, 10)),
    "five on few cells": (DEPTHWISE, 5, (5, 5)),
    "five on a single column": (DEPTHWISE, 5, (4, 1)),
    "five with relu6": (Shape(padding=(2, 2), groups=16, is_relu6=True), 5, (7, 9)),
    "same of three": (SAME, 3, (12, 10)),
    "same of three on two columns": (SAME, 3, (4, 2)),
    "same of five": (SAME, 5, (10, 12)),
    "same of five on two columns": (SAME, 5, (4, 2)),
    "same of five with relu6": (
        Shape(stride=(2, 2), groups=16, is_same=True, is_relu6=True), 5, (8, 8)
    ),
    "three by three": (Shape(stride=(2, 2), padding=(1, 1)), 3, (9, 8)),
    "depthwise three": (Shape(padding=(1, 1), groups=16), 3, (9, 8)),
}  # fmt: skip


def values(name: str) -> tuple[Tensor, Tensor, Tensor, Shape]:
    shape, side, (height, width) = CASES[name]
    random = torch.Generator().manual_seed(7)
    images = 3 * torch.randn(3, 16, height, width, generator=random)
    weight = torch.randn(16, 16 // shape.groups, side, side, generator=random)
    bias = torch.randn(16, generator=random)
    return images.contiguous(memory_format=torch.channels_last), weight, bias, shape


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_torch(name: str) -> None:
    images, weight, bias, shape = values(name)
    assert is_quick(images, weight)
    quick = tuple(one.clone().requires_grad_() for one in (images, weight, bias))
    exact = tuple(one.double().requires_grad_() for one in (images, weight, bias))
    out = convolution(quick[0], quick[1], quick[2], shape)
    expected = plain(exact[0], exact[1], exact[2], shape)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    # A gradient as it comes from the next layer: not contiguous, of both signs.
    incoming = torch.randn(*out.shape[:2], *out.shape[:1:-1]).transpose(-1, -2)
    mine = torch.autograd.grad(out, quick, incoming)
    theirs = torch.autograd.grad(expected, exact, incoming.double())
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert torch.equal(convolution(images, weight, bias, shape), out)


@pytest.mark.parametrize("name", CASES)
def test_gradients_that_nobody_wants_are_not_made(name: str) -> None:
    images, weight, bias, shape = values(name)
    weight.requires_grad_()
    (found,) = torch.autograd.grad(convolution(images, weight, bias, shape).sum(), weight)
    images.requires_grad_()
    both = torch.autograd.grad(convolution(images, weight, bias, shape).sum(), [images, weight])
    assert torch.equal(found, both[1])


def test_elsewhere_torch_does_it() -> None:
    images, weight, _, _ = values("five")
    assert not is_quick(images.double(), weight.double())
    assert not is_quick(images.contiguous(), weight)  # channels first
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_quick(images, weight)
