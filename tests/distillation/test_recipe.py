"""Recipes: strict, and every mistake said."""

from pathlib import Path

import pytest

from ribsight.distillation.recipe import load_recipe, recipe_toml
from ribsight.errors import RibsightError

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_house_is_valid(path: Path) -> None:
    recipe = load_recipe(path)
    # Stage 1 learns from regions and negatives; record-positives come in stage 2, beside them.
    assert recipe.stage1.batch.positives == 0
    assert recipe.stage1.batch.regions > 0
    assert recipe.stage2.batch.regions > 0


def test_a_resolved_recipe_reads_back(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "test.toml")
    (tmp_path / "again.toml").write_text(recipe_toml(recipe))
    assert load_recipe(tmp_path / "again.toml") == recipe


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RibsightError, match=r"unknown key 'teacher\.decai' .*'decay'"):
        load_recipe(RECIPES / "test.toml", {"teacher.decai": 0.5})


def test_an_unknown_key_below_a_name_of_ones_own_is_refused_too() -> None:
    with pytest.raises(RibsightError, match=r"did you mean 'positive_predictive_value'"):
        load_recipe(RECIPES / "test.toml", {"record_noise.fracture.positive_predictive": 0.9})


def test_every_mistake_is_listed() -> None:
    changes = {"teacher.decay": 1.5, "methd": "aals", "stage1.steps": "many"}
    with pytest.raises(RibsightError, match="3 mistakes") as caught:
        load_recipe(RECIPES / "test.toml", changes)
    assert "'teacher.decay' = 1.5" in str(caught.value)
    assert "did you mean 'method'?" in str(caught.value)
    assert "'stage1.steps' = 'many'" in str(caught.value)


def test_stage_1_has_no_teacher() -> None:
    batch = {"regions": 1, "positives": 1, "negatives": 1}
    with pytest.raises(RibsightError, match="no teacher yet"):
        load_recipe(RECIPES / "test.toml", {"stage1.batch": batch})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crops.size": 40}, "multiple of 32"),
        ({"crops.size": 96}, r"crops\.size = 96 is larger than images\.size = 64"),
        ({"crops.size": 32, "crops.per_positive": 3}, r"= 2 is not a multiple of .* = 3"),
    ],
)
def test_crops_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RibsightError, match=message):
        load_recipe(RECIPES / "test.toml", changes)


def test_a_missing_file_and_bad_toml_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(RibsightError, match="not valid TOML"):
        load_recipe(tmp_path / "bad.toml")
