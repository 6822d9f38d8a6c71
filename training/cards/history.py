"""What a model card tells of data and training, out of the run's own records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data.sources import SOURCES
from training.recipe import Recipe
from training.stage import read_metrics

NAMES = {"smilechat": "SmileChat", "cpsycound": "CPsyCounD", "psyqa": "PsyQA", "empathyqa": "Empathy-QA"}
STAGES = {"policy": ("pretrain", "sft", "grpo"), "reward": ("pretrain", "reward")}
LIBRARIES = ("torch", "transformers", "trl", "sentence-transformers", "peft", "gguf", "llama-cpp-python")
LAST_STEPS = 50
LOGGED = ("reward", "frac_reward_zero_std", "completions/mean_length", "completions/clipped_ratio", "kl", "entropy")
"""Of GRPO's log, what the card shows beside every term of the reward."""


def _corpus(run: Path) -> dict[str, Any]:
    return json.loads((run / "corpus" / "corpus.json").read_text("utf-8"))


def data_sets(recipe: Recipe, run: Path) -> list[dict[str, str]]:
    """The sets behind the model, for the catalogue entry."""
    fitted = "SFT, reward, GRPO" if recipe.model.checkpoint else "all stages"
    sets = [
        {"name": NAMES.get(name, name), "source": SOURCES[name].published, "licence": SOURCES[name].licence}
        | {"used_for": fitted}
        for name in _corpus(run)["sets"]
    ]
    return [
        *sets,
        {"name": "EmoLLM data.json", "source": "SmartFlowAI/EmoLLM", "licence": "MIT", "used_for": "generic negatives"},
        {
            "name": "seed chains",
            "source": "training/seed_chains",
            "licence": "Apache-2.0",
            "used_for": "SFT, negatives",
        },
    ]


def data_section(recipe: Recipe, run: Path, role: str) -> str:
    """Sets, licences, split, and for a policy where its chains come from."""
    corpus = _corpus(run)
    lines = ["| set | licence | used for |", "|---|---|---|"]
    lines += [
        f"| {row['name']} ({row['source']}) | {row['licence']} | {row['used_for']} |" for row in data_sets(recipe, run)
    ]
    splits = corpus["splits"]
    told = [
        f"{corpus['posts']:,} posts after cleaning and de-identification by rule, split by post: "
        f"{splits['train']:,} to learn from, {splits['valid']:,} to choose by, {splits['test']:,} for the figures here."
    ]
    if "smilechat" in corpus["sets"]:
        told.append("SmileChat is PsyQA rewritten into turns by a language model: this may not call PsyQA unseen.")
    if role == "policy":
        told.append(
            f"The chains L1-L4 of up to {recipe.sft.examples:,} SFT examples are **weak**: made by rule from post and "
            "human answer (`training/weak_chains.py`). The hand-written chains of `training/seed_chains`, synthetic "
            f"and not vetted by a clinician, were shown {recipe.sft.seed_chains} times each."
        )
    return "\n".join(lines) + "\n\n" + " ".join(told)


def training_section(recipe: Recipe, run: Path, role: str) -> str:
    """Stages with steps, losses, time and machine; settings are in `recipe.yaml` beside the card."""
    stages = [stage for stage in STAGES[role] if (run / stage / "metrics.jsonl").is_file()]
    record = {entry["stage"]: entry for entry in read_metrics(run / "stages.jsonl")}
    lines = ["| stage | steps | loss, first | loss, last | device | time |", "|---|---:|---:|---:|---|---:|"]
    lines += [_stage_row(run, stage, record.get(stage, {})) for stage in stages]
    parts = [
        "\n".join(lines),
        f"Losses are means of the first and the last {LAST_STEPS} logged steps, or of a quarter of them if these are "
        "fewer. Every setting: `recipe.yaml` in this folder.",
    ]
    if role == "policy" and "pretrain" in stages:
        steps = read_metrics(run / "pretrain" / "metrics.jsonl")[-1]["step"]
        tokens = steps * recipe.pretrain.batch * recipe.pretrain.length
        parts.append(f"Pretraining read {tokens / 1e6:.1f} million tokens.")
    if role == "policy" and "grpo" in stages:
        parts.append(_grpo(run))
    made_by = next((record[stage] for stage in reversed(stages) if stage in record), None)
    if made_by:
        versions = ", ".join(f"{name} {made_by['versions'][name]}" for name in LIBRARIES)
        parts.append(f"Commit {(made_by['commit'] or 'unknown')[:12]}; {made_by['machine']}; {versions}.")
    return "\n\n".join(parts)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the first and of the last values."""
    window = max(1, min(LAST_STEPS, len(values) // 4))
    return sum(values[:window]) / window, sum(values[-window:]) / window


def _stage_row(run: Path, stage: str, entry: dict[str, Any]) -> str:
    history = [line for line in read_metrics(run / stage / "metrics.jsonl") if "loss" in line]
    steps = history[-1]["step"] if history else 0
    losses = [f"{loss:.3f}" for loss in _ends([float(line["loss"]) for line in history])] if history else ["–", "–"]
    processes = f" x {entry['processes']}" if entry.get("processes", 1) > 1 else ""
    seconds = entry.get("seconds")
    time = "–" if seconds is None else f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
    return f"| {stage} | {steps} | {' | '.join(losses)} | {entry.get('device', '–')}{processes} | {time} |"


def _grpo(run: Path) -> str:
    history = [line for line in read_metrics(run / "grpo" / "metrics.jsonl") if "reward" in line]
    terms = [key for key in history[-1] if key.startswith("rewards/") and key.endswith("/mean")]
    lines = ["| GRPO, mean of | first steps | last steps |", "|---|---:|---:|"]
    for key in (*LOGGED, *terms):
        known = [float(line[key]) for line in history if line.get(key) is not None]
        if known:
            lines.append(f"| {key} | {' | '.join(f'{mean:.4f}' for mean in _ends(known))} |")
    note = (
        "Every step draws other posts, so the two columns show that the stage ran; the evaluation tells what it gave."
    )
    return "\n".join(lines) + f"\n\n{note}"
