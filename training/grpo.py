"""GRPO with TRL's trainer, rewarded as the recipe says: the paper's two parts, or graded terms."""

from __future__ import annotations

import json
import random
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from app.chain import messages
from training.adapter import lora, save_policy
from training.checkpoint import load_tokenizer, weights_dtype
from training.device import process_count
from training.pairs import Pair
from training.recipe import GrpoRecipe, Recipe, RecipeError
from training.rewards import Judge, RewardTerm, term_weights
from training.sft import chain_pairs
from training.stage import run_trainer, stage_settings


def completions_at_once(settings: GrpoRecipe, processes: int) -> int:
    """How many completions a process works off at once, so that a step holds whole groups.

    The paper's 6 posts x 4 completions are 1 at once on 6 GPUs with 4 accumulated parts.

    Raises:
        RecipeError: if the completions of a step cannot be dealt out evenly.
    """
    completions = settings.posts_per_step * settings.group_size
    parts = processes * settings.gradient_accumulation
    if completions % parts:
        raise RecipeError(
            f"grpo: {settings.posts_per_step} posts x {settings.group_size} = {completions} completions cannot be "
            f"dealt to {processes} processes x {settings.gradient_accumulation} accumulated parts; choose "
            f"posts_per_step, group_size and gradient_accumulation such that {parts} divides their number."
        )
    return completions // parts


def grpo_config(recipe: Recipe, out: Path) -> GRPOConfig:
    """TRL's settings of a recipe, for as many processes as the launcher started.

    Raises:
        RecipeError: as `completions_at_once`.
    """
    settings = recipe.grpo
    return GRPOConfig(
        **stage_settings(out, recipe.seed, settings.save_every),
        max_steps=settings.steps,
        per_device_train_batch_size=completions_at_once(settings, process_count()),
        gradient_accumulation_steps=settings.gradient_accumulation,
        num_generations=settings.group_size,
        max_completion_length=settings.max_completion_tokens,
        temperature=settings.temperature,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        loss_type="grpo",
        epsilon=settings.clip,
        beta=settings.kl_beta,
        scale_rewards="group",
        reward_weights=list(term_weights(settings).values()),
        # The paper's KL term is not multiplied by the ratio of the policies.
        use_bias_correction_kl=False,
        use_vllm=settings.vllm != "off",
        vllm_mode="colocate" if settings.vllm == "off" else settings.vllm,
        activation_checkpointing=recipe.model.activation_checkpointing,
        bf16=True,
        model_init_kwargs={"dtype": weights_dtype(recipe)},
    )


def prompts(settings: GrpoRecipe, tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]) -> tuple[list[dict], int]:
    """One prompt a post, as many as the steps need, and how many posts were left out on the way as too long.

    Raises:
        RecipeError: if no post fits.
    """
    rows: list[dict] = []
    too_long = 0
    for pair in {pair.post: pair for pair in pairs}.values():
        if len(rows) == settings.steps * settings.posts_per_step:
            break
        prompt = messages(pair.post)
        tokens = tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"]
        if len(tokens) > settings.max_prompt_tokens:
            too_long += 1
        else:
            rows.append({"prompt": prompt, "post": pair.post})
    if not rows:
        raise RecipeError(
            f"grpo.max_prompt_tokens is {settings.max_prompt_tokens}, and none of {too_long} posts fits; raise it."
        )
    return rows, too_long


def grpo(recipe: Recipe, run: Path, policy: Path | None = None, out: Path | None = None) -> None:
    """Improve a policy against the run's reward model; writes `model` and `prompts.json` into `out`.

    Args:
        policy: where it starts; the run's SFT model if None.
        out: `run/grpo` if None.
    """
    # TRL reads the reference model from the policy's own path, so the policy must be the one on disk.
    policy, out = policy or run / "sft" / "model", out or run / "grpo"
    tokenizer = load_tokenizer(policy)
    pairs = chain_pairs(run, "train")
    random.Random(recipe.seed + 1).shuffle(pairs)
    rows, too_long = prompts(recipe.grpo, tokenizer, pairs)
    judge = Judge.of(run)
    trainer = GRPOTrainer(
        model=str(policy),
        processing_class=tokenizer,
        reward_funcs=[RewardTerm(name, judge) for name in term_weights(recipe.grpo)],
        train_dataset=Dataset.from_list(rows),
        peft_config=lora(recipe),
        args=grpo_config(recipe, out),
    )
    if trainer.is_world_process_zero():
        out.mkdir(parents=True, exist_ok=True)
        (out / "prompts.json").write_text(json.dumps({"posts": len(rows), "left_out_as_too_long": too_long}), "utf-8")
    run_trainer(trainer, out)
    save_policy(trainer, tokenizer, out / "model")
