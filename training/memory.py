"""How much memory training a Qwen3 model holds at the least, so that what cannot fit is refused before it is loaded.

The weights' part is arithmetic; the activations' is what autograd was seen to keep for a layer in bfloat16 autocast.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil
import torch
from transformers import PretrainedConfig

from training.device import device
from training.recipe import RecipeError

FLOAT32, BFLOAT16 = 4, 2
TRAINED = 4 * FLOAT32
"""Bytes a trained parameter: itself, its gradient, and two running means of the optimizer."""
LOGIT = 2 * FLOAT32
"""Bytes an entry of the vocabulary where a loss reads logits: the logit and its gradient."""


def linear_sizes(config: PretrainedConfig) -> list[tuple[int, int]]:
    """(inputs, outputs) of each linear layer in one decoder layer."""
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    hidden, ffn = config.hidden_size, config.intermediate_size
    attention = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    return [*attention, (hidden, ffn), (hidden, ffn), (ffn, hidden)]


def parameters(config: PretrainedConfig) -> int:
    """Parameters of a Qwen3 decoder; tied embeddings count once."""
    layer = sum(inputs * outputs for inputs, outputs in linear_sizes(config))
    norms = 2 * config.hidden_size + 2 * config.head_dim
    tables = 1 if config.tie_word_embeddings else 2
    return (
        tables * config.vocab_size * config.hidden_size
        + config.num_hidden_layers * (layer + norms)
        + config.hidden_size
    )


def adapter_parameters(config: PretrainedConfig, rank: int) -> int:
    """Parameters of LoRA on every linear layer but the head."""
    return config.num_hidden_layers * rank * sum(inputs + outputs for inputs, outputs in linear_sizes(config))


def activation_bytes(config: PretrainedConfig, tokens: int, checkpointing: bool) -> int:
    """What a forward pass over so many tokens keeps for the backward pass."""
    heads = config.num_attention_heads + config.num_key_value_heads
    layer = 28 * config.hidden_size + 10 * heads * config.head_dim + 8 * config.intermediate_size
    if checkpointing:
        return tokens * (config.num_hidden_layers * FLOAT32 * config.hidden_size + layer)
    return tokens * config.num_hidden_layers * layer


@dataclass(frozen=True)
class Load:
    """What one process of a stage works on at once, and how."""

    sequences: int
    tokens: int
    """Of one sequence."""
    logits: int = 0
    """Tokens of one sequence whose whole row of logits is held."""
    rank: int = 0
    """Of the adapter; 0 trains all parameters."""
    reference: bool = False
    """Whether a reference model is asked; with an adapter it is the same weights without it."""
    checkpointing: bool = False
    shards: int = 1
    """Processes over which weights, gradients and optimizer are dealt out."""


def needed_bytes(config: PretrainedConfig, load: Load) -> dict[str, int]:
    """Bytes by what holds them, in one process."""
    count = parameters(config)
    frozen = BFLOAT16 if device().type == "cuda" else FLOAT32
    weights = count * TRAINED
    if load.rank:
        weights = count * frozen + adapter_parameters(config, load.rank) * TRAINED
    reference = count * FLOAT32 if load.reference and not load.rank else 0
    return {
        "weights, gradients and optimizer": weights // load.shards,
        "reference model": reference // load.shards,
        "activations": activation_bytes(config, load.sequences * load.tokens, load.checkpointing),
        "logits": load.sequences * load.logits * config.vocab_size * LOGIT,
    }


def free_bytes() -> int:
    """What this process may take: its GPU's free memory, else its share of the machine's."""
    place = device()
    if place.type == "cuda":
        return torch.cuda.mem_get_info(place)[0]
    return psutil.virtual_memory().available // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def check_memory(verb: str, needed: dict[str, int], free: int, less: str) -> None:
    """Refuse what cannot fit.

    Args:
        less: the settings to lower, so that a process works on less at once.

    Raises:
        RecipeError: with the parts and what to lower.
    """
    total = sum(needed.values())
    if total > free:
        parts = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in needed.items() if size)
        raise RecipeError(
            f"{verb} needs at least {total / 1e9:.1f} GB in each process ({parts}), and {free / 1e9:.1f} GB are free; "
            f"lower {less}, set model.activation_checkpointing: true, train an adapter (adapter.rank: 16), "
            "or take a smaller checkpoint."
        )
