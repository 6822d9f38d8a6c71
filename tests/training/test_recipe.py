"""Recipes: every shipped one loads, says where its values come from, and a mistake in one is named in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from training.recipe import RecipeError
from training.recipe_file import load_recipe, save_recipe

FOLDER = Path("training/recipes")
RECIPES = sorted(FOLDER.glob("*.yaml"))
REAL_SIZES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "smoke")
SMOKE = FOLDER / "smoke.yaml"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_and_survive_saving(path, tmp_path):
    recipe = load_recipe(path)
    save_recipe(recipe, tmp_path)
    assert load_recipe(tmp_path / "recipe.yaml") == recipe
    assert recipe.name == path.stem


@pytest.mark.parametrize("path", REAL_SIZES, ids=lambda path: path.stem)
def test_every_value_says_whether_it_is_the_papers(path):
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if re.match(r"\s*\w+: *[^\s#]", line):
            assert re.search(r"  # (paper|ours): \w", line), f"{path.name}:{number}: {line}"


def test_the_papers_settings_are_the_papers():
    recipe = load_recipe(FOLDER / "qwen3-8b-paper.yaml")
    grpo = recipe.grpo
    assert (recipe.model.checkpoint, recipe.adapter.rank, recipe.seed) == ("Qwen/Qwen3-8B", 0, 42)
    assert (grpo.reward, grpo.steps, grpo.learning_rate, grpo.temperature) == ("paper", 1000, 1e-6, 1.0)
    assert (grpo.posts_per_step, grpo.group_size) == (6, 4)
    assert (grpo.max_prompt_tokens, grpo.max_completion_tokens) == (1024, 1024)
    assert recipe.reward.loss == "triplet" and recipe.reward.negatives["echo"] == 0


def test_only_the_papers_recipe_and_the_rollout_length_claim_what_the_paper_says():
    """A value that differs from the paper's recipe cannot be tagged as the paper's."""
    paper = yaml.safe_load((FOLDER / "qwen3-8b-paper.yaml").read_text("utf-8"))
    for path in REAL_SIZES:
        section = ""
        for line in path.read_text("utf-8").splitlines():
            if match := re.match(r"(\w+):$", line):
                section = match[1]
            elif match := re.match(r"  (\w+): (\S+)  # paper:", line):
                assert str(paper[section][match[1]]) == str(yaml.safe_load(match[2])), f"{path.name}: {line}"


def test_an_override_wins_over_the_file():
    assert load_recipe(RECIPES[0], ["grpo.learning_rate=0.5", "name=other"]).grpo.learning_rate == 0.5


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("grpo.group_sise=4", r"grpo.group_sise is not a setting; .* Did you mean grpo.group_size\?"),
        ("grpi.group_size=4", r"grpi is not a setting; .* Did you mean grpo\?"),
        ("grpo.group_size=1", "set it to 2 or more"),
        ("adapter.rank=-1", "adapter.rank is -1, but .*; set it to 0 or more"),
        ("sft.batch=0", "set it to 1 or more"),
        ("reward.margin=3", "cosines differ by less than 2; set it between -2 and 2"),
        ("reward.negatives={echo: 0.5}", "make it 1"),
        ("grpo.learning_rate=1e-6", "grpo.learning_rate is '1e-6', but .*; write it with a point, such as 1.0e-6"),
        ("grpo.steps=many", "grpo.steps is 'many', but takes a value of type int"),
        ("grpo.steps=true", "grpo.steps is True, but takes a value of type int"),
        ("model.checkpoint=8", "model.checkpoint is 8, but takes a value of type str"),
        ("grpo.vllm=off", "grpo.vllm is False, but .*; quote it, since YAML reads a bare off as false"),
        ("grpo=3", "grpo is 3, but holds settings"),
        ("nonsense", "stage.key=value"),
    ],
)
def test_a_mistake_is_named(override, complaint):
    with pytest.raises(RecipeError, match=complaint):
        load_recipe(SMOKE, [override])


def test_a_whole_number_serves_where_a_fraction_may_stand_and_null_where_nothing_may():
    recipe = load_recipe(SMOKE, ["grpo.learning_rate=1", "model.checkpoint=null"])
    assert recipe.grpo.learning_rate == 1 and recipe.model.checkpoint is None
