"""Errors put into records: as many as asked for; none where an expert drew or one measures."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from benchmarks.methods.record_errors import RecordErrors, with_record_errors

from ribsight.cohort.split import reveal
from ribsight.cohort.tables import Cohort, load_cohort

KEYS = ["radiograph", "finding"]


def changed(before: Cohort, after: Cohort) -> pl.DataFrame:
    both = before.diagnoses.join(after.diagnoses, on=KEYS, suffix="_after")
    assert len(both) == len(before.diagnoses)
    return both.filter(pl.col("state") != pl.col("state_after"))


def test_records_err_in_training_only_and_never_where_an_expert_drew(trainable: Path) -> None:
    named = load_cohort(trainable)
    named = replace(named, diagnoses=named.diagnoses.with_columns(ribs=pl.lit("left 4")))
    cohort = reveal(named, 3, 0)
    everything = with_record_errors(cohort, RecordErrors(false_negative_rate=0.999), 1)
    wrong = changed(cohort, everything)
    train = set(cohort.radiographs.filter(pl.col("split") == "train")["radiograph"])
    drawn = set(cohort.regions.filter("revealed")["radiograph"])
    positive = set(cohort.diagnoses.filter(pl.col("state") == "positive")["radiograph"])
    assert set(wrong["radiograph"]) == (train & positive) - drawn
    assert set(wrong["state_after"]) == {"negative"}
    assert set(wrong["ribs_after"]) == {""}
    # What is called negative has no hidden truth either; all else keeps its regions.
    gone = cohort.regions.join(wrong, on=KEYS, how="semi")
    assert len(gone)
    assert len(everything.regions) == len(cohort.regions) - len(gone)


def test_errors_are_drawn_by_the_seed_and_none_change_nothing(trainable: Path) -> None:
    cohort = reveal(load_cohort(trainable), 3, 0)
    half = RecordErrors(false_negative_rate=0.5, false_positive_rate=0.5)
    once, again, other = (with_record_errors(cohort, half, seed) for seed in (1, 1, 2))
    assert once.diagnoses.equals(again.diagnoses)
    assert not once.diagnoses.equals(other.diagnoses)
    assert {"positive", "negative"} == set(changed(cohort, once)["state_after"])
    same = with_record_errors(cohort, RecordErrors(), 1)
    assert same.diagnoses.equals(cohort.diagnoses)
    assert same.regions.equals(cohort.regions)
