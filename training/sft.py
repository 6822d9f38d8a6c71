"""Supervised fine-tuning on chains with TRL's trainer; the loss covers the assistant's text and its end token alone."""

from __future__ import annotations

import json
import random
from itertools import chain, islice
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from app.chain import ANSWER_TAG, Response, messages, parse, render
from training.adapter import lora, save_policy
from training.checkpoint import base_model, load_tokenizer, weights_dtype
from training.data.records import Split
from training.data.seed_chains import SeedChain, read_seed_chains
from training.pairs import Pair, corpus_pairs
from training.recipe import Recipe, RecipeError, SftRecipe
from training.stage import run_trainer, stage_settings
from training.weak_chains import emotions_of, weak_chain

Conversation = dict[str, list[dict[str, str]]]


def chain_pairs(run: Path, split: Split) -> list[Pair]:
    """Pairs of a split whose rule-made chain has something to say: at least one emotion found in the post."""
    return [pair for pair in corpus_pairs(run, split) if emotions_of(pair.post)]


def conversation(post: str, response: Response) -> Conversation:
    """One training example, as TRL takes it."""
    return {"messages": [*messages(post), {"role": "assistant", "content": render(response)}]}


def without_chain(item: Conversation) -> Conversation:
    """The same example with the answer alone, in its tags: what table 4 compares the chain with."""
    *asked, reply = item["messages"]
    answer = f"<{ANSWER_TAG}>{parse(reply['content']).answer}</{ANSWER_TAG}>"
    return {"messages": [*asked, {"role": "assistant", "content": answer}]}


def examples(
    settings: SftRecipe,
    seed: int,
    tokenizer: PreTrainedTokenizerFast,
    pairs: list[Pair],
    chains: list[SeedChain],
    approved: list[Conversation] | None = None,
) -> list[Conversation]:
    """The training set: rule-made chains of `pairs`, `chains` as often as the recipe says, and `approved`.

    In random order by whole batches, each of like lengths: chains by hand are twice as long as those by rule, and in
    mixed batches half of the work would be padding.

    What is longer than the recipe's `length` is left out: cut, it would lose its closing tags and teach an unfinished
    format.
    """

    def fits(item: Conversation) -> bool:
        return len(tokenizer.apply_chat_template(item["messages"])["input_ids"]) <= settings.length

    rng = random.Random(seed)
    chosen = rng.sample(pairs, min(len(pairs), settings.examples * 2))
    by_rule = filter(fits, (conversation(pair.post, weak_chain(pair)) for pair in chosen))
    by_hand = filter(fits, (conversation(item.post, item.response) for item in chains))
    by_people = filter(fits, approved or [])
    rows = [*islice(by_rule, settings.examples), *settings.seed_chains * list(by_hand), *by_people]
    rng.shuffle(rows)
    # By steps of length: exactly sorted, the copies of a chain would share a batch.
    rows.sort(key=lambda row: _chars(row) // 100)
    batches = [rows[start : start + settings.batch] for start in range(0, len(rows), settings.batch)]
    # The one that may be short stays last, or those behind it would be cut elsewhere.
    *whole, last = batches or [[]]
    rng.shuffle(whole)
    return [*chain.from_iterable(whole), *last]


def _chars(item: Conversation) -> int:
    return sum(len(message["content"]) for message in item["messages"])


def approved_chains(path: Path) -> list[Conversation]:
    """The conversations of a file that the desk wrote: chains and answers that people have approved.

    Raises:
        RecipeError: at a line that is none, with its number.
    """
    rows: list[Conversation] = []
    # Not splitlines: a post may hold what Unicode calls a line's end.
    for number, line in enumerate(path.read_text("utf-8").removesuffix("\n").split("\n"), 1):
        try:
            said = {message["role"]: message["content"] for message in json.loads(line)["messages"]}
            rows.append(conversation(said["user"], parse(said["assistant"])))
        except (ValueError, KeyError, TypeError) as error:
            raise RecipeError(
                f"{path}:{number}: not a conversation with a user's post and a reply in the format "
                f"({type(error).__name__}: {error}); write the file with `launch.py export sft`."
            ) from error
    return rows


def sft_config(recipe: Recipe, out: Path) -> SFTConfig:
    """The trainer's settings for a recipe."""
    settings = recipe.sft
    return SFTConfig(
        **stage_settings(out, recipe.seed, settings.save_every),
        model_init_kwargs={"dtype": weights_dtype(recipe)},
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.05,
        # `examples` has put them in order.
        train_sampling_strategy="sequential",
        max_length=settings.length,
        assistant_only_loss=True,
        activation_checkpointing=recipe.model.activation_checkpointing,
        bf16=True,
    )


def sft(recipe: Recipe, run: Path) -> None:
    """Fine-tune the model that the run starts from on chains; writes `run/sft/model`, and `run/sft/adapter` with LoRA.

    Raises:
        RecipeError: if no chain fits into the recipe's `length`, or a file of approved chains cannot be read.
    """
    settings = recipe.sft
    base = base_model(recipe, run)
    tokenizer = load_tokenizer(base)
    chinese = [item for item in read_seed_chains() if item.language == "zh"]
    pairs = chain_pairs(run, "train") if settings.examples else []
    approved = approved_chains(Path(settings.approved)) if settings.approved else []
    rows = examples(settings, recipe.seed, tokenizer, pairs, chinese, approved)
    if not settings.chain:
        rows = [without_chain(row) for row in rows]
    if not rows:
        raise RecipeError(f"No chain fits into sft.length {settings.length}; raise it, or give chains.")
    trainer = SFTTrainer(
        model=str(base),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=sft_config(recipe, run / "sft"),
        peft_config=lora(recipe),
    )
    run_trainer(trainer, run / "sft")
    save_policy(trainer, tokenizer, run / "sft" / "model")
