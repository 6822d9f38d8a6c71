"""`python -m training VERB RECIPE --data FOLDER --run FOLDER`: one stage a verb, or all of them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# torch's spinning OpenMP threads stall each other when anything else runs; glibc's trimming costs a third of the speed.
THREAD_SETTINGS = {"OMP_WAIT_POLICY": "passive", "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_MMAP_THRESHOLD_": "4294967296"}
QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
"""The libraries' own bars, where no terminal shows them."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}

VERBS = ("data", "tokenizer", "pretrain", "sft", "reward", "grpo", "evaluate", "export", "quantcheck", "card")


def main(arguments: list[str]) -> int:
    """Run the stages; returns the exit status."""
    if arguments[:1] == ["promote"]:  # It compares two models' folders and needs no recipe.
        from training.promote import main as promote

        return promote(arguments[1:])
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("verb", choices=[*VERBS, "synthesize", "reproduce", "pipeline", "check"])
    parser.add_argument("recipe", type=Path, help="a YAML file, e.g. training/recipes/bundled.yaml")
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--run", type=Path, help="folder that the run reads and writes")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="override one setting")
    parser.add_argument("--cards", type=Path, help="where card writes the models' folders; default: RUN/model_cards")
    parser.add_argument("--table", type=int, choices=(2, 3, 4), default=3, help="which of the paper's to reproduce")
    parser.add_argument("--processes", type=int, default=1, help="for check: how many will train together")
    options = parser.parse_args(arguments)
    if options.verb != "check" and not (options.data and options.run):
        parser.error(f"{options.verb} needs --data and --run")

    if any(os.environ.get(key) != value for key, value in THREAD_SETTINGS.items()):
        # They are read when the process starts, so it starts again with them; what a launcher has set stays.
        environment = {**os.environ, **THREAD_SETTINGS, **OFFLINE, **({} if sys.stderr.isatty() else QUIET)}
        os.execve(sys.executable, [sys.executable, "-m", "training", *arguments], environment)

    from training.data.build import DataError
    from training.recipe import RecipeError
    from training.recipe_file import load_recipe
    from training.stages import run_stages

    try:
        recipe = load_recipe(options.recipe, options.set)
        if options.verb == "check":
            from training.check import dry_run

            sys.stdout.write(dry_run(recipe, options.processes))
            return 0
        verbs = VERBS if options.verb == "pipeline" else (options.verb,)
        cards = options.cards or options.run / "model_cards"
        run_stages(verbs, recipe, options.data, options.run, cards, options.table)
    except (RecipeError, DataError, FileNotFoundError, ConnectionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
