"""Fewer record-positives in training: as few as asked for, and nobody else leaves."""

from pathlib import Path

import polars as pl
import pytest
from benchmarks.methods.prevalence import with_prevalence

from ribsight.cohort.split import reveal
from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.errors import RibsightError


def training(cohort: Cohort) -> tuple[set[str], set[str]]:
    """Return positive and other training radiographs."""
    ids = set(cohort.radiographs.filter(pl.col("split") == "train")["radiograph"])
    positive = cohort.diagnoses.filter(pl.col("state") == "positive")
    positives = ids & set(positive["radiograph"])
    return positives, ids - positives


def test_record_positives_leave_until_few_are_positive(trainable: Path) -> None:
    cohort = reveal(load_cohort(trainable), 2, 0)
    positive, other = training(cohort)
    drawn = positive & set(cohort.regions.filter("revealed")["radiograph"])
    wanted = len(drawn) + 1
    assert wanted < len(positive)
    share = wanted / (wanted + len(other))
    fewer, again, by_others = (with_prevalence(cohort, share, seed) for seed in (1, 1, 2))
    left, others = training(fewer)
    assert len(left) == wanted
    assert drawn <= left
    assert others == other
    gone = positive - left
    assert set(fewer.ids) == set(cohort.ids) - gone
    assert not gone & set(fewer.diagnoses["radiograph"])
    assert not gone & set(fewer.regions["radiograph"])
    assert fewer.ids == again.ids
    assert fewer.ids != by_others.ids


def test_a_prevalence_out_of_reach_is_refused(trainable: Path) -> None:
    cohort = reveal(load_cohort(trainable), 2, 0)
    for prevalence in (0.0001, 0.99):
        with pytest.raises(RibsightError, match="cannot be reached"):
            with_prevalence(cohort, prevalence, 0)
