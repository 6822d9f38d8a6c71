"""Recipes: every shipped one loads, and a mistake in one is named in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.recipe import RecipeError, load_recipe, save_recipe

RECIPES = sorted(Path("training/recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_and_survive_saving(path, tmp_path):
    recipe = load_recipe(path)
    save_recipe(recipe, tmp_path)
    assert load_recipe(tmp_path / "recipe.yaml") == recipe
    assert recipe.name == path.stem


def test_an_override_wins_over_the_file():
    assert load_recipe(RECIPES[0], ["grpo.learning_rate=0.5", "name=other"]).grpo.learning_rate == 0.5


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("grpo.group_sise=4", "grpo.group_sise is not a setting"),
        ("grpo.group_size=1", "set it to 2 or more"),
        ("reward.margin=3", "cosines differ by less than 2"),
        ("reward.negatives={echo: 0.5}", "make it 1"),
        ("nonsense", "stage.key=value"),
    ],
)
def test_a_mistake_is_named(override, complaint):
    with pytest.raises(RecipeError, match=complaint):
        load_recipe(RECIPES[0], [override])
