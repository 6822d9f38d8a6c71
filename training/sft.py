"""Supervised fine-tuning on chains with TRL's trainer; the loss covers the assistant's text and its end token alone."""

from __future__ import annotations

import random
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from app.chain import messages, render
from training.data.records import Split
from training.device import trainer_settings
from training.pairs import Pair, corpus_pairs
from training.recipe import Recipe
from training.weak_chains import emotions_of, weak_chain


def chain_pairs(run: Path, split: Split) -> list[Pair]:
    """Pairs of a split whose rule-made chain has something to say: at least one emotion found in the post."""
    return [pair for pair in corpus_pairs(run, split) if emotions_of(pair.post)]


def sft(recipe: Recipe, run: Path) -> None:
    """Fine-tune the pretrained model of the run on rule-made chains; writes `run/sft/model`."""
    settings = recipe.sft
    tokenizer = AutoTokenizer.from_pretrained(run / "pretrain" / "model")
    pairs = chain_pairs(run, "train")
    random.Random(recipe.seed).shuffle(pairs)
    conversations = [
        {"messages": [*messages(pair.post), {"role": "assistant", "content": render(weak_chain(pair))}]}
        for pair in pairs
    ]
    # Longer ones would lose their closing tags to truncation and teach an unfinished format.
    fitting = [
        item
        for item in conversations[: settings.examples * 2]
        if len(tokenizer.apply_chat_template(item["messages"])["input_ids"]) <= settings.length
    ][: settings.examples]
    out = run / "sft"
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(run / "pretrain" / "model", dtype="float32"),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(fitting),
        args=SFTConfig(
            output_dir=str(out),
            seed=recipe.seed,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0.05,
            max_length=settings.length,
            assistant_only_loss=True,
            activation_checkpointing=False,
            **trainer_settings(),
            bf16=True,
            logging_steps=10,
            save_strategy="no",
            disable_tqdm=True,
        ),
    )
    trainer.train()
    trainer.save_model(str(out / "model"))
    tokenizer.save_pretrained(out / "model")
    trainer.state.save_to_json(str(out / "state.json"))
