"""Which radiographs a step shows."""

import numpy as np
import pytest

from ribsight.distillation.recipe import BatchSettings
from ribsight.distillation.sampling import Pools, check_pools, pools_of, rows_of_step
from ribsight.errors import RibsightError
from ribsight.findings import Supervision as S

POOLS = Pools(np.arange(0, 5), np.arange(10, 17), np.arange(20, 40))
BATCH = BatchSettings(regions=2, positives=3, negatives=4)


def test_radiographs_are_sorted_by_the_most_that_is_known() -> None:
    table = np.array(
        [
            [S.REGION, S.NEGATIVE],
            [S.POSITIVE, S.REGION],
            [S.POSITIVE, S.NEGATIVE],
            [S.NEGATIVE, S.NEGATIVE],
            [S.NEGATIVE, S.NOTHING],
            [S.NOTHING, S.NOTHING],
        ],
        dtype=np.int8,
    )
    pools = pools_of(table)
    assert pools.regions.tolist() == [0, 1]
    assert pools.positives.tolist() == [2]
    assert pools.negatives.tolist() == [3, 4]


def test_a_step_has_the_composition_of_the_recipe() -> None:
    rows = rows_of_step(POOLS, BATCH, seed=1, stage=2, step=7)
    assert [np.isin(rows, pool).sum() for pool in (POOLS.regions, POOLS.positives)] == [2, 3]
    assert np.isin(rows[:2], POOLS.regions).all()
    assert np.isin(rows[5:], POOLS.negatives).all()


def test_every_radiograph_is_shown_once_before_any_is_shown_twice() -> None:
    shown = np.concatenate([rows_of_step(POOLS, BATCH, 0, 2, step)[5:] for step in range(5)])
    assert sorted(shown) == POOLS.negatives.tolist()


def test_a_step_depends_on_seed_stage_and_step_alone() -> None:
    def rows(seed: int, stage: int, step: int) -> list[int]:
        return list(rows_of_step(POOLS, BATCH, seed, stage, step).tolist())

    assert rows(3, 1, 11) == rows(3, 1, 11)
    assert len({tuple(rows(*key)) for key in ((3, 1, 11), (4, 1, 11), (3, 2, 11))}) == 3


def test_an_empty_pool_is_refused_with_its_name() -> None:
    pools = Pools(POOLS.regions, np.empty(0, np.intp), POOLS.negatives)
    with pytest.raises(RibsightError, match=r"stage2\.batch asks for 3 positives"):
        check_pools(pools, BATCH, "stage2")
    check_pools(pools, BATCH.without_positives(), "stage2")


def test_without_positives_a_batch_keeps_its_size() -> None:
    other = BATCH.without_positives()
    assert (other.regions, other.positives, other.negatives) == (4, 0, 5)
    assert other.size == BATCH.size
