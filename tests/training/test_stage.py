"""A run folder: which checkpoint a killed stage goes on from, what is on record, and that one recipe made it all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.provenance import check_run, on_record
from training.recipe import RecipeError
from training.recipe_file import load_recipe, save_recipe
from training.stage import last_checkpoint
from training.stages import run_stages

SMOKE = Path("training/recipes/smoke.yaml")


def finish(run: Path, *stages: str) -> None:
    for stage, result in {"tokenizer": "tokenizer.json", "pretrain": "model", "sft": "model", "grpo": "model"}.items():
        if stage in stages:
            (run / stage / result).mkdir(parents=True)


def test_the_last_checkpoint_is_the_newest_that_was_written_to_its_end(tmp_path):
    assert last_checkpoint(tmp_path / "none") is None
    for step in (5, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert last_checkpoint(tmp_path) is None
    for step in (5, 10):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_a_run_goes_on_with_the_same_recipe(tmp_path):
    recipe = load_recipe(SMOKE)
    check_run(recipe, tmp_path, ("sft",))
    save_recipe(recipe, tmp_path)
    finish(tmp_path, "tokenizer", "pretrain", "sft")
    check_run(load_recipe(SMOKE), tmp_path, ("grpo",))


def test_a_setting_that_a_finished_stage_used_may_not_change(tmp_path):
    save_recipe(load_recipe(SMOKE), tmp_path)
    finish(tmp_path, "pretrain", "sft")
    check_run(load_recipe(SMOKE, ["grpo.steps=9"]), tmp_path, ("grpo",))
    with pytest.raises(RecipeError, match=r"its stage sft was made with sft.learning_rate 0.0005, .* says 0.5"):
        check_run(load_recipe(SMOKE, ["sft.learning_rate=0.5"]), tmp_path, ("grpo",))
    with pytest.raises(RecipeError, match=r"its stage pretrain was made with model.hidden 64"):
        check_run(load_recipe(SMOKE, ["model.hidden=128"]), tmp_path, ("sft",))


def test_a_finished_stage_may_be_made_again_unless_a_later_one_was_built_on_it(tmp_path):
    save_recipe(load_recipe(SMOKE), tmp_path)
    finish(tmp_path, "pretrain", "sft")
    changed = load_recipe(SMOKE, ["sft.learning_rate=0.5"])
    check_run(changed, tmp_path, ("sft",))
    finish(tmp_path, "grpo")
    with pytest.raises(RecipeError, match="its stage grpo was made with sft.learning_rate"):
        check_run(changed, tmp_path, ("sft",))
    check_run(changed, tmp_path, ("sft", "grpo"))


@pytest.mark.parametrize("mark", ["sft/checkpoint-5", "pretrain/state.pt"])
def test_a_killed_stage_may_not_go_on_with_other_settings(tmp_path, mark):
    save_recipe(load_recipe(SMOKE), tmp_path)
    (tmp_path / mark).mkdir(parents=True)
    stage = mark.split("/")[0]
    check_run(load_recipe(SMOKE), tmp_path, (stage,))
    with pytest.raises(RecipeError, match=f"its stage {stage} was made with seed 7, and this recipe says 8"):
        check_run(load_recipe(SMOKE, ["seed=8"]), tmp_path, (stage,))


def test_a_setting_that_only_one_of_the_recipes_knows_is_no_difference(tmp_path):
    save_recipe(load_recipe(SMOKE), tmp_path)
    finish(tmp_path, "sft")
    kept = tmp_path / "recipe.yaml"
    kept.write_text(kept.read_text("utf-8").replace("learning_rate:", "former_rate:"), "utf-8")
    check_run(load_recipe(SMOKE), tmp_path, ("grpo",))


def test_a_stage_is_on_record_from_its_beginning_and_with_its_time_once_done(tmp_path):
    record = tmp_path / "stages.jsonl"
    with pytest.raises(KeyboardInterrupt), on_record(tmp_path, "sft"):
        assert json.loads(record.read_text("utf-8"))["stage"] == "sft"
        raise KeyboardInterrupt
    with on_record(tmp_path, "grpo"):
        pass
    interrupted, done = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    assert (interrupted["stage"], done["stage"]) == ("sft", "grpo")
    assert "seconds" not in interrupted and done["seconds"] >= 0 and done["processes"] == 1


def test_only_the_first_of_many_processes_writes_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with on_record(tmp_path, "sft"):
        pass
    assert not (tmp_path / "stages.jsonl").exists()


def test_a_released_checkpoint_leaves_nothing_to_tokenizer_and_pretraining(tmp_path, capsys):
    recipe = load_recipe(SMOKE, ["model.checkpoint=Qwen/Qwen3-0.6B"])
    run_stages(("tokenizer", "pretrain"), recipe, tmp_path / "data", tmp_path / "run", tmp_path / "cards")
    assert capsys.readouterr().err.splitlines() == [
        "tokenizer: nothing to do, the run starts from Qwen/Qwen3-0.6B",
        "pretrain: nothing to do, the run starts from Qwen/Qwen3-0.6B",
    ]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["recipe.yaml"]


def test_a_stage_for_one_process_refuses_many(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="evaluate runs in one process; start it without accelerate"):
        run_stages(("evaluate",), load_recipe(SMOKE), tmp_path, tmp_path / "run", tmp_path)
