"""Drawing from shares: the few lines every writer of records uses."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def chance(random: np.random.Generator, rate: float) -> bool:
    """Return True with probability `rate`; one number is drawn whatever the rate."""
    return bool(random.random() < rate)


def draw(random: np.random.Generator, shares: Sequence[tuple[T, float]]) -> T:
    """Return one of (value, share) pairs by its share; shares need not add up to 1."""
    weights = np.array([share for _, share in shares], dtype=np.float64)
    return shares[int(random.choice(len(shares), p=weights / weights.sum()))][0]


def pick(random: np.random.Generator, values: Sequence[T]) -> T:
    """Return one of `values`, each as likely as the others."""
    return values[int(random.integers(len(values)))]
