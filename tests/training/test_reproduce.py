"""The paper's tables as runs: which arms are trained, that they are trained once, and what the tables say."""

from __future__ import annotations

import json

import pytest

from app.chain import Response, render
from tests.tiny_run import SMOKE, write_run
from training.recipe import RecipeError
from training.recipe_file import load_recipe
from training.reproduce import read_answer, reproduce
from training.sft import conversation, without_chain

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # from inside TRL
RESPONSE = Response("累", "也许怕", "想被听见", "先听", "我在听。")
RECIPE = load_recipe(SMOKE, ["evaluate.max_completion_tokens=8", "grpo.max_completion_tokens=8", "sft.examples=4"])


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_folder, tokenizer):
    return write_run(tmp_path_factory.mktemp("reproduced"), data_folder, tokenizer)


@pytest.fixture(scope="module")
def stages(run):
    reproduce(RECIPE, run, 3)
    return run / "reproduce"


def test_the_training_stages_stand_side_by_side(stages):
    report = json.loads((stages / "table-3.json").read_text("utf-8"))
    assert list(report["systems"]) == ["base", "grpo_only", "sft", "sft_grpo"]
    assert {(row["new"], row["old"]) for row in report["comparisons"]} == {
        ("sft", "base"),
        ("grpo_only", "base"),
        ("sft_grpo", "sft"),
        ("sft_grpo", "grpo_only"),
    }
    text = (stages / "table-3.md").read_text("utf-8")
    assert "| measure | in | base | GRPO alone | SFT, with the chain | SFT and GRPO |" in text
    assert "| NAvg in the paper | not told | – | – | – | 0.262 |" in text


def test_a_finished_arm_is_not_run_again(run, stages):
    written = [
        stages / "grpo_only" / "grpo" / "model" / "model.safetensors",
        *(stages / name / "completions.json" for name in ("base", "grpo_only", "sft", "sft_grpo")),
    ]
    before = [path.stat().st_mtime_ns for path in written]
    table = (stages / "table-3.json").read_bytes()
    reproduce(RECIPE, run, 3)
    assert [path.stat().st_mtime_ns for path in written] == before
    assert (stages / "table-3.json").read_bytes() == table


def test_an_arm_of_another_recipe_is_not_passed_off_as_this_ones(run, stages):
    other = load_recipe(SMOKE, ["grpo.learning_rate=0.1"])
    with pytest.raises(RecipeError, match="remove it to train it again"):
        reproduce(other, run, 3)


def test_the_answers_alone_are_learned_from_the_same_examples(run):
    reproduce(RECIPE, run, 4)
    out = run / "reproduce"
    assert (out / "answers_only" / "sft" / "model" / "model.safetensors").is_file()
    report = json.loads((out / "table-4.json").read_text("utf-8"))
    assert list(report["systems"]) == ["answers_only", "sft"]
    # What reads the chain is no measure of a system that has none.
    assert not {"graded reward", "response repetition", "L1 support"} & {row["name"] for row in report["comparisons"]}
    assert "| format | completions |" in (out / "table-4.md").read_text("utf-8")


def test_the_human_ranking_is_not_run(run):
    reproduce(RECIPE, run, 2)
    text = (run / "reproduce" / "table-2.md").read_text("utf-8")
    assert "| mean rank | 21 | 21 |" in text and "2.72 times as often" in text
    assert not (run / "reproduce" / "table-2.json").exists()


def test_a_run_that_lacks_a_stage_is_a_sentence(run, tmp_path):
    with pytest.raises(RecipeError, match="run sft first"):
        (tmp_path / "pretrain").symlink_to(run / "pretrain")
        (tmp_path / "corpus").symlink_to(run / "corpus")
        reproduce(RECIPE, tmp_path, 4)


def test_an_answer_is_read_with_a_chain_and_without():
    assert read_answer(render(RESPONSE)) == "我在听。"
    asked, example = conversation("睡不着", RESPONSE)["messages"], without_chain(conversation("睡不着", RESPONSE))
    assert example["messages"][:-1] == asked[:-1]
    assert example["messages"][-1]["content"] == "<answer>我在听。</answer>"
    assert read_answer(example["messages"][-1]["content"]) == "我在听。"


@pytest.mark.parametrize(
    "text", ["我在听。", "<answer> </answer>", "<answer>我<b>在</b></answer>", "<answer>我</answer>。"]
)
def test_what_is_no_answer_is_none(text):
    assert read_answer(text) is None
