"""Finished trainings are compared on a cohort that none of them was made with."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from benchmarks.methods.compare import compare
from benchmarks.methods.plan import Plan, Unit
from tests.tiny_model import write_tiny_model

from ribsight.cohort.tables import load_cohort, save_cohort


def test_trainings_are_compared_on_another_cohort(trainable: Path, tmp_path: Path) -> None:
    other = load_cohort(trainable)
    split = pl.when(pl.col("split") == "val").then(pl.lit("test")).otherwise("split")
    save_cohort(
        replace(other, radiographs=other.radiographs.with_columns(split=split)), tmp_path / "other"
    )
    plan = Plan(
        recipe="none.toml",
        reveal=[5],
        seeds=[0, 1],
        variants={"supervised": {"method": "supervised"}, "aals": {"method": "aals"}},
        references=["supervised"],
    )
    # One of the four is not finished.
    for seed, variant in ((0, "supervised"), (1, "supervised"), (0, "aals")):
        unit = Unit(variant=variant, reveal=5, seed=seed)
        folder = tmp_path / "out" / unit.folder / "run" / "model"
        write_tiny_model(folder, seed=seed + 2 * len(variant), findings=("fracture",))
    rows = compare(plan, tmp_path / "out", trainable, ("supervised",), tmp_path / "other")
    figures = rows.filter(pl.col("figure") == "auroc")
    trained = {(one["variant"], one["against"]): one["trainings"] for one in figures.to_dicts()}
    assert trained == {("supervised", ""): 2, ("aals", ""): 1, ("aals", "supervised"): 1}
    kept = list((tmp_path / "out").rglob("elsewhere-*.json"))
    assert len(kept) == 3
    times = [one.stat().st_mtime_ns for one in kept]
    again = compare(plan, tmp_path / "out", trainable, ("supervised",), tmp_path / "other")
    assert again.equals(rows)
    assert [one.stat().st_mtime_ns for one in kept] == times
