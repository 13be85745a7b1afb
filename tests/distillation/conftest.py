"""The recipe of the tests."""

from pathlib import Path

import pytest

from ribsight.distillation.recipe import Recipe, load_recipe


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe(Path(__file__).parents[2] / "recipes" / "test.toml")
