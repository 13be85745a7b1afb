"""From a teacher's map to a target: adaptive asymmetric label sharpening (AALS).

Wang et al., "Knowledge Distillation with Adaptive Asymmetric Label Sharpening for Semi-supervised
Fracture Detection in Chest X-rays", IPMI 2021, arXiv 2012.15359. With teacher probability y', its
maximum over the image y'_max and centre t:

    a       = a0 - (a0 - 1) * y'_max
    S(y')   = expit(a * logit(y') + (1 - a) * logit(t))
    target  = max(S(y'), y')

t is a fixed point of S: below t the target is the teacher's own map, above t it is raised, most on
images where the teacher is least sure, and not at all where y'_max = 1. Its relatives, each without
one of its parts, stand beside it: they are what a comparison needs.
"""

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ribsight.distillation.layout import MOSTLY
from ribsight.errors import RibsightError

LARGEST_MONOTONE_A0 = 8.0
"""Above it the target at the peak no longer grows with y'_max everywhere (t = 0.4)."""


def check_aals(a0: float, t: float, section: str = "aals") -> None:
    """Check the two parameters of AALS; warn where the target stops being monotone.

    Args:
        a0: strength where the teacher sees nothing.
        t: centre.
        section: of the recipe, that messages name.

    Raises:
        RibsightError: a0 < 1 (it would lower probabilities), or t not in (0, 1).

    """
    if not 1 <= a0 < float("inf"):
        raise RibsightError(f"{section}.a0 = {a0}: the strength a0 must be a number of at least 1")
    if not 0 < t < 1:
        raise RibsightError(f"{section}.t = {t}: the centre t must lie between 0 and 1")
    if a0 > LARGEST_MONOTONE_A0:
        warnings.warn(
            f"{section}.a0 = {a0} is above {LARGEST_MONOTONE_A0:g}: a surer teacher can then give "
            "a lower target",
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


def image_centre(logits: Tensor, t: float, share: float) -> Tensor:
    """Return the centre of each map: t, but at most `share` of the map's highest probability.

    With a fixed centre an image on which the teacher stays below t is never pushed, although its
    record says positive. With share > 0 its most suspicious site always is.

    Args:
        logits: (N, K, h, w) teacher logits.
        t: the centre of images on which the teacher is sure.
        share: in (0, 1); 0 leaves t as it is.

    Returns:
        (N, K, 1, 1) probabilities.

    """
    highest = torch.sigmoid(logits.detach().float().amax(dim=(-2, -1), keepdim=True))
    return (share * highest).clamp(max=t) if share else torch.full_like(highest, t)


def sharpen_sites(logits: Tensor, a0: float, t: float | Tensor, reach: int) -> Tensor:
    """Return AALS targets whose strength follows each site instead of the image.

    y'_max is taken over the cells within `reach` of each cell, so one certain fracture does not
    stop the others of its image from being raised. With a reach as long as the map it is AALS.

    Args:
        logits: (N, K, h, w) teacher logits.
        a0: strength where the teacher sees nothing.
        t: centre, or (N, K, 1, 1) centres.
        reach: cells along each axis; 0: the whole map.

    Returns:
        (N, K, h, w) target probabilities, float32, without gradient.

    """
    z = logits.detach().float()
    if reach:
        highest = max_pool2d(z, kernel_size=2 * reach + 1, stride=1, padding=reach)
    else:
        highest = z.amax(dim=(-2, -1), keepdim=True)
    return torch.sigmoid(_sharpened(z, torch.sigmoid(highest), a0, t))


def sharpen_place(logits: Tensor, inside: Tensor, a0: float, t: float, share: float) -> Tensor:
    """Return what a place is raised to in which the record names a lesion.

    The place is sharpened as an image of its own: y'_max is the highest probability in it, and the
    centre at most `share` of that, so its most suspicious site is always raised, however certain
    the teacher is of another.

    Args:
        logits: (M, h, w) teacher logits, of the map of each place's image.
        inside: (M, h, w) share of each cell that the place covers.
        a0: strength where the teacher sees nothing.
        t: centre of places in which it is sure.
        share: in (0, 1).

    Returns:
        (M, h, w) target probabilities, float32, without gradient; 0 outside and where nothing is
        raised.

    """
    z = logits.detach().float()
    within = inside >= MOSTLY
    highest = z.masked_fill(~within, -torch.inf).amax(dim=(-2, -1), keepdim=True)
    y_max = torch.sigmoid(highest)
    centre = (share * y_max).clamp(max=t)
    raised = torch.sigmoid(_moved(z, _strength(y_max, a0), centre))
    return torch.where(within & (z > torch.logit(centre)), raised, 0.0)


def sharpen_always(logits: Tensor, a0: float, t: float) -> Tensor:
    """Return targets of a fixed strength: AALS without adaptation, a = a0 on every image."""
    z = logits.detach().float()
    return torch.sigmoid(_sharpened(z, torch.zeros_like(z), a0, t))


def sharpen_both_ways(logits: Tensor, a0: float, t: float) -> Tensor:
    """Return targets raised above t and lowered below it: AALS without asymmetry.

    The strength adapts as in AALS; the maximum with the teacher's own map is left out.
    """
    z = logits.detach().float()
    strength = _strength(torch.sigmoid(z.amax(dim=(-2, -1), keepdim=True)), a0)
    return torch.sigmoid(_moved(z, strength, t))


def sharpen_by_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Return expit(z / T): both ways around one half, the same on every image.

    MixMatch (Berthelot et al., NeurIPS 2019), T = 0.5, for two classes.
    """
    return torch.sigmoid(logits.detach().float() / temperature)


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


def _sharpened(z: Tensor, y_max: Tensor, a0: float, t: float | Tensor) -> Tensor:
    return torch.maximum(_moved(z, _strength(y_max, a0), t), z)


def _strength(y_max: Tensor, a0: float) -> Tensor:
    return a0 - (a0 - 1) * y_max


def _moved(z: Tensor, strength: Tensor, t: float | Tensor) -> Tensor:
    centre = torch.logit(t) if isinstance(t, Tensor) else math.log(t / (1 - t))
    return strength * z + (1 - strength) * centre
