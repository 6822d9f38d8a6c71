"""Evaluation of a run's policies on the same posts and seed: format, overlap with people's answers, chains, reward.

Each figure stands between what people reach against each other (the ceiling) and people's answers to other posts (the
floor), with the interval of a bootstrap over posts; two policies are compared post by post. How a completion that is
no response counts is told in `training.measure.systems`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import islice, pairwise
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, set_seed

from app.chain import messages, neutral
from training.checkpoint import base_model, load_tokenizer
from training.data.build import read_corpus
from training.data.records import Record
from training.device import device
from training.measure.intervals import Scores, summary
from training.measure.likelihood import bits_per_character
from training.measure.metrics import Post, evaluate, human_ceiling
from training.measure.report import draw_systems, to_markdown
from training.measure.scorecard import PRIMARY, Evaluation, Report, post_set, weights_hash
from training.measure.systems import compare, figures, score, system
from training.provenance import LIBRARIES
from training.recipe import EvaluateRecipe, Recipe, RecipeError
from training.reward import cosines
from training.rewards import Judge

POLICIES = ("sft", "grpo")
"""The stages that leave a policy; each is compared with the one before it."""


def held_out(run: Path, settings: EvaluateRecipe, tokenizer: PreTrainedTokenizerFast) -> list[Record]:
    """Test posts that were written as one and fit the prompt, in the corpus' order, first those with two answers.

    Raises:
        RecipeError: if there are fewer than two.
    """
    chosen = []
    written = [record for record in read_corpus(run / "corpus", "test") if record.origin != "joined"]
    for record in sorted(written, key=lambda record: len(record.responses) < 2):
        prompt = tokenizer.apply_chat_template(messages(record.post), add_generation_prompt=True)["input_ids"]
        if len(prompt) <= settings.max_prompt_tokens:
            chosen.append(record)
        if len(chosen) == settings.posts:
            break
    if len(chosen) < 2:
        raise RecipeError(
            f"{len(chosen)} test posts fit the prompt; give more data or raise evaluate.max_prompt_tokens."
        )
    return chosen


def complete(model_folder: Path, posts: Sequence[str], settings: EvaluateRecipe, seed: int) -> list[str]:
    """One sampled completion a post, in the desk's sampling; the same seed gives the same ones on the same machine."""
    tokenizer = load_tokenizer(model_folder)
    tokenizer.padding_side = "left"
    dtype = "bfloat16" if device().type == "cuda" else "float32"
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=dtype).to(device()).eval()
    # Posts of about the same length together, so that little is computed on padding; in one order, whatever is given.
    order = sorted(range(len(posts)), key=lambda place: (len(posts[place]), posts[place]))
    set_seed(seed)
    completions = [""] * len(posts)
    starts = range(0, len(posts), settings.batch)
    for start in tqdm(starts, desc=model_folder.parent.name, unit="batch", disable=not sys.stderr.isatty()):
        places = order[start : start + settings.batch]
        encoded = tokenizer.apply_chat_template(
            [messages(posts[place]) for place in places],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        ).to(device())
        with torch.inference_mode():
            written = model.generate(
                **encoded,
                do_sample=True,
                temperature=settings.temperature,
                top_k=settings.top_k,
                top_p=settings.top_p,
                repetition_penalty=settings.repetition_penalty,
                max_new_tokens=settings.max_completion_tokens,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, encoded["input_ids"].shape[1] :]
        for place, text in zip(places, tokenizer.batch_decode(new, skip_special_tokens=True), strict=True):
            completions[place] = text
    return completions


def report_on(
    recipe: Recipe,
    records: Sequence[Record],
    judge: Judge,
    rows: Mapping[str, Sequence[Scores]],
    seconds: Mapping[str, float],
) -> Report:
    """The report on systems, in their order: each is compared with the one before it."""
    posts = posts_of(records)
    first = [references[0] for _, references in posts]
    own = cosines(judge.encoder, [post for post, _ in posts], first)
    people = [{("score", "completions"): float(s), ("passed", "completions"): float(s >= judge.threshold)} for s in own]
    several = [post for post in posts if len(post[1]) > 1]
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "posts": len(posts),
        "posts_with_two_answers": len(several),
        "post_set": post_set(records),
        "sampling": sampling(recipe.evaluate),
        "versions": {name: version(name) for name in (*LIBRARIES, "jieba")},
        "device": device().type,
        "floor": figures(evaluate(posts, [*first[1:], first[0]])),
        "ceiling": figures(human_ceiling(several)) if several else [],
        "people": figures(summary(people)),
        "systems": {name: system(rows[name], seconds[name]) for name in rows},
        "bits_per_character": {},
        "comparisons": [row for old, new in pairwise(rows) for row in compare(new, old, rows)],
    }


def evaluation_of(
    recipe: Recipe, run: Path, records: Sequence[Record], name: str, rows: Sequence[Scores]
) -> Evaluation:
    """What the gate compares of one system."""
    return {
        "recipe": recipe.name,
        "system": name,
        "seed": recipe.seed,
        "sampling": sampling(recipe.evaluate),
        "post_set": post_set(records),
        "posts": [record.group for record in records],
        "reward_model": weights_hash(run / "reward" / "model"),
        "primary": {
            metric: {"higher_is_better": higher, "scores": [row[metric, counted_in] for row in rows]}
            for metric, (counted_in, higher) in PRIMARY.items()
        },
    }


def evaluate_run(recipe: Recipe, run: Path) -> None:
    """Evaluate every policy of the run; writes reports, a picture and the completions into `run/evaluate`.

    Raises:
        RecipeError: if the run has no policy yet, or too few test posts can be used.
    """
    folders = {stage: run / stage / "model" for stage in POLICIES if (run / stage / "model").is_dir()}
    if not folders:
        raise RecipeError(f"{run.name} holds no policy; run sft or grpo first.")
    tokenizer = load_tokenizer(next(iter(folders.values())))
    records = held_out(run, recipe.evaluate, tokenizer)
    posts, judge = posts_of(records), Judge.of(run)
    out = run / "evaluate"
    out.mkdir(exist_ok=True)
    completions, rows, seconds = {}, {}, {}
    for name, folder in folders.items():
        began = time.monotonic()
        completions[name] = complete(folder, [post for post, _ in posts], recipe.evaluate, recipe.seed)
        seconds[name] = time.monotonic() - began
        rows[name] = score(judge, recipe, posts, completions[name])
    report = report_on(recipe, records, judge, rows, seconds)
    unseen = list(islice(read_corpus(run / "corpus", "test"), recipe.evaluate.posts))
    report["bits_per_character"] = bits_of({"base": base_model(recipe, run), **folders}, unseen)
    last = list(folders)[-1]
    write_json(out / "completions.json", completions)
    write_json(out / "report.json", report)
    write_json(out / "evaluation.json", evaluation_of(recipe, run, records, last, rows[last]))
    (out / "report.md").write_text(to_markdown(report), "utf-8")
    draw_systems(report, out / "systems.png")


def posts_of(records: Sequence[Record]) -> list[Post]:
    """The posts as a model reads them, with their references."""
    return [(neutral(record.post), record.responses) for record in records]


def bits_of(folders: Mapping[str, Path], records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Bits a character of each model on held-out records of any origin, in the form that pretraining reads them.

    That is a client's text and then a counselor's, without the format, of which the first answer is taken.
    """
    plain = [
        [
            {"role": "user", "content": neutral(record.post)},
            {"role": "assistant", "content": neutral(record.responses[0])},
        ]
        for record in records
    ]
    return {name: bits_per_character(folder, plain) for name, folder in folders.items()}


def sampling(settings: EvaluateRecipe) -> dict[str, float]:
    """How completions are drawn; two evaluations are only comparable where it is equal."""
    names = ("max_prompt_tokens", "max_completion_tokens", "temperature", "top_k", "top_p", "repetition_penalty")
    return {name: getattr(settings, name) for name in names}


def write_json(path: Path, value: object) -> None:
    """Write a value for machines that people can read too."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
