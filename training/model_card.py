"""Model cards: a Hugging Face README a model, whose front matter is the desk's catalogue entry."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import yaml

from training.footprint import memory_mb
from training.recipe import Recipe
from training.stage import read_metrics

DATA = [
    {"name": "SmileChat", "source": "qiuhuachuan/smile", "licence": "CC0-1.0", "used_for": "all stages"},
    {"name": "CPsyCounD", "source": "CAS-SIAT-XinHai/CPsyCoun", "licence": "CC-BY-4.0", "used_for": "pretraining"},
    {"name": "EmoLLM data.json", "source": "SmartFlowAI/EmoLLM", "licence": "MIT", "used_for": "generic negatives"},
    {"name": "seed chains", "source": "training/seed_chains", "licence": "Apache-2.0", "used_for": "SFT, negatives"},
]
TITLES = {
    "policy": {"zh": "共情工作台内置起草模型", "en": "Bundled drafting model"},
    "reward": {"zh": "共情工作台内置评分模型", "en": "Bundled reward model"},
}
LOGGED = (
    "rewards/format_rewards/mean",
    "rewards/answer/mean",
    "frac_reward_zero_std",
    "completions/clipped_ratio",
    "kl",
)
"""Of TRL's log, what the policy's card shows."""


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parameters(recipe: Recipe) -> int:
    """Parameters of the decoder, embeddings once (they are tied)."""
    shape = recipe.model
    heads = shape.heads * shape.head_dim
    attention = shape.hidden * (2 * heads + 2 * shape.kv_heads * shape.head_dim) + 2 * shape.head_dim
    layer = attention + 3 * shape.hidden * shape.ffn + 2 * shape.hidden
    return recipe.tokenizer.vocab_size * shape.hidden + shape.layers * layer + shape.hidden


def _front_matter(recipe: Recipe, role: str, name: str, file: Path, reward: dict, reward_name: str) -> dict:
    context_tokens = recipe.model.context_tokens if role == "policy" else recipe.reward.length
    entry: dict = {
        "role": role,
        "title": TITLES[role],
        "file": file.name,
        "sha256": _sha256(file),
        "size_bytes": file.stat().st_size,
        "memory_mb": memory_mb(file, context_tokens),
        "context_tokens": context_tokens,
        "data": DATA,
    }
    if role == "policy":
        entry["reward_model"] = reward_name
    else:
        entry |= {"threshold": reward["threshold"], "human_quantiles": reward["human_quantiles"]}
    return {
        "language": ["zh"],
        "license": "apache-2.0",
        "library_name": "llama.cpp",
        "pipeline_tag": "text-generation" if role == "policy" else "sentence-similarity",
        "tags": ["gguf", "qwen3", "mental-health", "chain-of-empathy"],
        "empathy_desk": entry,
    }


def _table(first: str, rows: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = [f"| {first} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |" for name, row in rows.items()]
    return "\n".join(lines)


def _losses(run: Path) -> str:
    last = read_metrics(run / "pretrain" / "metrics.jsonl")[-50:]
    sft = [float(entry["loss"]) for entry in read_metrics(run / "sft" / "metrics.jsonl") if "loss" in entry]
    pretrained = (
        f"Pretraining: {last[-1]['step']} steps, mean loss of the last {len(last)} steps "
        f"{sum(entry['loss'] for entry in last) / len(last):.3f} nats a token."
    )
    return (
        f"{pretrained} SFT: loss {sft[0]:.3f} at the first logged step, {sft[-1]:.3f} at the last."
        if sft
        else pretrained
    )


def _grpo_summary(run: Path) -> str:
    history = [entry for entry in read_metrics(run / "grpo" / "metrics.jsonl") if "reward" in entry]
    window = max(1, len(history) // 4)

    def mean(entries: list[dict], key: str) -> float:
        return round(sum(float(entry[key]) for entry in entries) / len(entries), 4)

    rows = {
        key: {
            f"first {window} steps": mean(history[:window], key),
            f"last {window} steps": mean(history[-window:], key),
        }
        for key in LOGGED
    }
    note = "Every step draws other posts, so the two columns show that the stage ran, not how much it helped."
    return f"GRPO, {len(history)} steps:\n\n{_table('mean of', rows)}\n\n{note}"


def _policy_body(recipe: Recipe, run: Path, checks: dict[str, dict[str, float]]) -> str:
    return f"""
# {TITLES["policy"]["zh"]}

Qwen3-architecture decoder of {_parameters(recipe) / 1e6:.1f} M parameters, trained from scratch by this repository's
pipeline (`training/recipes/{recipe.name}.yaml`). It proves the road from data to desk on a laptop.

**It is far too small to counsel:** its drafts are fluent in places, repeat themselves, contradict, and drift from the
post. Nothing it writes may reach a help-seeker without a counselor's rewriting and a second person's review.

## Data

SmileChat (CC0 1.0), CPsyCounD (CC BY 4.0, by CAS-SIAT-XinHai), EmoLLM `data.json` (MIT, negatives of the reward model).
SmileChat is PsyQA rewritten into turns by a language model: this model may not call PsyQA unseen. 94 % of the posts,
split by post, are for training. {recipe.sft.examples:,} of the chains L1-L4 it learned from are **weak**: made by rule
from post and human answer (`training/weak_chains.py`). The hand-written chains of `training/seed_chains`, synthetic and
not vetted by a clinician, were shown {recipe.sft.seed_chains} times each.

## Training

{_losses(run)}

{_grpo_summary(run)}

## Files against PyTorch

Three synthetic posts with a full response, every position; log-probabilities.

{_table("file type", checks)}
"""


def _reward_body(reward: dict, checks: dict[str, dict[str, float]]) -> str:
    accuracy = {kind: {"share": value} for kind, value in reward["pairwise_accuracy"].items()}
    return f"""
# {TITLES["reward"]["zh"]}

Encodes a post and an answer; the cosine of the two is the desk's score. Last-token pooling over the policy's pretrained
body, trained with the triplet loss of arXiv:2509.14851, Eq. 5. Posts and answers carry different prefixes and copied
posts are among the negatives (deviations from the paper, see `training/reward.py`).

**What the score is not:** a judgement of a counselor's work, or of safety. It says how closely an answer's vector lies
to its post's, compared with human answers of the same data.

## On {reward["held_out_posts"]} held-out posts

Share of posts whose own human answer scores above the negative:

{_table("negative", accuracy)}

Threshold T = {reward["threshold"]}, chosen there by balanced accuracy ({reward["balanced_accuracy"]}) over the four
kinds together.

## Files against PyTorch

{_table("file type", checks)}
"""


def write_cards(recipe: Recipe, run: Path, cards: Path, checks: dict[str, dict[str, dict[str, float]]]) -> None:
    """Write one folder a model, named `<recipe>-<role>`: the GGUF of the recipe's first quantization and the README."""
    reward = json.loads((run / "reward" / "report.json").read_text("utf-8"))
    bodies = {
        "policy": _policy_body(recipe, run, checks["policy"]),
        "reward": _reward_body(reward, checks["reward"]),
    }
    shipped = recipe.export.quantizations[0]
    for role, body in bodies.items():
        name = f"{recipe.name}-{role}"
        folder = cards / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{shipped}.gguf"
        shutil.copyfile(run / "export" / f"{role}-{shipped}.gguf", file)
        matter = _front_matter(recipe, role, name, file, reward, f"{recipe.name}-reward")
        text = yaml.safe_dump(matter, allow_unicode=True, sort_keys=False, width=120)
        (folder / "README.md").write_text(f"---\n{text}---\n{body}", "utf-8")
