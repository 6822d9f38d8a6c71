"""Supervised fine-tuning on chains with TRL's trainer; the loss covers the assistant's text and its end token alone."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from app.chain import Response, messages, render
from training.data.records import Split
from training.data.seed_chains import SeedChain, read_seed_chains
from training.pairs import Pair, corpus_pairs
from training.recipe import Recipe, SftRecipe
from training.stage import run_trainer, stage_settings
from training.weak_chains import emotions_of, weak_chain

Conversation = dict[str, list[dict[str, str]]]


def chain_pairs(run: Path, split: Split) -> list[Pair]:
    """Pairs of a split whose rule-made chain has something to say: at least one emotion found in the post."""
    return [pair for pair in corpus_pairs(run, split) if emotions_of(pair.post)]


def conversation(post: str, response: Response) -> Conversation:
    """One training example, as TRL takes it."""
    return {"messages": [*messages(post), {"role": "assistant", "content": render(response)}]}


def examples(
    settings: SftRecipe, seed: int, tokenizer: PreTrainedTokenizerFast, pairs: list[Pair], chains: list[SeedChain]
) -> list[Conversation]:
    """The training set: rule-made chains of `pairs`, and each of `chains` as often as the recipe says, shuffled.

    What is longer than the recipe's `length` is left out: cut, it would lose its closing tags and teach an unfinished
    format.
    """

    def fits(item: Conversation) -> bool:
        return len(tokenizer.apply_chat_template(item["messages"])["input_ids"]) <= settings.length

    rng = random.Random(seed)
    chosen = rng.sample(pairs, min(len(pairs), settings.examples * 2))
    by_rule = filter(fits, (conversation(pair.post, weak_chain(pair)) for pair in chosen))
    by_hand = filter(fits, (conversation(chain.post, chain.response) for chain in chains))
    rows = [*islice(by_rule, settings.examples), *settings.seed_chains * list(by_hand)]
    rng.shuffle(rows)
    return rows


def sft(recipe: Recipe, run: Path) -> None:
    """Fine-tune the pretrained model of the run on rule-made and hand-written chains; writes `run/sft/model`."""
    settings = recipe.sft
    tokenizer = AutoTokenizer.from_pretrained(run / "pretrain" / "model")
    chinese = [chain for chain in read_seed_chains() if chain.language == "zh"]
    rows = examples(settings, recipe.seed, tokenizer, chain_pairs(run, "train"), chinese)
    out = run / "sft"
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(run / "pretrain" / "model", dtype="float32"),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=SFTConfig(
            **stage_settings(out, recipe.seed, settings.save_every),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0.05,
            max_length=settings.length,
            assistant_only_loss=True,
            activation_checkpointing=False,
            bf16=True,
        ),
    )
    run_trainer(trainer, out)
    trainer.save_model(str(out / "model"))
    tokenizer.save_pretrained(out / "model")
