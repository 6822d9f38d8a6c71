"""Pretraining of a small Qwen3-architecture model: plain PyTorch, resumable, from the dialogues' own text.

Documents are the client's words followed by the counselor's, in ChatML; a share of them is written in the response
format already. They are packed end to end and cut into windows of `length` tokens.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from app.chain import messages, neutral, render
from training.curves import draw_curves
from training.data.dialogues import read_dialogues
from training.data.letters import letter_of
from training.data.records import Dialogue
from training.data.topics import label
from training.device import device
from training.pairs import Pair, pairs_of
from training.recipe import ModelRecipe, PretrainRecipe, Recipe
from training.weak_chains import weak_chain


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


def labelled_pair(dialogue: Dialogue) -> Pair | None:
    """The post and answer behind a dialogue, with a topic; None where it holds no long post or answer."""
    record = letter_of(dialogue, licence="")
    topic, subtopic = label((record.title, record.description))
    return next(pairs_of([dataclasses.replace(record, topic=topic, subtopic=subtopic)]), None)


def document(dialogue: Dialogue, in_format: bool, tokenizer: PreTrainedTokenizerFast) -> str:
    """One training text: the response format where asked for and possible, else client text -> counselor text."""
    pair = labelled_pair(dialogue) if in_format else None
    if pair:
        turns = [*messages(pair.post), {"role": "assistant", "content": render(weak_chain(pair))}]
    else:
        turns = [
            {"role": "user", "content": neutral("\n".join(dialogue.client))},
            {"role": "assistant", "content": neutral("\n".join(dialogue.counselor))},
        ]
    return tokenizer.apply_chat_template(turns, tokenize=False) + "<|endoftext|>"


def token_stream(recipe: Recipe, data: Path, tokenizer: PreTrainedTokenizerFast, cache: Path) -> np.ndarray:
    """All training tokens, (N,) uint16, documents in an order drawn from the seed; computed once per run folder."""
    if cache.exists():
        return np.load(cache, mmap_mode="r")
    rng = random.Random(recipe.seed)
    dialogues = list(read_dialogues(data, "train"))
    rng.shuffle(dialogues)
    chunks = []
    for start in range(0, len(dialogues), 500):
        texts = [
            document(d, rng.random() < recipe.pretrain.chain_share, tokenizer) for d in dialogues[start : start + 500]
        ]
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        chunks.append(np.concatenate([np.asarray(ids, np.uint16) for ids in encoded]))
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


def _take_step(
    forward: Callable, model: Qwen3ForCausalLM, steppers: list[torch.optim.Optimizer], window: torch.Tensor
) -> float:
    """One update from a window (B, T+1); returns the mean loss in nats a token."""
    with torch.autocast(window.device.type, torch.bfloat16):
        logits = forward(input_ids=window[:, :-1], use_cache=False).logits  # (B, T, V)
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten())
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
    tokens = token_stream(recipe, data, tokenizer, out / "tokens.npy")

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

    forward = torch.compile(model) if settings.compile else model
    source = batches(tokens, settings, recipe.seed, first)
    with _log_from(out / "metrics.jsonl", first) as log:
        for step in range(first, settings.steps):
            began = time.monotonic()
            window = next(source).to(place)
            for stepper, peak in zip(steppers, peaks, strict=True):
                for group, lr in zip(stepper.param_groups, peak, strict=True):
                    group["lr"] = lr * rate(step, settings)
            loss = _take_step(forward, model, steppers, window)
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
