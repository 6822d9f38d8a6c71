"""Which function a verb calls. Each stage reads and writes folders of one run, named after the verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from training.device import is_first_process, process_count
from training.provenance import check_run, on_record
from training.recipe import Recipe, RecipeError
from training.recipe_file import save_recipe

FROM_SCRATCH = ("tokenizer", "pretrain")
IN_MANY_PROCESSES = ("sft", "reward", "grpo")
TRAINED = ("pretrain", *IN_MANY_PROCESSES)


def run_stages(verbs: Sequence[str], recipe: Recipe, data: Path, run: Path, cards: Path, table: int = 3) -> None:
    """Run stages one after another, each checked before it begins and put on record.

    Raises:
        RecipeError: if the run was made by another recipe, or this machine cannot run a stage.
    """
    if is_first_process():
        check_run(recipe, run, verbs)
        save_recipe(recipe, run)
    for verb in verbs:
        if recipe.model.checkpoint and verb in FROM_SCRATCH:
            sys.stderr.write(f"{verb}: nothing to do, the run starts from {recipe.model.checkpoint}\n")
            continue
        if process_count() > 1 and verb not in IN_MANY_PROCESSES:
            raise RecipeError(f"{verb} runs in one process; start it without accelerate.")
        if verb in TRAINED:
            from training.check import check_stage

            check_stage(verb, recipe, run)
        with on_record(run, verb):
            run_stage(verb, recipe, data, run, cards, table)


def run_stage(verb: str, recipe: Recipe, data: Path, run: Path, cards: Path, table: int = 3) -> None:
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
        case "synthesize":
            from training.synthesize import synthesize

            synthesize(recipe, run, lambda line: sys.stderr.write(f"{line}\n"))
        case "reward":
            from training.reward import train_reward

            train_reward(recipe, data, run)
        case "grpo":
            from training.grpo import grpo

            grpo(recipe, run)
        case "evaluate":
            from training.evaluate import evaluate_run

            evaluate_run(recipe, run)
        case "reproduce":
            from training.reproduce import reproduce

            reproduce(recipe, run, table)
        case "export":
            from training.export_gguf import export

            export(recipe, run)
        case "quantcheck":
            from training.quantcheck import quantcheck

            quantcheck(recipe, run)
        case "card":
            from training.cards.card import write_cards

            write_cards(recipe, run, cards)
