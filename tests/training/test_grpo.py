"""GRPO: what TRL computes is what the equations say, and what a recipe asks for is what TRL is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from trl import GRPOTrainer

from app.chain import messages, render
from tests.synthetic import post
from tests.tiny_qwen import write_qwen
from training.checkpoint import load_tokenizer
from training.data.build import build, sets_in
from training.data.seed_chains import read_seed_chains, read_triples
from training.equations import group_advantages, grpo_loss, kl_penalty
from training.grpo import completions_at_once, grpo, grpo_config, prompts
from training.pairs import Pair
from training.recipe import GRADED_WEIGHTS, GrpoRecipe, Recipe, RecipeError
from training.recipe_file import load_recipe
from training.reward import load_encoder
from training.rewards import Judge, RewardTerm, graded_terms, term_weights, weighted
from training.stage import read_metrics

# TRL asks transformers in words that the next version will not know.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SMOKE = Path("training/recipes/smoke.yaml")
SETTINGS = ["grpo.reward=graded", "grpo.posts_per_step=2", "grpo.group_size=3", "grpo.max_completion_tokens=2000"]
WRONG = {triple.id: triple for triple in read_triples()}
FIRST, SECOND = [chain for chain in read_seed_chains() if chain.language == "zh" and chain.id in WRONG][:2]
POSTS = [FIRST.post] * 3 + [SECOND.post] * 3
COMPLETIONS = [
    render(FIRST.response),
    render(replace(FIRST.response, answer=WRONG[FIRST.id].generic)),
    "没有标签",
    *[render(SECOND.response)] * 3,
]
"""A group that differs, one of it unreadable, and a group that agrees."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Path:
    return write_qwen(tmp_path_factory.mktemp("qwen"), [FIRST.text, SECOND.text])


@pytest.fixture(scope="module")
def judge(policy) -> Judge:
    return Judge(load_encoder(policy, 256), 0.5, (-1.0, 1.0))


def trainer_of(policy: Path, judge: Judge, recipe: Recipe, out: Path) -> GRPOTrainer:
    """The stage's trainer, but what it samples is `COMPLETIONS`, since random weights write no response."""
    tokenizer = load_tokenizer(policy)
    ids = [tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] for text in COMPLETIONS]
    asked = {FIRST.post: ids[:3], SECOND.post: ids[3:]}

    def rollout(prompted: list[list[dict[str, str]]], _: GRPOTrainer) -> dict:
        drawn = {text: iter(group) for text, group in asked.items()}
        return {
            "prompt_ids": [
                tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"] for prompt in prompted
            ],
            "completion_ids": [next(drawn[prompt[-1]["content"]]) for prompt in prompted],
            "logprobs": None,
        }

    return GRPOTrainer(
        model=str(policy),
        processing_class=tokenizer,
        reward_funcs=[RewardTerm(name, judge) for name in term_weights(recipe.grpo)],
        train_dataset=Dataset.from_list([{"prompt": messages(text), "post": text} for text in asked]),
        args=grpo_config(recipe, out),
        rollout_func=rollout,
    )


@pytest.fixture(scope="module")
def trainer(policy, judge, tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
        made = trainer_of(policy, judge, load_recipe(SMOKE, SETTINGS), tmp_path_factory.mktemp("out"))
    # What training would set.
    made.model.train()
    made.current_gradient_accumulation_steps = 1
    return made


@pytest.fixture(scope="module")
def batch(trainer):
    return trainer._generate_and_score_completions([{"prompt": messages(text), "post": text} for text in POSTS])


def log_probs_of(trainer: GRPOTrainer, batch: dict) -> torch.Tensor:
    return trainer._get_per_token_logps_and_entropies(
        trainer.model,
        torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
        torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
        batch["completion_ids"].size(1),
    )[0]


def test_trl_compares_the_completions_of_a_post_as_equation_1_says(batch, judge):
    terms = graded_terms(judge, POSTS, COMPLETIONS, GRADED_WEIGHTS)
    rewards = torch.from_numpy(weighted(terms, GRADED_WEIGHTS)).float()
    assert torch.allclose(batch["advantages"], group_advantages(rewards, 3), atol=1e-5)
    assert batch["advantages"].argmax() == 0 and batch["advantages"][2] < batch["advantages"][1]
    assert batch["advantages"][3:].tolist() == [0, 0, 0]


def test_trl_logs_each_term_over_the_completions_that_have_it(trainer, batch, judge):
    logged = trainer._metrics["train"]
    for name, column in graded_terms(judge, POSTS, COMPLETIONS, GRADED_WEIGHTS).items():
        assert logged[f"rewards/{name}/mean"] == pytest.approx([np.nanmean(column)], abs=1e-5)
    assert logged["rewards/format/mean"] == pytest.approx([5 / 6])
    assert logged["frac_reward_zero_std"] == [0.5]


def test_trl_minimises_the_loss_of_the_equations(trainer, batch):
    """Away from the start, where the ratio of the policies is not 1 and the reference model another one."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight += 0.02 * torch.randn_like(weight)
        log_probs = log_probs_of(trainer, batch)
    old = log_probs + 0.3 * torch.randn_like(log_probs)
    theirs = trainer.compute_loss(trainer.model, {**batch, "old_per_token_logps": old})
    settings = load_recipe(SMOKE, SETTINGS).grpo
    mask, reference = batch["completion_mask"], batch["ref_per_token_logps"]
    ours = grpo_loss(log_probs, old, reference, batch["advantages"], mask, settings.clip, settings.kl_beta)
    assert theirs.item() == pytest.approx(ours.item(), abs=1e-5)
    assert abs((log_probs - old).exp() - 1).max() > settings.clip  # something was clipped
    kl = (kl_penalty(log_probs, reference) * mask).sum() / mask.sum()
    assert kl > 0.001
    assert trainer._metrics["train"]["kl"][-1] == pytest.approx(kl.item(), abs=1e-5)


def test_training_makes_the_better_response_likelier(policy, judge, tmp_path, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    recipe = load_recipe(
        SMOKE, [*SETTINGS, "grpo.steps=2", "grpo.learning_rate=1.0e-3", "grpo.gradient_accumulation=2"]
    )
    trainer = trainer_of(policy, judge, recipe, tmp_path)
    rows = trainer._generate_and_score_completions([{"prompt": messages(text), "post": text} for text in POSTS])

    def preference() -> float:
        with torch.no_grad():
            mean = (log_probs_of(trainer, rows) * rows["completion_mask"]).sum(1) / rows["completion_mask"].sum(1)
        return float(mean[0] - mean[2])

    before = preference()
    trainer.train()
    assert preference() > before + 0.01


def test_the_stage_starts_and_ends_where_it_is_told(policy, judge, data_folder, tmp_path):
    build(sets_in(data_folder), tmp_path / "corpus", lambda line: None)
    judge.encoder.save(str(tmp_path / "reward" / "model"), create_model_card=False)
    report = {"threshold": 0.5, "human_quantiles": [-1.0, 1.0]}
    (tmp_path / "reward" / "report.json").write_text(json.dumps(report), "utf-8")
    settings = ["grpo.reward=paper", "grpo.max_prompt_tokens=1500", "grpo.max_completion_tokens=8"]
    grpo(load_recipe(SMOKE, settings), tmp_path, policy=policy, out=tmp_path / "grpo-only")
    assert (tmp_path / "grpo-only" / "model" / "model.safetensors").is_file()
    assert json.loads((tmp_path / "grpo-only" / "prompts.json").read_text("utf-8"))["posts"] == 2
    logged = read_metrics(tmp_path / "grpo-only" / "metrics.jsonl")[0]
    always = {"reward", "rewards/format/mean", "frac_reward_zero_std", "kl", "entropy"}
    assert always | {"completions/mean_length", "completions/clipped_ratio"} <= set(logged)
    assert not (tmp_path / "grpo").exists()


def test_the_batches_of_the_paper_come_out():
    """6 posts x 4 completions over 6 GPUs, one at a time."""
    paper = GrpoRecipe(posts_per_step=6, group_size=4, gradient_accumulation=4)
    assert completions_at_once(paper, processes=6) == 1
    assert completions_at_once(paper, processes=1) == 6


def test_completions_that_cannot_be_dealt_out_are_refused():
    with pytest.raises(RecipeError, match="3 posts x 4 = 12 completions cannot be dealt to 5 processes x 1"):
        completions_at_once(GrpoRecipe(posts_per_step=3, group_size=4), processes=5)


def test_trl_is_told_what_the_recipe_says(tmp_path):
    settings = ["grpo.reward=paper", "grpo.posts_per_step=6", "grpo.group_size=4", "grpo.gradient_accumulation=4"]
    told = grpo_config(load_recipe(SMOKE, [*settings, "grpo.vllm=colocate"]), tmp_path)
    assert told.per_device_train_batch_size == 6 and told.gradient_accumulation_steps == 4
    assert told.reward_weights == [1, 1] and told.num_generations == 4
    assert (told.use_vllm, told.vllm_mode) == (True, "colocate")
    assert (told.loss_type, told.scale_rewards, told.use_bias_correction_kl) == ("grpo", "group", False)


def test_posts_that_are_too_long_are_left_out_and_counted(policy):
    tokenizer = load_tokenizer(policy)
    pairs = [
        Pair(f"g{number}", "exams", "考砸了", post(number) * times, "答") for number, times in enumerate((1, 9, 1, 1))
    ]
    limit = max(
        len(tokenizer.apply_chat_template(messages(pair.post), add_generation_prompt=True)["input_ids"])
        for pair in (pairs[0], pairs[2], pairs[3])
    )
    settings = GrpoRecipe(steps=1, posts_per_step=2, max_prompt_tokens=limit)
    rows, too_long = prompts(settings, tokenizer, [pairs[0], *pairs])
    assert [row["post"] for row in rows] == [pairs[0].post, pairs[2].post]  # each post once, as many as are needed
    assert too_long == 1
    with pytest.raises(RecipeError, match="grpo.max_prompt_tokens is 3, and none of 4 posts fits; raise it"):
        prompts(replace(settings, max_prompt_tokens=3), tokenizer, pairs)
