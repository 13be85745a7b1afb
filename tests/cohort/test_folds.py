"""Cross-validation: who is tested when."""

import numpy as np
import polars as pl
import pytest
from tests.cohort.test_split import cohort_of

from ribsight.cohort.folds import fold_cohort
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError


def rows_of(cohort: Cohort, split: str) -> set[str]:
    return set(cohort.radiographs.filter(pl.col("split") == split)["radiograph"])


def test_every_radiograph_is_tested_once_and_validated_on_once() -> None:
    cohort = cohort_of(400, per_group=4)
    folds = [fold_cohort(cohort, 5, number, 3) for number in range(5)]
    for split in ("test", "val"):
        tested = [id_ for one in folds for id_ in rows_of(one, split)]
        assert sorted(tested) == sorted(cohort.ids)
    for one in folds:
        groups = one.radiographs.group_by("group").agg(pl.col("split").n_unique())
        assert groups["split"].max() == 1
    assert rows_of(folds[0], "val") == rows_of(folds[1], "test")
    # Counted as `cohort split --fold 1/5` counts.
    assert [one.provenance["split_fold"] for one in folds] == ["1/5", "2/5", "3/5", "4/5", "5/5"]


def test_folds_have_equal_shares_of_positives() -> None:
    cohort = cohort_of(1000)
    positive = cohort.states[:, 0] == "positive"
    split = fold_cohort(cohort, 5, 2, 0).radiographs["split"].to_numpy()
    assert np.isclose((split == "test").mean(), 0.2, atol=0.01)
    assert np.isclose((split[positive] == "test").mean(), 0.2, atol=0.02)


@pytest.mark.parametrize(
    ("folds", "fold", "says"),
    [(2, 0, "leave nothing"), (5, 5, "no fold 6 of 5"), (99, 0, "too few")],
)
def test_folds_that_cannot_be(folds: int, fold: int, says: str) -> None:
    with pytest.raises(RibsightError, match=says):
        fold_cohort(cohort_of(50), folds, fold, 0)
