"""A share with its interval, where observations come in groups."""

from collections.abc import Hashable, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964


def proportion(hits: NDArray[np.bool_], groups: Sequence[Hashable]) -> tuple[float, float, float]:
    """Return a share and its 95 % interval.

    Wilson's interval for the number of independent observations that would have the variance
    between groups (the design effect; Korn and Graubard 1998). Where all agree, groups count.

    Args:
        hits: (N,), N > 0.
        groups: (N,) what each observation belongs to.

    >>> tuple(round(one, 3) for one in proportion(np.array([True] * 3 + [False] * 7), range(10)))
    (0.3, 0.108, 0.603)
    """
    count, share = len(hits), float(hits.mean())
    number = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    which = np.array([number[one] for one in groups])
    residual = np.bincount(which, weights=hits - share)
    clusters = len(residual)
    effective = float(clusters)
    if 0 < share < 1 and 1 < clusters < count:
        variance = clusters / (clusters - 1) * float((residual**2).sum()) / count**2
        if variance > 0:
            effective = min(float(count), share * (1 - share) / variance)
    return (share, *wilson(share, max(effective, 1.0)))


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `count` independent observations."""
    centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)
