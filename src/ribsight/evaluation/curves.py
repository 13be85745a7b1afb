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


def step_rows(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return (R, P) `read_step` of (R, T) curves at (P,) positions, 0 before the first point.

    >>> step_rows(np.array([[0.1, 0.3]]), np.array([[0.5, 0.8]]), np.array([0.0, 0.1, 9.0]))
    array([[0. , 0.5, 0.8]])
    """
    with_zero = np.concatenate([np.zeros((len(y), 1)), y], axis=1)
    place = np.array([np.searchsorted(row, at, side="right") for row in x], dtype=np.int64)
    return np.take_along_axis(with_zero, place.reshape(len(x), len(at)), axis=1)


def linear_rows(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return (R, P) `read_linear` of (R, T) curves at (P,) positions."""
    place = np.array([np.searchsorted(row, at, side="right") - 1 for row in x], dtype=np.int64)
    below = place.reshape(len(x), len(at))
    above = np.minimum(below + 1, x.shape[1] - 1)
    x0, x1, y0, y1 = (np.take_along_axis(v, i, axis=1) for v in (x, y) for i in (below, above))
    share = np.divide(at - x0, x1 - x0, out=np.zeros(below.shape), where=x1 > x0)
    read: Floats = y0 + share * (y1 - y0)
    return read
