"""The tensors of a checkpoint folder, in one file or many, read one at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig

HEAD = "lm_head.weight"


def _files(model: Path) -> list[Path]:
    index = model / "model.safetensors.index.json"
    if index.is_file():
        return [model / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))]
    return [model / "model.safetensors"]


def _entries(model: Path) -> Iterator[tuple[safe_open, str]]:
    tied = AutoConfig.from_pretrained(model).tie_word_embeddings
    for file in _files(model):
        with safe_open(file, "pt") as shard:
            yield from ((shard, name) for name in shard.keys() if not (tied and name == HEAD))


def tensors(model: Path) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its name, in the same order each time; the head of a tied model is its embedding, left out.

    Raises:
        FileNotFoundError: if the folder holds no safetensors.
    """
    return ((name, shard.get_tensor(name)) for shard, name in _entries(model))


def parameters(model: Path) -> int:
    """How many parameters the tensors hold; tied embeddings count once."""
    return sum(math.prod(shard.get_slice(name).get_shape()) for shard, name in _entries(model))
