"""A run folder with a corpus and untrained models of toy size, for tests of what comes after training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from training.data.build import build, sets_in
from training.pretrain import model_config
from training.recipe_file import load_recipe
from training.reward import load_encoder

SMOKE = Path("training/recipes/smoke.yaml")
REWARD = {"threshold": 0.0, "human_quantiles": [place / 50 - 1 for place in range(101)]}


def write_run(folder: Path, data: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Corpus, `pretrain`, `sft` and `grpo` of the same random weights, and a reward model on the same body."""
    build(sets_in(data), folder / "corpus", lambda line: None)
    torch.manual_seed(0)
    base = folder / "pretrain" / "model"
    Qwen3ForCausalLM(model_config(load_recipe(SMOKE).model, tokenizer)).save_pretrained(base)
    tokenizer.save_pretrained(base)
    load_encoder(base, 256).save(str(folder / "reward" / "model"), create_model_card=False)
    (folder / "reward" / "report.json").write_text(json.dumps(REWARD))
    for stage in ("sft", "grpo"):
        shutil.copytree(base, folder / stage / "model")
    return folder
