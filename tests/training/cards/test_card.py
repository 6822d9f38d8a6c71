"""A card says what the run holds: figures against their bars, misses plainly, and what was not measured."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from app.catalog import load_cards, policy_card, reward_card, verify
from tests.tiny_run import SMOKE, write_run
from training.cards.bars import missed, policy_bars, reward_bars
from training.cards.card import write_cards
from training.cards.reward import trained_how
from training.export_gguf import export
from training.provenance import on_record
from training.recipe_file import load_recipe, save_recipe

RECIPE = load_recipe(SMOKE, ["export.quantizations=[Q8_0]", "evaluate.max_completion_tokens=8"])
KINDS = ("random", "irrelevant", "mismatched", "generic", "echo", "echo_addressed")
REWARD = {
    "threshold": 0.25,
    "threshold_chosen_on_posts": 40,
    "human_quantiles": [place / 100 for place in range(101)],
    "held_out_posts": 50,
    "held_out_answers": 80,
    "pairwise_accuracy": dict.fromkeys(KINDS, 0.98),
    "pairwise_interval": dict.fromkeys(KINDS, [0.96, 0.99]),
    "top_1_of_32": {"value": 0.55, "low": 0.5, "high": 0.61},
    "auc": dict.fromkeys((*KINDS, "together"), 0.9),
    "balanced_accuracy": 0.91,
    "passing": dict.fromkeys((*KINDS, "own"), 0.3),
    "calibration": {"expected_calibration_error": 0.021, "bins": []},
    "cut_texts": {"posts": 0.0, "answers": 0.01},
}


def figure(name: str, tokenizer: str, value: float) -> dict:
    return {
        "name": name,
        "tokenizer": tokenizer,
        "value": value,
        "low": value - 0.01,
        "high": value + 0.01,
        "posts": 60,
    }


def difference(name: str, value: float, verdict: str, tokenizer: str = "characters") -> dict:
    ends = {"low": value - 0.01, "high": value + 0.01}
    return {
        "new": "grpo",
        "old": "sft",
        "name": name,
        "tokenizer": tokenizer,
        "value": value,
        "verdict": verdict,
    } | ends


def evaluation(**more: object) -> dict:
    return {
        "systems": {
            "sft": {"figures": [figure("format", "completions", 0.5)], "readable": []},
            "grpo": {
                "figures": [figure("format", "completions", 0.97), figure("response repetition", "characters", 0.05)],
                "readable": [figure("L1 support", "jieba", 0.6), figure("L1 support ratio", "jieba", 3.0)],
            },
        },
        "comparisons": [
            difference("graded reward", 0.04, "better", "completions"),
            *(difference(name, 0.001, "no difference shown") for name in ("BLEU-1", "ROUGE-L", "NAvg")),
            difference("METEOR", -0.02, "worse"),
            difference("NAvg", -0.5, "worse", "jieba"),
        ],
        "bits_per_character": {"base": {"dialogues": 2.65, "answers": 2.5}},
        **more,
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_folder, tokenizer):
    folder = write_run(tmp_path_factory.mktemp("run"), data_folder, tokenizer)
    (folder / "reward" / "report.json").write_text(json.dumps(REWARD))
    for stage, losses in {"pretrain": (4.0, 3.0, 2.0), "reward": (0.3, 0.1), "grpo": (0.0, 0.0)}.items():
        lines = [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)]
        if stage == "grpo":
            lines = [line | {"reward": line["step"] / 2, "rewards/score/mean": 0.5} for line in lines]
        (folder / stage / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with on_record(folder, "pretrain"):
        save_recipe(RECIPE, folder)
    export(RECIPE, folder)
    return folder


@pytest.fixture
def written(run, tmp_path):
    """A copy of the run that a test may add to, and the folder for its cards."""
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("model", "work"))
    return tmp_path / "run", tmp_path / "cards"


def readme(cards, role: str) -> str:
    return (cards / f"smoke-{role}" / "README.md").read_text("utf-8")


def test_the_desk_and_hugging_face_read_the_cards(written):
    run, cards = written
    write_cards(RECIPE, run, cards)
    found = load_cards(cards)
    policy = policy_card(found, None)
    reward = reward_card(found, policy)
    assert reward is not None and reward.threshold == 0.25 and len(reward.human_quantiles or ()) == 101
    for card in (policy, reward):
        verify(card)
        assert ModelCard.load(cards / card.name / "README.md").data.language == ["zh"]
        assert (cards / card.name / "recipe.yaml").is_file()
    assert policy.title_zh == "共情工作台内置起草模型"
    assert policy.memory_mb > 10 and policy.context_tokens == RECIPE.model.context_tokens


def test_what_the_run_does_not_hold_is_not_measured(written):
    run, cards = written
    write_cards(RECIPE, run, cards)
    told = readme(cards, "policy")
    assert told.count("| not measured | – | – |") == 7
    assert "**no**" not in told and "| yes |" not in told
    assert "Not measured: Format right without forcing;" in told
    assert "## Evaluation\n\nNot measured." in told and "Quantizations against each other: not measured." in told
    assert "No curves were drawn." in told
    assert not (cards / "smoke-policy" / "evaluation.json").exists()


def test_a_card_says_first_what_the_model_is(written):
    run, cards = written
    write_cards(RECIPE, run, cards)
    told = readme(cards, "policy")
    body = told.split("---\n", 2)[2]
    count = json.loads((run / "export" / "export.json").read_text())["policy"]["parameters"]
    assert (
        body.index("不得用来为真实的求助者起草回信") < body.index("must not\ndraft for real people") < body.index("## ")
    )
    assert f"约 {count / 1e4:,.0f} 万参数" in body and f"of {count / 1e6:.1f} million parameters" in body
    assert "trained from scratch" in body


def test_misses_are_said_plainly(written):
    run, cards = written
    (run / "evaluate").mkdir()
    (run / "evaluate" / "report.json").write_text(json.dumps(evaluation()))
    (run / "evaluate" / "report.md").write_text("60 held-out posts.\n")
    (run / "evaluate" / "evaluation.json").write_text('{"posts": []}')
    (run / "reproduce").mkdir()
    (run / "reproduce" / "table-3.md").write_text("# Table 3\n\nAll of it.\n")
    write_cards(RECIPE, run, cards)
    told = readme(cards, "policy")
    assert (
        "| Format right without forcing | ≥ 98% | 97.0% | 96.0% to 98.0% | **no**; the interval contains the bar |"
        in told
    )
    assert "**Missed: Format right without forcing; GRPO less SFT, overlap with people's answers.**" in told
    assert "## Evaluation\n\n60 held-out posts." in told
    assert "## The paper's tables\n\n### Table 3\n\nAll of it." in told
    assert (cards / "smoke-policy" / "evaluation.json").read_text() == '{"posts": []}'
    reward = readme(cards, "reward")
    assert (
        "| Own answer first of 32 | ≥ 60% | 55.0% | 50.0% to 61.0% | **no**; the interval contains the bar |" in reward
    )
    assert "| the post copied | 98.0% | 96.0% to 99.0% | 0.900 | 30.0% |" in reward


def test_each_bar_is_held_against_its_own_figure():
    reached = [bar.reached for bar in policy_bars(evaluation())]
    assert reached == [False, True, True, True, True, False, True]
    value = policy_bars(evaluation())[5].value
    assert value == "NAvg +0.0010; worse in METEOR"
    unsure = evaluation(comparisons=[difference("graded reward", 0.004, "no difference shown", "completions")])
    assert [bar.reached for bar in policy_bars(unsure)[4:6]] == [False, None]
    assert [bar.reached for bar in reward_bars(REWARD)] == [True, False, False]


def test_reaching_every_bar_is_said():
    bars = [bar for bar in policy_bars(evaluation()) if bar.reached]
    assert missed(bars) == "Every bar is reached."


def test_training_is_told_from_the_run_s_records(written):
    run, cards = written
    write_cards(RECIPE, run, cards)
    told = readme(cards, "policy")
    assert "| pretrain | 3 | 4.000 | 2.000 | cpu | " in told
    assert "| grpo | 2 | 0.000 | 0.000 | – | – |" in told  # that stage is not on record
    assert "| reward | 0.5000 | 1.0000 |" in told and "| rewards/score/mean | 0.5000 | 0.5000 |" in told
    assert "| reward | 2 | 0.300 | 0.100 |" in readme(cards, "reward")


def test_pictures_are_small_and_what_an_older_card_left_goes(written):
    run, cards = written
    noise = np.random.default_rng(0).integers(200, 256, (240, 800, 3), dtype=np.uint8)
    for folder in ("pretrain", "reward"):
        Image.fromarray(noise).save(run / folder / "curves.png")
    before = (run / "pretrain" / "curves.png").stat().st_size
    stale = cards / "smoke-policy"
    stale.mkdir(parents=True)
    for name in ("sft.png", "smoke-policy-F16.gguf", "evaluation.json"):
        (stale / name).write_bytes(b"old")
    write_cards(RECIPE, run, cards)
    assert sorted(path.name for path in stale.iterdir()) == [
        "README.md",
        "pretrain.png",
        "recipe.yaml",
        "smoke-policy-Q8_0.gguf",
    ]
    assert (stale / "pretrain.png").stat().st_size < before / 3
    assert "](pretrain.png)" in readme(cards, "policy") and "](reward.png)" in readme(cards, "reward")


def test_the_sets_behind_a_model_come_from_its_corpus(written):
    run, cards = written
    summary = json.loads((run / "corpus" / "corpus.json").read_text())
    summary["sets"] = {"cpsycound": summary["sets"]["cpsycound"], "own": {}}
    (run / "corpus" / "corpus.json").write_text(json.dumps(summary))
    write_cards(RECIPE, run, cards)
    told = readme(cards, "policy")
    assert "| CPsyCounD (https://github.com/CAS-SIAT-XinHai/CPsyCoun) | CC-BY-4.0 |" in told
    assert "| own (a file of the user) | the user's own |" in told
    assert "SmileChat" not in told and "PsyQA" not in told


def test_a_released_checkpoint_is_named(written):
    run, cards = written
    model = dataclasses.replace(RECIPE.model, checkpoint="Qwen/Qwen3-0.6B")
    write_cards(dataclasses.replace(RECIPE, model=model), run, cards)
    told = readme(cards, "policy")
    assert ModelCard.load(cards / "smoke-policy" / "README.md").data.base_model == "Qwen/Qwen3-0.6B"
    assert "fine-tuned from Qwen/Qwen3-0.6B" in told and "from scratch" not in told
    assert "起草模型（Qwen/Qwen3-0.6B）" in told


def test_departures_from_the_paper_are_those_of_the_recipe():
    plain = load_recipe(
        SMOKE, ["reward.loss=triplet", "reward.role_prefixes=false", "reward.negatives={irrelevant: 1}"]
    )
    assert trained_how(plain) == "Trained with the triplet loss of arXiv:2509.14851, Eq. 5."
    ours = trained_how(load_recipe(SMOKE, ["reward.loss=contrastive"]))
    assert "a deviation from" in ours and "different prefixes and copied posts are" in ours


def test_without_an_export_there_is_no_card(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run the stage export first\."):
        write_cards(RECIPE, tmp_path, tmp_path / "cards")
