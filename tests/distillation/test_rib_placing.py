"""Named ribs lie where a cohort's own drawings have them."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.distillation.layout import Layout
from ribsight.distillation.loop import LoopOptions
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.train import Machine, train
from ribsight.distillation.training_data import TrainingData, training_data
from ribsight.findings import Split
from ribsight.radiographs.preprocess import Preprocessing

LAYOUT = Layout(first_rib=0.1, rib_distance=0.1, rib_spread=0.1, first_rib_weight=4.0)
_LOWER = 0.25
"""Drawn fractures lie so much below where `LAYOUT` has their ribs."""


def _drawn_at(cohort: Cohort, ribs: str, numbers: tuple[int, ...]) -> Cohort:
    """Name ribs on every positive, and draw fractures of `numbers`, out of order, on the drawn."""
    heights = dict(cohort.radiographs.select("radiograph", "height").rows())
    rows = []
    for one in cohort.regions.iter_rows(named=True):
        for number in numbers:
            middle = heights[one["radiograph"]] * (0.1 * number + _LOWER)
            box = [5.0, middle - 2, 9.0, middle - 2, 9.0, middle + 2, 5.0, middle + 2]
            rows.append({**one, "polygons": [box]})
    named = pl.when(pl.col("state") == "positive").then(pl.lit(ribs)).otherwise(pl.lit(""))
    return replace(
        cohort,
        diagnoses=cohort.diagnoses.with_columns(ribs=named),
        regions=pl.DataFrame(rows, schema=cohort.regions.schema),
    )


def _training(cohort: Cohort, cache: Path) -> TrainingData:
    part = cohort.select(Split.TRAIN)
    pixels = fill_cache(part, Preprocessing(64), cache, progress=False)
    return training_data(part, pixels, pools_of(part.supervision()))


def test_drawings_move_the_ribs(trainable: Path, tmp_path: Path) -> None:
    cohort = load_cohort(trainable)
    data = _training(_drawn_at(cohort, "left 2; left 4", (4, 2)), tmp_path)
    # The eight drawn radiographs; those whose regions are hidden say nothing.
    assert data.rib_distances(LAYOUT) == pytest.approx([_LOWER] * 8, abs=0.01)
    moved = LAYOUT.moved(data.rib_distances(LAYOUT))
    assert moved.first_rib == pytest.approx(0.1 + _LOWER * 8 / (8 + 4), abs=0.01)
    assert replace(moved, first_rib=LAYOUT.first_rib) == LAYOUT
    # Three named and two drawn: nobody knows which.
    unlike = _training(_drawn_at(cohort, "left 2; left 4; left 5", (4, 2)), tmp_path)
    assert unlike.rib_distances(LAYOUT) == []
    assert LAYOUT.moved([]) == LAYOUT


def test_training_looks_where_the_drawings_are(
    trainable: Path, tmp_path: Path, recipe: Recipe
) -> None:
    save_cohort(_drawn_at(load_cohort(trainable), "left 2", (2,)), tmp_path / "cohort")
    known = {"first_rib": 0.1, "rib_distance": 0.1, "rib_spread": 0.1}
    for name, weight, first_rib in (("told", 4.0, 0.1 + _LOWER * 8 / 12), ("stays", 1e9, 0.1)):
        own = recipe.ribsight.model_copy(update={**known, "first_rib_weight": weight})
        train(
            recipe.model_copy(update={"method": "ribsight", "ribsight": own}),
            tmp_path / "cohort",
            tmp_path / name,
            machine=Machine(accelerator="cpu"),
            options=LoopOptions(progress=False),
        )
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        (said,) = [one for one in map(json.loads, lines) if one["kind"] == "layout"]
        assert (said["stage"], said["radiographs"]) == (2, 8)
        assert said["first_rib"] == pytest.approx(first_rib, abs=0.01)
    one, other = (
        load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("told", "stays")
    )
    assert any(not torch.equal(one[key], other[key]) for key in one)
