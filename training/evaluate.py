"""Evaluation of a run on posts it has not seen: format, overlap with people's answers, chains, reward.

Each figure stands between what people reach against each other (the ceiling) and people's answers to other posts (the
floor), with the interval of a bootstrap over posts. Nothing is forced: a completion that is no response counts against
the format rate and is left out of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, set_seed

from app.chain import FormatError, Response, messages, neutral, parse
from training.data.build import read_corpus
from training.data.records import Record
from training.device import device
from training.metrics import Metric, Post, evaluate, evaluate_chains, human_ceiling
from training.recipe import EvaluateRecipe, Recipe
from training.reward import cosines, load_trained

POLICIES = ("grpo", "sft")
"""The stages that leave a policy, the last one first."""


def held_out(run: Path, settings: EvaluateRecipe, tokenizer: PreTrainedTokenizerFast) -> list[Record]:
    """Test posts that were written as one, have two answers or more, and fit into the prompt; in the corpus' order."""
    chosen = []
    for record in read_corpus(run / "corpus", "test"):
        if record.origin == "joined" or len(record.responses) < 2:
            continue
        prompt = tokenizer.apply_chat_template(messages(record.post), add_generation_prompt=True)["input_ids"]
        if len(prompt) <= settings.max_prompt_tokens:
            chosen.append(record)
        if len(chosen) == settings.posts:
            break
    return chosen


def complete(model_folder: Path, posts: Sequence[str], settings: EvaluateRecipe, seed: int) -> list[str]:
    """One sampled completion a post, in the desk's sampling."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype="float32").to(device()).eval()
    set_seed(seed)
    completions: list[str] = []
    for start in range(0, len(posts), settings.batch):
        prompts = [messages(post) for post in posts[start : start + settings.batch]]
        encoded = tokenizer.apply_chat_template(
            prompts, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
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
        completions += tokenizer.batch_decode(new, skip_special_tokens=True)
    return completions


def read_response(completion: str) -> Response | None:
    """The response of a completion, or None if it is none."""
    try:
        return parse(completion)
    except FormatError:
        return None


def judge(run: Path, posts: Sequence[Post], completions: Sequence[str]) -> dict:
    """The report on one completion a post; `posts` hold two answers by people or more."""
    responses = [read_response(completion) for completion in completions]
    answered = [(post, response) for post, response in zip(posts, responses, strict=True) if response]
    first = [references[0] for _, references in posts]
    report = {
        "posts": len(posts),
        "format_rate": len(answered) / len(posts),
        "ceiling": _rows(human_ceiling(posts)),
        "floor": _rows(evaluate(posts, [*first[1:], first[0]])),
        "answers": [],
        "chains": [],
        "reward": {"people": _mean_score(run, [(post, references[0]) for post, references in posts])},
    }
    if len(answered) > 1:
        report["answers"] = _rows(evaluate([post for post, _ in answered], [r.answer for _, r in answered]))
        report["chains"] = _rows(evaluate_chains([post for (post, _), _ in answered], [r for _, r in answered]))
        report["reward"]["model"] = _mean_score(run, [(post, r.answer) for (post, _), r in answered])
    return report


def evaluate_run(recipe: Recipe, run: Path) -> None:
    """Evaluate the run's last policy; writes `report.json`, `report.md` and the completions into `run/evaluate`.

    Raises:
        ValueError: if the test split holds fewer than two posts that can be used.
    """
    settings = recipe.evaluate
    stage = next(stage for stage in POLICIES if (run / stage / "model").is_dir())
    tokenizer = AutoTokenizer.from_pretrained(run / stage / "model")
    records = held_out(run, settings, tokenizer)
    if len(records) < 2:
        raise ValueError(f"{len(records)} test posts with two answers fit the prompt; give more data.")
    posts: list[Post] = [(neutral(record.post), record.responses) for record in records]
    completions = complete(run / stage / "model", [post for post, _ in posts], settings, recipe.seed)
    report = {"policy": stage, **judge(run, posts, completions)}
    out = run / "evaluate"
    out.mkdir(exist_ok=True)
    (out / "completions.json").write_text(json.dumps(completions, ensure_ascii=False, indent=1), "utf-8")
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    (out / "report.md").write_text(to_markdown(report), "utf-8")


def _rows(metrics: Sequence[Metric]) -> list[dict]:
    return [asdict(metric) for metric in metrics]


def _mean_score(run: Path, pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Mean cosine of (post, answer) pairs, and the share that passes the threshold."""
    encoder, threshold = load_trained(run)
    scores = cosines(encoder, [post for post, _ in pairs], [answer for _, answer in pairs])
    return {"cosine": round(float(scores.mean()), 4), "passed": round(float((scores >= threshold).mean()), 4)}


def to_markdown(report: dict) -> str:
    """The report as tables for people."""
    lines = [
        f"{report['posts']} test posts, policy of the {report['policy']} stage, format right without forcing: "
        f"{report['format_rate']:.1%}.",
        "",
        "| measure | tokenizer | model | floor | ceiling |",
        "|---|---|---:|---:|---:|",
    ]
    columns = [{(row["name"], row["tokenizer"]): row for row in report[key]} for key in ("answers", "floor", "ceiling")]
    for name, tokenizer in columns[1]:
        cells = [_cell(column.get((name, tokenizer))) for column in columns]
        lines.append(f"| {name} | {tokenizer} | {' | '.join(cells)} |")
    if report["chains"]:
        lines += ["", "| layer measure | tokenizer | model |", "|---|---|---:|"]
        lines += [f"| {row['name']} | {row['tokenizer']} | {_cell(row)} |" for row in report["chains"]]
    lines += ["", "| reward | cosine | passed |", "|---|---:|---:|"]
    lines += [f"| {who} | {score['cosine']} | {score['passed']:.1%} |" for who, score in report["reward"].items()]
    return "\n".join(lines) + "\n"


def _cell(row: dict | None) -> str:
    return "–" if row is None else f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
