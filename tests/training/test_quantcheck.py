"""What is said of quantized files: speeds, differences, chance, and that all of it is from the same posts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tiny_run import SMOKE, write_run
from training.conversion.drafting import Draft
from training.export_gguf import export
from training.pairs import corpus_pairs
from training.quantcheck import against, encoder_cosines, fitted, policy_table, quantcheck, speeds
from training.recipe import RecipeError
from training.recipe_file import load_recipe, save_recipe

RECIPE = load_recipe(SMOKE, ["export.quantizations=[Q8_0]", "export.posts=2", "evaluate.max_completion_tokens=8"])


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_folder, tokenizer):
    folder = write_run(tmp_path_factory.mktemp("quantized"), data_folder, tokenizer)
    save_recipe(RECIPE, folder)
    return folder


@pytest.fixture(scope="module")
def report(run):
    export(RECIPE, run)
    quantcheck(RECIPE, run)
    return json.loads((run / "export" / "quantcheck.json").read_text())


def test_every_file_drafts_for_the_same_posts_and_chance_is_shown(report, run):
    assert list(report["systems"]) == ["F16", "F16, other seeds", "Q8_0"]
    assert report["posts"] == 2
    for measured in report["systems"].values():
        rate = next(figure for figure in measured["figures"] if figure["name"] == "format")
        assert (rate["value"], rate["posts"]) == (0, 2)  # random weights write no response
        assert measured["prompt_tokens_per_s"] > 0 and measured["decode_tokens_per_s"] > 0
    assert {(row["new"], row["old"]) for row in report["comparisons"]} == {
        ("F16, other seeds", "F16"),
        ("Q8_0", "F16"),
    }
    told = (run / "export" / "quantcheck.md").read_text("utf-8")
    assert "| Q8_0 | " in told and told.count("| F16") == 3


def test_the_reward_file_is_compared_with_f16(report):
    assert report["reward"]["F16"]["max_difference"] == report["reward"]["F16"]["flips"] == 0
    assert 0 < report["reward"]["Q8_0"]["mean_difference"] <= report["reward"]["Q8_0"]["max_difference"] < 0.05


def test_the_export_says_what_each_file_is(report, run):
    held = json.loads((run / "export" / "export.json").read_text())
    file = held["policy"]["files"]["Q8_0"]
    assert file["size_bytes"] == (run / "export" / "policy-Q8_0.gguf").stat().st_size
    assert file["memory_mb"] > 10 and len(file["sha256"]) == 64
    assert file["draft"]["decode_tokens"] <= 8 and not file["draft"]["readable"]
    assert "draft" not in held["reward"]["files"]["Q8_0"]


def test_a_text_too_long_for_the_encoder_is_cut_before_it_is_read(report, run):
    """Cut by llama.cpp, a text would lose its end token, at which the encoder pools."""
    assert fitted("abcdefgh", 3, len) == "abc" and fitted("ab", 3, len) == "ab"
    assert fitted("abcdefgh", 5, lambda text: len(text) + 1) == "abcd"
    pairs = list({pair.group: pair for pair in corpus_pairs(run, "test")}.values())
    path = run / "export" / "reward-F16.gguf"
    cosines, speed = encoder_cosines(path, pairs, 24)
    assert len(cosines) == 2 * len(pairs) and speed > 0
    assert not np.allclose(cosines, encoder_cosines(path, pairs, 512)[0])


def test_speeds_are_over_all_drafts():
    drafts = [Draft("", False, True, 100, 1.0, 30, 2.0), Draft("", False, False, 300, 1.0, 10, 2.0)]
    assert speeds(drafts) == {"prompt_tokens_per_s": 200.0, "decode_tokens_per_s": 10.0, "cut": 0.5}


def test_a_flip_is_a_pair_on_the_other_side_of_the_threshold():
    found = against(np.array([0.5, 0.39, 0.2]), np.array([0.5, 0.41, 0.1]), threshold=0.4, speed=3.0)
    assert found["flips"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["max_difference"] == pytest.approx(0.1) and found["mean_difference"] == pytest.approx(0.04)


def test_only_a_difference_that_is_shown_stands_out():
    def figure(value: float) -> dict:
        return {"name": "NAvg", "tokenizer": "characters", "value": value}

    def row(new: str, value: float, low: float, high: float, verdict: str) -> dict:
        return {"new": new, "name": "NAvg", "tokenizer": "characters", "value": value, "low": low, "high": high} | {
            "verdict": verdict
        }

    speed = {"prompt_tokens_per_s": 90.0, "decode_tokens_per_s": 40.0}
    values = {"F16": 0.3, "Q8_0": 0.29, "Q4_K_M": 0.2}
    size = {"size_bytes": 2_000_000, "memory_mb": 9}
    told = policy_table(
        {
            "posts": 40,
            "cores": 2,
            "systems": {name: {**speed, "figures": [figure(value)], "readable": []} for name, value in values.items()},
            "comparisons": [
                row("Q8_0", -0.01, -0.03, 0.01, "no difference shown"),
                row("Q4_K_M", -0.1, -0.13, -0.07, "worse"),
            ],
            "files": {"policy": {"Q8_0": size, "Q4_K_M": size}},
        }
    )
    lines = told.splitlines()
    assert lines[-3] == "| F16 | – | – | 90 | 40 | – | – | – | 0.300 | – | – |"
    assert lines[-2] == "| Q8_0 | 2.0 | 9 | 90 | 40 | – | – | – | 0.290 | – | – |"
    assert "| **0.200** (-0.100 [-0.130, -0.070]) |" in lines[-1]


def test_without_an_export_there_is_nothing_to_check(tmp_path):
    with pytest.raises(RecipeError, match=r"run the stage export first\."):
        quantcheck(RECIPE, tmp_path)
    with pytest.raises(RecipeError, match=r"run the stage reward first\."):
        export(RECIPE, tmp_path)
