"""Which radiographs a step shows: a function of (seed, stage, step), without any state.

Because nothing is remembered, a resumed run, any number of workers and any number of processes see
the same radiographs in the same order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ribsight.distillation.recipe import BatchSettings
from ribsight.errors import RibsightError
from ribsight.findings import Supervision


@dataclass(frozen=True, eq=False)
class Pools:
    """Row numbers of the radiographs of each kind, (n,) each."""

    regions: NDArray[np.intp]
    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def pools_of(supervision: NDArray[np.int8]) -> Pools:
    """Sort radiographs by the most that is known of any of their findings.

    Args:
        supervision: (N, K) `Supervision`.

    """
    has_region = (supervision == Supervision.REGION).any(axis=1)
    has_positive = (supervision == Supervision.POSITIVE).any(axis=1)
    has_negative = (supervision == Supervision.NEGATIVE).any(axis=1)
    return Pools(
        regions=np.flatnonzero(has_region),
        positives=np.flatnonzero(has_positive & ~has_region),
        negatives=np.flatnonzero(has_negative & ~has_positive & ~has_region),
    )


def check_pools(pools: Pools, batch: BatchSettings, where: str) -> None:
    """Check that every kind of radiograph a batch asks for exists.

    Raises:
        RibsightError: one does not.

    """
    meaning = {
        "regions": "with a revealed region",
        "positives": "that is record-positive without a region",
        "negatives": "that is negative",
    }
    for kind, words in meaning.items():
        if getattr(batch, kind) and not len(getattr(pools, kind)):
            raise RibsightError(
                f"{where}.batch asks for {getattr(batch, kind)} {kind} in every step, but the "
                f"training split has no radiograph {words}"
            )


def rows_of_step(
    pools: Pools, batch: BatchSettings, seed: int, stage: int, step: int, per_positive: int = 1
) -> NDArray[np.intp]:
    """Return the row numbers of one step: regions, then positives, then negatives.

    Each pool is gone through in a new random order again and again. Each record-positive takes
    `per_positive` places, of which `batch.positives` is a multiple.
    """
    chosen = [
        np.repeat(
            _turn(getattr(pools, kind), getattr(batch, kind) // each, [seed, stage, number], step),
            each,
        )
        for number, (kind, each) in enumerate(
            (("regions", 1), ("positives", per_positive), ("negatives", 1))
        )
    ]
    return np.concatenate(chosen)


def _turn(pool: NDArray[np.intp], count: int, key: list[int], step: int) -> NDArray[np.intp]:
    if count == 0:
        return np.empty(0, dtype=np.intp)
    place = np.arange(step * count, (step + 1) * count)
    rounds = (place // len(pool)).tolist()
    orders = {r: _order((*key, r), len(pool)) for r in set(rounds)}
    return pool[[orders[r][p] for r, p in zip(rounds, place % len(pool), strict=True)]]


@lru_cache(maxsize=16)
def _order(key: tuple[int, ...], count: int) -> NDArray[np.intp]:
    """Return a random order; remembered, for each serves thousands of steps."""
    order = np.random.default_rng(key).permutation(count)
    order.setflags(write=False)
    return order
