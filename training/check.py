"""What can be known before a stage runs: a recipe's settings against the libraries' own, its features, its memory."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig

from training.adapter import lora
from training.checkpoint import base_model, local_checkpoint
from training.device import process_count
from training.grpo import completions_at_once, grpo_config
from training.memory import Load, check_memory, free_bytes, needed_bytes
from training.pretrain import model_config
from training.recipe import Recipe, RecipeError
from training.reward import reward_arguments
from training.sft import sft_config

SHARDING = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_DEEPSPEED": "DeepSpeed"}
"""Set by `accelerate launch`."""


def _sharding() -> str | None:
    return next((name for key, name in SHARDING.items() if os.environ.get(key) == "true"), None)


def check_features(verb: str, recipe: Recipe) -> None:
    """Refuse what this machine has no means for.

    Raises:
        RecipeError: for vLLM or sharding without a GPU, and vLLM without its package.
    """
    gpu = torch.cuda.is_available()
    if _sharding() and not gpu:
        raise RecipeError(f"{_sharding()} needs GPUs, and none is here; launch with training/clusters/cpu-2.yaml.")
    if verb == "grpo" and recipe.grpo.vllm != "off":
        if not gpu:
            raise RecipeError(f"grpo.vllm is {recipe.grpo.vllm}, but no GPU is here; set it to 'off', quoted.")
        if importlib.util.find_spec("vllm") is None:
            raise RecipeError(
                f"grpo.vllm is {recipe.grpo.vllm}; install it with `pip install trl[vllm]`, or set it to 'off', quoted."
            )


def check_stage(verb: str, recipe: Recipe, run: Path) -> None:
    """Refuse a stage that this machine cannot run, before anything is loaded.

    Raises:
        RecipeError: as `check_features`, and where memory cannot do.
    """
    check_features(verb, recipe)
    fine_tuned: dict[str, Any] = {
        "rank": recipe.adapter.rank,
        "checkpointing": recipe.model.activation_checkpointing,
        "shards": process_count() if _sharding() else 1,
    }
    match verb:
        case "pretrain":
            if not (run / "tokenizer" / "tokenizer.json").exists():
                raise RecipeError(f"{run / 'tokenizer'} holds no tokenizer; run the stage tokenizer first.")
            config = model_config(recipe.model, AutoTokenizer.from_pretrained(run / "tokenizer"))
            load = Load(recipe.pretrain.batch, recipe.pretrain.length, recipe.pretrain.length)
            less = "pretrain.batch or pretrain.length"
        case "sft":
            config = _config(base_model(recipe, run))
            load = Load(recipe.sft.batch, recipe.sft.length, **fine_tuned)
            less = "sft.batch or sft.length"
        case "grpo":
            config = _config(run / "sft" / "model")
            settings = recipe.grpo
            load = Load(
                completions_at_once(settings, process_count()),
                settings.max_prompt_tokens + settings.max_completion_tokens,
                settings.max_completion_tokens,
                reference=settings.kl_beta > 0,
                **fine_tuned,
            )
            less = "grpo.posts_per_step or grpo.max_completion_tokens (or raise grpo.gradient_accumulation)"
        case _:
            return
    check_memory(verb, needed_bytes(config, load), free_bytes(), less)


def _config(model: Path) -> PretrainedConfig:
    if not (model / "config.json").exists():
        raise RecipeError(f"{model} holds no model; run the stage that writes it first.")
    return AutoConfig.from_pretrained(model)


def _flat(values: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def dry_run(recipe: Recipe, processes: int) -> str:
    """Build the settings of every trainer from a recipe, without data and without a GPU.

    bfloat16 on a GPU cannot be asked of the libraries where none is; they are told to use the CPU then, and the rest of
    their checks is the same.

    Args:
        processes: how many will train together.

    Returns:
        A table of every setting, and what follows from them.

    Raises:
        RecipeError: for a batch that cannot be dealt out to the processes.
        TypeError, ValueError: from a library that does not take a setting.
    """
    at_once = completions_at_once(recipe.grpo, processes)
    out = Path(recipe.name)
    sft_config(recipe, out)
    grpo_config(recipe, out)
    reward_arguments(recipe, out, {})
    lora(recipe)
    derived = {
        "processes": processes,
        "sft: examples a step": processes * recipe.sft.batch * recipe.sft.gradient_accumulation,
        "grpo: completions at once in a process": at_once,
        "grpo: completions a step": at_once * processes * recipe.grpo.gradient_accumulation,
        "checkpoint": _found(recipe),
    }
    rows = [*_flat(asdict(recipe)), *derived.items()]
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"{key:<{width}}  {value}" for key, value in rows) + "\n"


def _found(recipe: Recipe) -> str:
    if recipe.model.checkpoint is None:
        return "none: pretrained from scratch"
    try:
        return str(local_checkpoint(recipe.model.checkpoint, recipe.model.revision))
    except RecipeError as error:
        return str(error)
