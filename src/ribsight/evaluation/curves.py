"""What ROC and FROC share: ties as one threshold, weighted running sums, reading a curve."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tie_ends(scores: Floats) -> NDArray[np.int64]:
    """Return the index of the last of each run of equal scores; `scores` are sorted.

    Equal scores pass any threshold together, so a curve has a point only after the last of them.

    >>> tie_ends(np.array([0.9, 0.5, 0.5, 0.1])).tolist()
    [0, 2, 3]
    """
    changes = np.flatnonzero(scores[1:] != scores[:-1])
    return np.append(changes, len(scores) - 1)[: len(scores)].astype(np.int64)


def running_sums(
    weights: Floats, image: NDArray[np.int64], counted: NDArray[np.bool_], ends: NDArray[np.int64]
) -> Floats:
    """Return (R, T + 1) weight of the counted events passed at each threshold, from none on.

    Args:
        weights: (R, N) weight of each image in each replicate.
        image: (E,) image of each event, highest score first.
        counted: (E,) events that add their image's weight.
        ends: (T,) last event of each threshold.
    """
    chosen = np.flatnonzero(counted)
    sums = np.zeros((len(weights), len(chosen) + 1))
    np.cumsum(weights[:, image[chosen]], axis=1, out=sums[:, 1:])
    passed = np.searchsorted(chosen, ends, side="right")
    return sums[:, np.concatenate([[0], passed])]


def read_step(rate: Floats, sensitivity: Floats, at: Floats) -> Floats:
    """Return the highest sensitivity over thresholds with rate <= `at`; held beyond the last.

    Args:
        rate: (T,) rising, first 0.
        sensitivity: (T,) rising.
        at: (P,) rates to read at.

    >>> read_step(np.array([0, 0.1, 0.1, 0.3]), np.array([0, 0.2, 0.5, 0.8]), np.array([0.1, 9]))
    array([0.5, 0.8])
    """
    return sensitivity[np.searchsorted(rate, at, side="right") - 1]


def read_linear(rate: Floats, sensitivity: Floats, at: Floats) -> Floats:
    """Return the sensitivity on straight lines between points; the upper end of vertical ones.

    `np.interp` leaves open which end of a vertical segment it reads.

    >>> read_linear(np.array([0, 0, 1.0]), np.array([0, 0.5, 1.0]), np.array([0, 0.5]))
    array([0.5 , 0.75])
    """
    below = np.searchsorted(rate, at, side="right") - 1
    above = np.minimum(below + 1, len(rate) - 1)
    width = rate[above] - rate[below]
    share = np.divide(at - rate[below], width, out=np.zeros(len(at)), where=width > 0)
    rise = sensitivity[above] - sensitivity[below]
    read: Floats = sensitivity[below] + share * rise
    return read
