"""The whole pipeline at toy size, from synthetic sets to two model folders that the desk's catalogue accepts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

import training.pretrain
from app.catalog import load_cards, policy_card, reward_card, verify
from training.__main__ import VERBS
from training.pretrain import batches, pretrain, rate
from training.recipe import PretrainRecipe
from training.recipe_file import load_recipe
from training.sft import sft
from training.stage import MetricsFile, read_metrics

SMOKE = Path("training/recipes/smoke.yaml")


def train(verb: str, data: Path, run: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", verb, str(SMOKE), "--data", str(data), "--run", str(run), *more]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "default"})


@pytest.fixture(scope="module")
def run(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    finished = train("pipeline", data_folder, folder)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return folder


def test_every_stage_leaves_its_result_and_the_desk_reads_the_cards(run):
    cards = load_cards(run / "model_cards")
    policy = policy_card(cards, None)
    reward = reward_card(cards, policy)
    verify(policy)
    assert reward is not None
    verify(reward)
    assert reward.threshold is not None and -1 <= reward.threshold <= 1
    assert reward.human_quantiles is not None
    assert len(reward.human_quantiles) == 101 and list(reward.human_quantiles) == sorted(reward.human_quantiles)
    assert load_recipe(run / "recipe.yaml") == load_recipe(SMOKE)


def test_the_cards_are_hugging_face_model_cards(run):
    for readme in (run / "model_cards").glob("*/README.md"):
        card = ModelCard.load(readme)
        assert card.data.license == "apache-2.0"
        assert card.data.language == ["zh"]
        assert card.data.to_dict()["empathy_desk"]["file"].endswith(".gguf")


def test_the_files_compute_what_pytorch_computes(run):
    checks = json.loads((run / "export" / "conformance.json").read_text())
    for file_type, bound in {"F16": 0.01, "Q8_0": 0.1, "Q4_K_M": 0.5}.items():
        assert checks["policy"][file_type]["token_ids_equal"] == 1.0
        assert checks["policy"][file_type]["max_logit_difference"] < bound
        assert checks["reward"][file_type]["token_ids_equal"] == 1.0
        assert checks["reward"][file_type]["min_cosine"] > 1 - bound
    assert checks["policy"]["F16"]["top1_agreement"] > 0.99


def test_every_stage_changed_the_weights(run):
    from safetensors.numpy import load_file

    stages = [load_file(run / stage / "model" / "model.safetensors") for stage in ("pretrain", "sft", "grpo")]
    reward = {
        f"model.{name}": value for name, value in load_file(run / "reward" / "model" / "model.safetensors").items()
    }
    for name, before in stages[0].items():
        assert not np.array_equal(before, stages[1][name]), f"SFT left {name} as it was"
        assert not np.array_equal(before, reward.get(name, stages[1][name])), f"the reward stage left {name} as it was"


def test_an_interrupted_pretraining_goes_on_as_if_it_had_not_been(run, data_folder, tmp_path, monkeypatch):
    """Interrupted in the fourth step, resumed after the second: the same losses as in one go."""
    recipe = load_recipe(SMOKE)
    for folder in ("corpus", "tokenizer"):
        shutil.copytree(run / folder, tmp_path / folder)

    def interrupted_rate(step: int, settings: PretrainRecipe) -> float:
        if step == 3:
            raise KeyboardInterrupt
        return rate(step, settings)

    # A fault put where a real interruption strikes: between two steps.
    monkeypatch.setattr(training.pretrain, "rate", interrupted_rate)
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, data_folder, tmp_path)
    monkeypatch.undo()
    pretrain(recipe, data_folder, tmp_path)

    def losses(folder: Path) -> list[float]:
        return [entry["loss"] for entry in read_metrics(folder / "pretrain" / "metrics.jsonl")]

    assert len(losses(tmp_path)) == 4
    assert losses(tmp_path) == pytest.approx(losses(run), rel=1e-3)


def test_an_interrupted_sft_goes_on_from_its_checkpoint(run, tmp_path, monkeypatch):
    """Interrupted in the second step, resumed after the first: the losses of one go, and no checkpoint left behind."""
    recipe = load_recipe(SMOKE, ["sft.save_every=1"])
    for folder in ("corpus", "pretrain"):
        shutil.copytree(run / folder, tmp_path / folder)
    written = MetricsFile.on_log

    def interrupted_log(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise KeyboardInterrupt
        written(self, args, state, control, **kwargs)

    # A fault put where a real interruption strikes: after a step, before it is on record.
    monkeypatch.setattr(MetricsFile, "on_log", interrupted_log)
    with pytest.raises(KeyboardInterrupt):
        sft(recipe, tmp_path)
    assert [folder.name for folder in (tmp_path / "sft").glob("checkpoint-*")] == ["checkpoint-1"]
    monkeypatch.undo()
    sft(recipe, tmp_path)

    def losses(folder: Path) -> list[float]:
        return [entry["loss"] for entry in read_metrics(folder / "sft" / "metrics.jsonl") if "loss" in entry]

    assert len(losses(tmp_path)) == 2
    assert losses(tmp_path) == pytest.approx(losses(run), rel=1e-3)
    assert not list((tmp_path / "sft").glob("checkpoint-*"))


@pytest.mark.parametrize("stage", ["pretrain", "sft", "reward"])
def test_every_stage_draws_its_curves(run, stage):
    assert (run / stage / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_windows_resume_where_they_stopped():
    tokens = np.arange(1000, dtype=np.uint16)
    recipe = PretrainRecipe(batch=2, length=16)
    straight = batches(tokens, recipe, 1, 0)
    expected = [next(straight) for _ in range(70)][65:]
    resumed = batches(tokens, recipe, 1, 65)
    assert all((next(resumed) == window).all() for window in expected)


def test_the_rate_warms_up_holds_and_falls_to_zero():
    recipe = PretrainRecipe(steps=100, warmup_steps=10, cooldown=0.5)
    assert rate(0, recipe) == pytest.approx(0.1)
    assert rate(49, recipe) == 1.0
    assert rate(75, recipe) == pytest.approx(0.5)
    assert rate(99, recipe) == pytest.approx(0.02)


def test_too_little_data_is_a_sentence():
    with pytest.raises(ValueError, match=r"lower pretrain\.batch"):
        next(batches(np.zeros(20, np.uint16), PretrainRecipe(batch=2, length=16), 1, 0))


def test_an_unknown_setting_ends_with_one_sentence(data_folder, tmp_path):
    finished = train("tokenizer", data_folder, tmp_path, "--set", "sft.epoch=2")
    assert finished.returncode == 2
    assert finished.stderr.startswith("sft.epoch is not a setting; known here: chain,")
    assert finished.stderr.endswith("Did you mean sft.epochs?\n")
    assert "Traceback" not in finished.stderr


def test_both_policies_are_evaluated_between_floor_and_ceiling(run):
    report = json.loads((run / "evaluate" / "report.json").read_text())
    assert report["posts"] == 3 and list(report["systems"]) == ["sft", "grpo"]
    assert {row["name"] for row in report["floor"]} >= {row["name"] for row in report["ceiling"]}
    # 24 tokens hold no response.
    assert "Format right without forcing: sft 0.0%, grpo 0.0%." in (run / "evaluate" / "report.md").read_text()


def test_every_stage_is_on_record_with_its_versions(run):
    stages = read_metrics(run / "stages.jsonl")
    assert [entry["stage"] for entry in stages] == [*VERBS]
    assert all(entry["versions"]["torch"].startswith("2.") and entry["device"] for entry in stages)


def test_the_resolved_recipe_is_kept(run):
    assert yaml.safe_load((run / "recipe.yaml").read_text("utf-8"))["grpo"]["group_size"] == 2
