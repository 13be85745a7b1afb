"""From a teacher's map to a target: adaptive asymmetric label sharpening (AALS).

Wang et al., "Knowledge Distillation with Adaptive Asymmetric Label Sharpening for Semi-supervised
Fracture Detection in Chest X-rays", IPMI 2021, arXiv 2012.15359. With teacher probability y', its
maximum over the image y'_max and centre t:

    a       = a0 - (a0 - 1) * y'_max
    S(y')   = expit(a * logit(y') + (1 - a) * logit(t))
    target  = max(S(y'), y')

t is a fixed point of S: below t the target is the teacher's own map, above t it is raised, most on
images where the teacher is least sure, and not at all where y'_max = 1.
"""

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from ribsight.errors import RibsightError

LARGEST_MONOTONE_A0 = 8.0
"""Above it the target at the peak no longer grows with y'_max everywhere (t = 0.4)."""


def check_aals(a0: float, t: float) -> None:
    """Check the two parameters of AALS; warn where the target stops being monotone.

    Raises:
        RibsightError: a0 < 1 (it would lower probabilities), or t not in (0, 1).

    """
    if not a0 >= 1:
        raise RibsightError(f"aals.a0 = {a0}: the strength a0 must be at least 1")
    if not 0 < t < 1:
        raise RibsightError(f"aals.t = {t}: the centre t must lie between 0 and 1")
    if a0 > LARGEST_MONOTONE_A0:
        warnings.warn(
            f"aals.a0 = {a0} is above {LARGEST_MONOTONE_A0:g}: a surer teacher can then give a "
            "lower target",
            stacklevel=2,
        )


def sharpen_logits(logits: Tensor, a0: float = 4.0, t: float = 0.4) -> Tensor:
    """Return AALS targets from the teacher's logits; float32, without gradient.

    Computed on logits (never logit(expit(z))), so that it stays exact where probabilities round
    to 0 or 1.

    Args:
        logits: (..., H, W) teacher logits; the maximum is taken over each (H, W) map.
        a0: strength for an image on which the teacher sees nothing.
        t: centre; probabilities above it are raised.

    Returns:
        (..., H, W) target probabilities, nowhere below the teacher's.

    """
    z = logits.detach().float()
    return torch.sigmoid(_sharpened(z, torch.sigmoid(z.amax(dim=(-2, -1), keepdim=True)), a0, t))


def sharpen(probability: Any, a0: float = 4.0, t: float = 0.4) -> Tensor:
    """Return AALS targets from the teacher's probabilities.

    Args:
        probability: (..., H, W) probabilities (a tensor, an array or numbers); the maximum is
            taken over the last two axes, or over everything if there are fewer.
        a0: strength for an image on which the teacher sees nothing.
        t: centre; probabilities above it are raised.

    Returns:
        Targets of the same shape, float64, nowhere below `probability`.

    Raises:
        RibsightError: a probability outside [0, 1], or parameters out of range.

    >>> sharpen([[0.1, 0.5]]).round(decimals=4).tolist()
    [[0.1, 0.6475]]

    """
    check_aals(a0, t)
    y = torch.as_tensor(probability, dtype=torch.float64).detach()
    if not bool(((y >= 0) & (y <= 1)).all()):
        raise RibsightError("sharpen takes probabilities: every value must lie in [0, 1]")
    y_max = y.amax(dim=(-2, -1), keepdim=True) if y.ndim >= 2 else y.max()
    return torch.sigmoid(_sharpened(torch.logit(y), y_max, a0, t))


def _sharpened(z: Tensor, y_max: Tensor, a0: float, t: float) -> Tensor:
    strength = a0 - (a0 - 1) * y_max
    return torch.maximum(strength * z + (1 - strength) * math.log(t / (1 - t)), z)
