"""Which function a verb calls. Each stage reads and writes folders of one run, named after the verbs."""

from __future__ import annotations

import sys
from pathlib import Path

from training.recipe import Recipe


def run_stage(verb: str, recipe: Recipe, data: Path, run: Path, cards: Path) -> None:
    """Run one stage; heavy imports happen here, so that `--help` and recipe errors come at once."""
    match verb:
        case "data":
            from training.data.build import build, sets_in

            build(sets_in(data), run / "corpus", lambda line: sys.stderr.write(f"{line}\n"))
        case "tokenizer":
            from training.tokenizer import train_tokenizer

            train_tokenizer(recipe, data, run / "tokenizer")
        case "pretrain":
            from training.pretrain import pretrain

            pretrain(recipe, data, run)
        case "sft":
            from training.sft import sft

            sft(recipe, run)
        case "reward":
            from training.reward import train_reward

            train_reward(recipe, data, run)
        case "grpo":
            from training.grpo import grpo

            grpo(recipe, run)
        case "evaluate":
            from training.evaluate import evaluate_run

            evaluate_run(recipe, run)
        case "export":
            from training.export_gguf import export

            export(recipe, run, cards)
