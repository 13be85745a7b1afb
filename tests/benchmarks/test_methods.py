"""How the benchmark of methods joins trainings: intervals over shared patients and over folds."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.methods.compare import over_folds, over_trainings
from benchmarks.methods.curve import points
from benchmarks.methods.plan import Unit, read_plan, recipe_of, stage1_of, units
from benchmarks.methods.report import PAGE, RESULTS, filled
from benchmarks.methods.screening import Factor, Screening, design
from benchmarks.methods.table import LOW_LEVEL, markdown

from ribsight.errors import RibsightError
from ribsight.evaluation.plots import learning_plot

PLANS = RESULTS.parent / "plans"
RECIPE = PLANS.parents[2] / "recipes" / "test.toml"
ROWS = pl.DataFrame(
    [
        {"finding": "fracture", "reveal": 100, "variant": name, "against": against, "figure": key,
         "trainings": 3, "mean": mean, "low": mean - 0.1, "high": mean + 0.1, "p_holm": p}
        for key in ("froc_score", "auroc")
        for name, against, mean, p in (
            ("supervised", "", 0.4, None), ("aals", "", 0.5, None),
            ("aals", "supervised", 0.1, 0.04),
        )
    ],
    schema_overrides={"p_holm": pl.Float64},
)  # fmt: skip


def test_a_table_puts_the_best_first_and_differences_beside() -> None:
    lines = markdown(ROWS).splitlines()
    assert lines[0] == "**fracture, 100 revealed**"
    assert lines[4].startswith("| aals | 3 | 0.500 (0.400 to 0.600) |")
    assert "+0.100 (+0.000 to +0.200), p 0.040" in lines[4]
    assert lines[5].startswith("| supervised |")


@pytest.mark.parametrize("factors", [1, 3, 4, 7, 8, 15])
def test_a_screening_is_balanced_and_tells_factors_apart(factors: int) -> None:
    signs = np.where(design(factors), 1, -1)
    assert len(signs) == (8 if factors < 8 else 16)
    assert np.array_equal(signs.T @ signs, len(signs) * np.eye(factors))
    assert (signs.sum(axis=0) == 0).all()


@pytest.mark.parametrize("factors", [4, 8])
def test_small_screenings_are_of_resolution_four(factors: int) -> None:
    """No main effect is mixed with what two factors do together."""
    signs = np.where(design(factors), 1, -1)
    pairs = [signs[:, i] * signs[:, j] for i in range(factors) for j in range(i)]
    assert not np.any(np.stack(pairs) @ signs)


def test_the_effect_of_a_factor_is_the_mean_at_its_high_level_minus_that_at_its_low() -> None:
    levels = {"a": (1.0, 3.0), "b": (0.0, 10.0), "c": (5.0, 4.0), "d": (0.0, 0.5), "e": (2.0, 2.0)}
    screening = Screening(
        method={"method": "aals"},
        factors={k: Factor(low={k: low}, high={k: high}) for k, (low, high) in levels.items()},
    )
    variants = screening.variants
    assert list(variants) == screening.names
    assert all(one["method"] == "aals" for one in variants.values())
    response = [1 + 2 * v["a"] + v["b"] - v["c"] + v["d"] + v["e"] for v in variants.values()]
    effects = {name: float(w @ response) for name, w in screening.contrasts().items()}
    assert effects == pytest.approx({"a": 4.0, "b": 10.0, "c": 1.0, "d": 0.5, "e": 0.0})


def test_screened_factors_have_a_table_of_their_own() -> None:
    effects = ROWS.filter(pl.col("against") == "supervised").with_columns(
        pl.lit("t").alias("variant"), pl.lit(LOW_LEVEL).alias("against")
    )
    lines = markdown(pl.concat([ROWS, effects])).splitlines()
    assert LOW_LEVEL not in lines[2]
    assert lines[-3:] == [
        "| factor, high - low | FROC score | AUROC |",
        "| --- | --- | --- |",
        "| t | +0.100 (+0.000 to +0.200), p 0.040 | +0.100 (+0.000 to +0.200), p 0.040 |",
    ]


def test_a_curve_has_a_point_a_variant_and_amount() -> None:
    more = ROWS.with_columns(pl.lit(250.0).alias("drawn"), pl.lit(0.02).alias("deviation"))
    less = more.with_columns(pl.col("mean") - 0.1, drawn=60.0)
    rows = points(pl.concat([more, less]), "froc_score")
    assert [(one.method, one.regions) for one in rows] == [
        ("supervised", 60.0),
        ("aals", 60.0),
        ("supervised", 250.0),
        ("aals", 250.0),
    ]
    assert [round(one.summary.mean.value or 0, 3) for one in rows] == [0.3, 0.4, 0.4, 0.5]
    assert learning_plot(rows).svg_file().startswith(b"<?xml")


def test_every_plan_is_read_and_its_recipes_are_valid() -> None:
    plans = [one for one in sorted(PLANS.glob("*.toml")) if one.name != "healing.toml"]
    for path in plans:
        plan = read_plan(path)
        recipes = [recipe_of(plan, path, one) for one in units(plan)]
        assert len(recipes) == len(plan.variants) * len(plan.seeds) * len(plan.reveal)


def test_a_variant_takes_over_the_first_stage_1_that_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        f'recipe = "{RECIPE}"\nreveal = [5]\nseeds = [0]\n[variants]\n'
        'aals = { method = "aals" }\n'
        'supervised = { method = "supervised" }\n'
        'long = { method = "supervised", "stage1.steps" = 99 }\n'
        'long_aals = { method = "aals", "stage1.steps" = 99 }\n'
        'regions_only = { method = "regions_only" }\n'
        'boxes = { method = "boxes" }\n'
    )
    plan = read_plan(path)
    first = {
        name: stage1_of(plan, path, Unit(variant=name, reveal=5, seed=0)).variant
        for name in plan.variants
    }
    assert first == {
        "aals": "supervised",
        "supervised": "supervised",
        "long": "long",
        "long_aals": "long",
        "regions_only": "regions_only",
        "boxes": "boxes",
    }


def test_a_plan_like_another_changes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'recipe = "r.toml"\nreveal = [5]\nseeds = [0]\n[changes]\n"stage1.steps" = 3\n'
        '"stage2.steps" = 4\n[variants]\nsupervised = { method = "supervised" }\n'
    )
    (tmp_path / "b.toml").write_text('like = "a.toml"\nseeds = [1]\n[changes]\n"stage2.steps" = 9')
    plan = read_plan(tmp_path / "b.toml")
    assert (plan.seeds, plan.reveal) == ([1], [5])
    assert plan.changes == {"stage1.steps": 3, "stage2.steps": 9}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('like = "c.toml"', "which is like another"),
        ('like = "../a.toml"', "no plan in the same folder"),
        ("like = 3", "no plan in the same folder"),
        ('like = "none.toml"', "none.toml"),
        ('like = "a.toml"\nchanges = 1', "changes is a table"),
    ],
)
def test_a_plan_like_nothing_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.toml").write_text('recipe = "r.toml"')
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(RibsightError, match=sentence):
        read_plan(tmp_path / "c.toml")


def test_the_page_is_what_its_results_give() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, RESULTS) == page


def test_a_page_gets_its_tables_and_keeps_its_words(tmp_path: object) -> None:
    ROWS.write_parquet(f"{tmp_path}/one.parquet")
    page = "Before.\n\n<!-- results one -->\nold\n<!-- end -->\n\nAfter.\n"
    once = filled(page, Path(f"{tmp_path}"))
    assert once.startswith("Before.")
    assert once.endswith("After.\n")
    assert "| aals | 3 |" in once
    assert "old" not in once
    assert filled(once, Path(f"{tmp_path}")) == once


@pytest.mark.parametrize("of_trainings", [0.0, 0.05])
def test_intervals_over_folds_hold_the_truth(of_trainings: float) -> None:
    """300 benchmarks of five folds; patients give a fold a deviation of 0.04."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        values = 0.5 + 0.04 * random.standard_normal(5) + of_trainings * random.standard_normal(5)
        drawn = values[:, None] + 0.04 * random.standard_normal((5, 400))
        low, high = np.quantile(over_folds(values, drawn), [0.025, 0.975])
        held += bool(low <= 0.5 <= high)
    assert 0.88 <= held / 300 <= 0.99


def test_trainings_on_the_same_patients_are_drawn_anew() -> None:
    values = np.array([0.4, 0.6])
    drawn = np.repeat(values[:, None], 4000, axis=1)
    resampled = over_trainings(values, drawn)
    assert set(np.round(resampled, 3)) == {0.4, 0.5, 0.6}
    assert abs((np.round(resampled, 3) == 0.5).mean() - 0.5) < 0.05
