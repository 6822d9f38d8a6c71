"""How well a model predicts text it has not seen, in bits a character: comparable over models of any vocabulary."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from training.checkpoint import load_tokenizer
from training.device import device

Conversation = Sequence[dict[str, str]]
COUNTED = {"dialogues": ("user", "assistant"), "answers": ("assistant",)}
"""Whose turns each figure counts."""


def bits_per_character(model: Path, conversations: Sequence[Conversation]) -> dict[str, float]:
    """Teacher-forced negative log-likelihood of the texts:  sum of nats / (ln 2 * characters)

    Counted are the tokens of a turn's text and the token that ends it; the markup around is read but not counted.
    Characters are those of the texts, white space included. All conversations are one sum, so a long one weighs more.

    Args:
        model: folder of a causal language model and its tokenizer.
        conversations: ChatML turns of role and content, each beginning with the user's.

    Returns:
        `dialogues`: all turns; `answers`: the assistant's alone, with the turns before them read.

    Raises:
        ValueError: if the assistant says nothing.
    """
    tokenizer = load_tokenizer(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32").to(device()).eval()
    nats = dict.fromkeys(COUNTED, 0.0)
    characters = dict.fromkeys(COUNTED, 0)
    for turns in tqdm(conversations, desc="bits", unit="text", disable=not sys.stderr.isatty()):
        ids: list[int] = []
        said_by: list[str] = []  # (T,), empty for markup
        for turn in turns:
            frame = tokenizer(f"<|im_start|>{turn['role']}\n", add_special_tokens=False)["input_ids"]
            text = tokenizer(turn["content"], add_special_tokens=False, split_special_tokens=True)["input_ids"]
            after = tokenizer("\n", add_special_tokens=False)["input_ids"]
            ids += [*frame, *text, tokenizer.eos_token_id, *after]
            said_by += [""] * len(frame) + [turn["role"]] * (len(text) + 1) + [""] * len(after)
        tokens = torch.tensor([ids], device=device())
        with torch.inference_mode():
            logits = network(tokens[:, :-1]).logits[0].float()  # (T-1, V)
        losses = torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="none").cpu()
        for what, roles in COUNTED.items():
            nats[what] += float(losses[torch.tensor([role in roles for role in said_by[1:]])].sum())
            characters[what] += sum(len(turn["content"]) for turn in turns if turn["role"] in roles)
    if not characters["answers"]:
        raise ValueError(f"The assistant says nothing in {len(conversations)} conversations; give some text.")
    return {what: nats[what] / (math.log(2) * characters[what]) for what in COUNTED}
