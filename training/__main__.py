"""`python -m training VERB RECIPE --data FOLDER --run FOLDER`: one stage a verb, or all of them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# torch's spinning OpenMP threads stall each other when anything else runs; glibc's trimming costs a third of the speed.
THREAD_SETTINGS = {"OMP_WAIT_POLICY": "passive", "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_MMAP_THRESHOLD_": "4294967296"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}

VERBS = ("data", "tokenizer", "pretrain", "sft", "reward", "grpo", "evaluate", "export")


def main(arguments: list[str]) -> int:
    """Run the stages; returns the exit status."""
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("verb", choices=[*VERBS, "pipeline"])
    parser.add_argument("recipe", type=Path, help="a YAML file, e.g. training/recipes/bundled.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--run", type=Path, required=True, help="folder that the run reads and writes")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="override one setting")
    parser.add_argument("--cards", type=Path, help="where export writes the models' folders; default: RUN/model_cards")
    options = parser.parse_args(arguments)

    if any(os.environ.get(key) != value for key, value in THREAD_SETTINGS.items()):
        # Both are read when the process starts, so it starts again with them.
        environment = {**os.environ, **THREAD_SETTINGS, **OFFLINE}
        os.execve(sys.executable, [sys.executable, "-m", "training", *arguments], environment)

    from training.data.build import DataError
    from training.provenance import note_stage
    from training.recipe import RecipeError, load_recipe, save_recipe
    from training.stages import run_stage

    try:
        recipe = load_recipe(options.recipe, options.set)
        save_recipe(recipe, options.run)
        for verb in VERBS if options.verb == "pipeline" else (options.verb,):
            note_stage(options.run, verb)
            run_stage(verb, recipe, options.data, options.run, options.cards or options.run / "model_cards")
    except (RecipeError, DataError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
