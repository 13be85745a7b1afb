"""From a map of logits to one statement on the image: multiple-instance objectives.

Everything is computed in logits and log space, float32: a product of ten thousand probabilities
(1 - p) is zero long before its logarithm is inexact.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, softplus

from ribsight.findings import Supervision


def maximum(logits: Tensor) -> Tensor:
    """Return the image's logit as the highest of its map, (N, K, h, w) -> (N, K)."""
    return logits.float().amax(dim=(-2, -1))


def log_sum_exp(logits: Tensor, sharpness: float) -> Tensor:
    """Return (1/r) log mean exp(r z): the mean for small r, the maximum for large r.

    Pinheiro & Collobert, CVPR 2015; ChestX-ray8 (Wang et al., CVPR 2017) for radiographs.

    Args:
        logits: (N, K, h, w).
        sharpness: r > 0.

    Returns:
        (N, K) logits.

    """
    flat = sharpness * logits.float().flatten(-2)
    return (torch.logsumexp(flat, dim=-1) - math.log(flat.shape[-1])) / sharpness


def attended(logits: Tensor) -> Tensor:
    """Return the mean logit, each weighted by its own probability: PCAM.

    Probabilistic class activation maps (Ye et al., 2020) average features with the weights
    sigmoid(z) / sum sigmoid(z) and apply the same 1 x 1 convolution to that average; being linear,
    the convolution commutes with it.
    """
    z = logits.float()
    weight = torch.sigmoid(z)
    total = (weight * z).sum(dim=(-2, -1))
    return total / weight.sum(dim=(-2, -1))


def said_by(image_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p) of the image's probability, (N, K) logits -> (N, K) each."""
    return -softplus(-image_logits), -softplus(image_logits)


def log_no_lesion(logits: Tensor) -> Tensor:
    """Return log prod (1 - p) over each map: that no place holds a lesion, (N, K)."""
    return -softplus(logits.float()).sum(dim=(-2, -1))


def noisy_or(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return log(1 - prod (1 - p)) and log prod (1 - p): that some place holds a lesion, or none.

    Args:
        logits: (N, K, h, w).

    Returns:
        Log-probabilities, (N, K) each.

    """
    none = log_no_lesion(logits)
    return _log_any(none), none


def image_cross_entropy(logits: Tensor, supervision: Tensor) -> Tensor:
    """Return the cross-entropy of the mean logit against the record: no place is told.

    CheXNet (Rajpurkar et al., 2017) pools features by their mean before a linear layer, so its
    class activation map is the map of logits whose mean is the image's.

    Args:
        logits: (N, K, h, w).
        supervision: (N, K) `Supervision`; regions count as positive, nothing as nothing.

    Returns:
        (N, K) losses.

    """
    z = logits.float().mean(dim=(-2, -1))
    is_positive = (supervision == Supervision.REGION) | (supervision == Supervision.POSITIVE)
    loss = torch.where(is_positive, softplus(-z), softplus(z))
    return loss * (supervision != Supervision.NOTHING)


def patch_loss(
    logits: Tensor, drawn: Tensor, supervision: Tensor, *, cells: int, region_weight: float
) -> Tensor:
    """Return the objective of Li et al., CVPR 2018, on a grid of patches.

    With p of a patch, the highest in it: a drawn image is worth
    -log(prod over patches of regions p x prod over others (1 - p)), weighted by `region_weight`;
    a negative image -log prod (1 - p); divided by the number of patches, as every map's loss is a
    mean. Li et al. squeeze p into [0.98, 1] against underflow; sums of logarithms need no squeeze.

    Args:
        logits: (N, K, h, w).
        drawn: (N, K, h, w) coverage of the drawn regions.
        supervision: (N, K) `Supervision`.
        cells: patches a side (16).
        region_weight: of drawn images (5).

    Returns:
        (N, K) losses of pairs with a region or a negative record, 0 for others.

    """
    z = _patches(logits.float(), cells)
    inside = _patches(drawn, cells) > 0
    is_region = (supervision == Supervision.REGION)[:, :, None, None]
    per_patch = torch.where(is_region & inside, softplus(-z), softplus(z))
    weight = torch.where(supervision == Supervision.REGION, region_weight, 1.0) * (
        (supervision == Supervision.REGION) | (supervision == Supervision.NEGATIVE)
    )
    return weight * per_patch.mean(dim=(-2, -1))


def patch_noisy_or(logits: Tensor, *, cells: int) -> tuple[Tensor, Tensor]:
    """Return noisy-OR over patches, which Li et al. ask of a record-positive, (N, K) each."""
    return noisy_or(_patches(logits.float(), cells))


def _patches(maps: Tensor, cells: int) -> Tensor:
    """Return the highest of each patch; a map smaller than the grid is its own grid."""
    height, width = maps.shape[-2:]
    return adaptive_max_pool2d(maps, (min(cells, height), min(cells, width)))


def _log_any(log_none: Tensor) -> Tensor:
    """Return log(1 - exp(x)) for x < 0, exact near 0 and far from it (Maechler, 2012)."""
    x = log_none.clamp(max=-1e-7)
    near = x > -math.log(2)
    # Both branches see values that are safe for them, so that no gradient is 0 * inf.
    small = torch.log(-torch.expm1(torch.where(near, x, -1.0)))
    large = torch.log1p(-torch.exp(torch.where(near, -1.0, x)))
    return torch.where(near, small, large)
