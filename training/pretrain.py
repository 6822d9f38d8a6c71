"""Pretraining of a small Qwen3-architecture model: plain PyTorch, resumable, from the dialogues' own text.

Documents are dialogues, and posts answered in the response format, in ChatML. They are packed end to end and cut into
windows of `length` tokens.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from app.chain import messages, neutral, render
from training.curves import draw_curves
from training.data.dialogues import read_dialogues
from training.device import device
from training.pairs import corpus_pairs
from training.recipe import ModelRecipe, PretrainRecipe, Recipe
from training.weak_chains import weak_chain

Conversation = list[dict[str, str]]


def model_config(recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
    """The architecture of a recipe: Qwen3 with tied embeddings."""
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        head_dim=recipe.head_dim,
        intermediate_size=recipe.ffn,
        max_position_embeddings=recipe.context_tokens,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def documents(recipe: Recipe, data: Path, run: Path) -> list[Conversation]:
    """What the language is learned from, in an order drawn from the seed.

    Every training dialogue as client text, then counselor text; and every pair of the corpus in the response format
    with a chain by rule, as often as the recipe says.
    """
    plain = [
        [
            {"role": "user", "content": neutral("\n".join(dialogue.client))},
            {"role": "assistant", "content": neutral("\n".join(dialogue.counselor))},
        ]
        for dialogue in read_dialogues(data, "train")
    ]
    in_format = [
        [*messages(pair.post), {"role": "assistant", "content": render(weak_chain(pair))}]
        for pair in corpus_pairs(run, "train")
    ]
    mixed = plain + recipe.pretrain.chains * in_format
    random.Random(recipe.seed).shuffle(mixed)
    return mixed


def token_stream(recipe: Recipe, data: Path, run: Path, tokenizer: PreTrainedTokenizerFast, cache: Path) -> np.ndarray:
    """All training tokens, (N,) uint16, documents end to end; computed once per run folder."""
    if cache.exists():
        return np.load(cache, mmap_mode="r")
    mixed = documents(recipe, data, run)
    chunks = []
    for start in range(0, len(mixed), 500):
        texts = [
            tokenizer.apply_chat_template(turns, tokenize=False) + "<|endoftext|>"
            for turns in mixed[start : start + 500]
        ]
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        chunks += [np.asarray(ids, np.uint16) for ids in encoded]
    tokens = np.concatenate(chunks)
    np.save(cache, tokens)
    return tokens


def batches(tokens: np.ndarray, recipe: PretrainRecipe, seed: int, start: int) -> Iterator[torch.Tensor]:
    """Windows (B, T+1) from step `start` on; each epoch visits every window once in a fresh order."""
    windows = (len(tokens) - 1) // recipe.length
    if windows < recipe.batch:
        raise ValueError(f"{len(tokens)} tokens make {windows} windows; give more data or lower pretrain.batch.")
    per_epoch = windows // recipe.batch
    step = start
    while True:
        order = np.random.default_rng((seed, step // per_epoch)).permutation(windows)
        for position in range(step % per_epoch, per_epoch):
            chosen = order[position * recipe.batch : (position + 1) * recipe.batch]
            rows = [tokens[w * recipe.length : (w + 1) * recipe.length + 1].astype(np.int64) for w in chosen]
            yield torch.from_numpy(np.stack(rows))
            step += 1


def rate(step: int, recipe: PretrainRecipe) -> float:
    """Share of the peak learning rate: linear warm-up, constant, then linear to zero over the `cooldown`."""
    cooldown_steps = max(1, round(recipe.steps * recipe.cooldown))
    return min(1.0, (step + 1) / recipe.warmup_steps, (recipe.steps - step) / cooldown_steps)


def optimizers(model: Qwen3ForCausalLM, recipe: PretrainRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers" in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "layers" not in name]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_lr, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(rest, lr=recipe.adamw_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def _log_from(path: Path, first: int) -> TextIO:
    """The metrics file, opened to go on after step `first`; what a killed run logged past its state is dropped."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(lines[:first]), "utf-8")
    return path.open("a", encoding="utf-8")


def mean_loss(model: Qwen3ForCausalLM, window: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in nats a token of a window (B, T+1), a scalar; compiled as one, logits and their gradient fuse."""
    logits = model(input_ids=window[:, :-1], use_cache=False).logits  # (B, T, V)
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten())


def _take_step(
    loss_of: Callable[..., torch.Tensor],
    model: Qwen3ForCausalLM,
    steppers: list[torch.optim.Optimizer],
    window: torch.Tensor,
) -> float:
    """One update from a window (B, T+1); returns the mean loss in nats a token."""
    with torch.autocast(window.device.type, torch.bfloat16):
        loss = loss_of(model, window)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for stepper in steppers:
        stepper.step()
        stepper.zero_grad(set_to_none=True)
    return loss.item()


def pretrain(recipe: Recipe, data: Path, run: Path) -> Path:
    """Train from scratch, or go on where the run folder stopped; returns the folder of the finished model."""
    settings = recipe.pretrain
    tokenizer = AutoTokenizer.from_pretrained(run / "tokenizer")
    out = run / "pretrain"
    out.mkdir(parents=True, exist_ok=True)
    tokens = token_stream(recipe, data, run, tokenizer, out / "tokens.npy")

    torch.manual_seed(recipe.seed)
    place = device()
    # Compiled eager attention beats the CPU's flash kernel; on a GPU it is the other way round.
    attention = "eager" if place.type == "cpu" else "sdpa"
    model = Qwen3ForCausalLM._from_config(model_config(recipe.model, tokenizer), attn_implementation=attention).to(
        place
    )
    steppers = optimizers(model, settings)
    peaks = [[group["lr"] for group in stepper.param_groups] for stepper in steppers]
    state_file = out / "state.pt"
    first = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True, map_location=place)
        model.load_state_dict(state["model"])
        for stepper, saved in zip(steppers, state["optimizers"], strict=True):
            stepper.load_state_dict(saved)
        first = state["step"]

    loss_of = torch.compile(mean_loss) if settings.compile else mean_loss
    source = batches(tokens, settings, recipe.seed, first)
    steps = range(first, settings.steps)
    with _log_from(out / "metrics.jsonl", first) as log:
        for step in tqdm(steps, desc="pretrain", unit="step", disable=not sys.stderr.isatty()):
            began = time.monotonic()
            window = next(source).to(place)
            for stepper, peak in zip(steppers, peaks, strict=True):
                for group, lr in zip(stepper.param_groups, peak, strict=True):
                    group["lr"] = lr * rate(step, settings)
            loss = _take_step(loss_of, model, steppers, window)
            speed = settings.batch * settings.length / (time.monotonic() - began)
            log.write(json.dumps({"step": step + 1, "loss": loss, "tokens_per_s": speed}) + "\n")
            log.flush()
            if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
                # Written beside and moved, so that a kill never leaves half a state.
                states = [stepper.state_dict() for stepper in steppers]
                partial = state_file.with_suffix(".partial")
                torch.save({"model": model.state_dict(), "optimizers": states, "step": step + 1}, partial)
                partial.replace(state_file)
    draw_curves(out / "metrics.jsonl", out / "curves.png")
    model.save_pretrained(out / "model")
    tokenizer.save_pretrained(out / "model")
    return out / "model"
