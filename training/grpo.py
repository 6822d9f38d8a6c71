"""GRPO with TRL's trainer and the paper's two-part reward: format (0 or 1) plus answer (Eq. 6, 0 or 1)."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from app.chain import FormatError, format_reward, messages, parse
from training.equations import answer_rewards
from training.recipe import Recipe
from training.reward import cosines, load_trained
from training.sft import chain_pairs
from training.stage import run_trainer, stage_settings


class AnswerReward:
    """r_answer of each completion: the answer inside the format is scored against the post and cut at T.

    Deviation: a completion without a readable answer gets 0, as in the paper's sum of rewards; it is not excluded.
    """

    __name__ = "answer"

    def __init__(self, encoder: SentenceTransformer, threshold: float):
        self.encoder = encoder
        self.threshold = threshold

    def __call__(
        self, completions: list[list[dict[str, str]]], post: list[str], log_metric, **_: object
    ) -> list[float]:
        """TRL's signature for conversational completions; `post` is the dataset's column."""
        answers: list[str | None] = []
        for completion in completions:
            try:
                answers.append(parse(completion[0]["content"]).answer)
            except FormatError:
                answers.append(None)
        readable = [i for i, answer in enumerate(answers) if answer is not None]
        rewards = [0.0] * len(completions)
        if readable:
            scores = cosines(self.encoder, [post[i] for i in readable], [str(answers[i]) for i in readable])
            log_metric("score", float(scores.mean()))
            for i, reward in zip(readable, answer_rewards(torch.from_numpy(scores), self.threshold), strict=True):
                rewards[i] = float(reward)
        return rewards


def format_rewards(completions: list[list[dict[str, str]]], **_: object) -> list[float]:
    """r_format of each completion."""
    return [format_reward(completion[0]["content"]) for completion in completions]


def grpo(recipe: Recipe, run: Path) -> None:
    """Improve the SFT model of the run against the trained reward model; writes `run/grpo/model`."""
    settings = recipe.grpo
    # TRL reads the reference model from the policy's own path, so the policy must be the one on disk.
    policy = run / "sft" / "model"
    tokenizer = AutoTokenizer.from_pretrained(policy)
    encoder, threshold = load_trained(run)
    pairs = chain_pairs(run, "train")
    random.Random(recipe.seed + 1).shuffle(pairs)
    rows = []
    for pair in pairs:
        prompt = messages(pair.post)
        tokens = tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"]
        if len(tokens) <= settings.max_prompt_tokens:
            rows.append({"prompt": prompt, "post": pair.post})
        if len(rows) == settings.steps * settings.posts_per_step:
            break
    out = run / "grpo"
    trainer = GRPOTrainer(
        model=str(policy),
        processing_class=tokenizer,
        reward_funcs=[format_rewards, AnswerReward(encoder, threshold)],
        train_dataset=Dataset.from_list(rows),
        args=GRPOConfig(
            **stage_settings(out, recipe.seed, settings.save_every),
            max_steps=settings.steps,
            per_device_train_batch_size=settings.posts_per_step * settings.group_size,
            num_generations=settings.group_size,
            max_completion_length=settings.max_completion_tokens,
            temperature=settings.temperature,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="constant",
            loss_type="grpo",
            epsilon=settings.clip,
            beta=settings.kl_beta,
            scale_rewards="group",
            use_bias_correction_kl=False,
            activation_checkpointing=False,
            bf16=False,
            model_init_kwargs={"dtype": "float32"},
        ),
    )
    run_trainer(trainer, out)
    trainer.save_model(str(out / "model"))
    tokenizer.save_pretrained(out / "model")
