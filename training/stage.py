"""What the stages run by a library's trainer have in common: going on after a kill, a metrics file, and its curves."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from training.curves import draw_curves
from training.device import device


def stage_settings(out: Path, seed: int, save_every: int) -> dict[str, Any]:
    """What every trainer is told: where it writes, on what it computes, how often it saves and logs."""
    on_cpu = device().type == "cpu"
    return {
        "output_dir": str(out),
        "seed": seed,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": save_every,
        "save_total_limit": 1,
        "disable_tqdm": not sys.stderr.isatty(),
    }


class MetricsFile(TrainerCallback):
    """One line of JSON a logging step; after a resumption the lines go on where the checkpoint was."""

    def __init__(self, path: Path):
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin with what the checkpoint remembers."""
        self.path.write_text("".join(json.dumps(entry) + "\n" for entry in state.log_history), "utf-8")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Add the newest entry."""
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(state.log_history[-1]) + "\n")


def run_trainer(trainer: Trainer, out: Path) -> None:
    """Train, from the last checkpoint in `out` if a kill left one; leave metrics and curves, and no checkpoint."""
    trainer.add_callback(MetricsFile(out / "metrics.jsonl"))
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(out)) if out.is_dir() else None)
    # A finished stage that is run again begins anew.
    for checkpoint in out.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    draw_curves(out / "metrics.jsonl", out / "curves.png")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
