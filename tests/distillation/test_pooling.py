"""Image-level objectives against their definitions in probabilities, computed in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from ribsight.distillation import pooling
from ribsight.findings import Supervision as S

MAPS = arrays(np.float64, (1, 1, 3, 4), elements=st.floats(-4, 4)).map(torch.from_numpy)


def probabilities(logits: Tensor) -> Tensor:
    return torch.sigmoid(logits.double())


@given(logits=MAPS)
def test_noisy_or_is_one_minus_the_product(logits: Tensor) -> None:
    expected = -torch.log(1 - torch.prod(1 - probabilities(logits).flatten()))
    assert float(-pooling.noisy_or(logits)[0]) == pytest.approx(float(expected), abs=1e-5)


def test_noisy_or_holds_where_the_product_underflows() -> None:
    sure = torch.full((1, 1, 200, 200), 3.0, requires_grad=True)
    loss = -pooling.noisy_or(sure)[0]
    assert float(loss.detach()) == 0.0
    unlikely = torch.full((1, 1, 10, 10), -16.0, requires_grad=True)
    loss = -pooling.noisy_or(unlikely)[0]
    assert float(loss.detach()) == pytest.approx(16 - np.log(100), abs=1e-3)
    torch.autograd.backward(loss.sum())
    assert unlikely.grad is not None
    # -log(sum p): each of a hundred equal places gets a hundredth of the push.
    torch.testing.assert_close(unlikely.grad, torch.full_like(unlikely, -0.01), rtol=1e-3, atol=0)


@given(logits=MAPS, sharpness=st.floats(0.1, 20))
def test_log_sum_exp_lies_between_mean_and_maximum(logits: Tensor, sharpness: float) -> None:
    pooled = float(pooling.log_sum_exp(logits, sharpness))
    expected = np.log(np.mean(np.exp(sharpness * logits.numpy()))) / sharpness
    assert pooled == pytest.approx(float(expected), abs=1e-4)
    assert float(logits.mean()) - 1e-4 <= pooled <= float(logits.max()) + 1e-4


@given(logits=MAPS)
def test_pcam_pools_features_before_a_linear_layer(logits: Tensor) -> None:
    features = torch.stack([logits[0, 0], logits[0, 0] ** 2])
    linear = torch.tensor([1.0, 0.0], dtype=torch.float64)
    weight = probabilities(logits)[0, 0]
    pooled = (features * weight / weight.sum()).sum(dim=(-2, -1))
    assert float(pooling.attended(logits)) == pytest.approx(float(linear @ pooled), abs=1e-4)


@given(logits=arrays(np.float64, (1, 3, 4, 4), elements=st.floats(-4, 4)).map(torch.from_numpy))
def test_patches_are_li_et_al(logits: Tensor) -> None:
    supervision = torch.tensor([[S.REGION, S.NEGATIVE, S.POSITIVE]])
    drawn = torch.zeros(1, 3, 4, 4)
    drawn[0, 0, 0, 0] = 0.3
    loss = pooling.patch_loss(logits, drawn, supervision, cells=2, region_weight=5.0)
    p = probabilities(logits).view(1, 3, 2, 2, 2, 2).amax(dim=(3, 5))[0]
    inside = p[0, 0, 0]
    outside = torch.stack([1 - p[0, 0, 1], 1 - p[0, 1, 0], 1 - p[0, 1, 1]])
    assert float(loss[0, 0]) == pytest.approx(
        float(-5 * torch.log(inside * outside.prod()) / 4), abs=1e-4
    )
    assert float(loss[0, 1]) == pytest.approx(float(-torch.log(1 - p[1]).mean()), abs=1e-4)
    assert float(loss[0, 2]) == 0
    noisy = -pooling.patch_noisy_or(logits, cells=2)[0][0, 2]
    assert float(noisy) == pytest.approx(float(-torch.log(1 - (1 - p[2]).prod())), abs=1e-4)


def test_the_cam_knows_the_record_and_no_place() -> None:
    logits = torch.randn(1, 4, 3, 3)
    supervision = torch.tensor([[S.REGION, S.NEGATIVE, S.POSITIVE, S.NOTHING]])
    loss = pooling.image_cross_entropy(logits, supervision)[0]
    p = torch.sigmoid(logits.mean(dim=(-2, -1)))[0]
    expected = [-torch.log(p[0]), -torch.log(1 - p[1]), -torch.log(p[2]), torch.tensor(0.0)]
    torch.testing.assert_close(loss, torch.stack(expected))
