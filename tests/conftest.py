"""Fixtures that several packages' tests share."""

from __future__ import annotations

import dataclasses

import pytest


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """Synthetic data sets for the training package."""
    from tests.synthetic import write_sets

    return write_sets(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tokenizer(data_folder, tmp_path_factory):
    """A tokenizer made by the pipeline from the synthetic sets."""
    from pathlib import Path

    from training.recipe_file import load_recipe
    from training.tokenizer import train_tokenizer

    recipe = load_recipe(Path("training/recipes/smoke.yaml"))
    recipe = dataclasses.replace(recipe, tokenizer=dataclasses.replace(recipe.tokenizer, vocab_size=600))
    return train_tokenizer(recipe, data_folder, tmp_path_factory.mktemp("tokenizer"))
