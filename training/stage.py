"""What the stages run by a library's trainer have in common: going on after a kill, a metrics file, and its curves."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

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
        # Every weight takes part in every step, so no process need look for others.
        "ddp_find_unused_parameters": False,
    }


class MetricsFile(TrainerCallback):
    """One line of JSON a logging step; after a resumption the lines go on where the checkpoint was."""

    def __init__(self, path: Path):
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin with what the checkpoint remembers."""
        if state.is_world_process_zero:
            self.path.write_text("".join(json.dumps(entry) + "\n" for entry in state.log_history), "utf-8")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Add the newest entry."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(state.log_history[-1]) + "\n")


def last_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint that was written to its end; its state is the last file that a trainer writes."""
    whole = [path.parent for path in out.glob(f"checkpoint-*/{TRAINER_STATE_NAME}")]
    return max(whole, key=lambda path: int(re.sub(r"\D", "", path.name)), default=None)


def run_trainer(trainer: Trainer, out: Path) -> None:
    """Train, from the last checkpoint in `out` if a kill left one; leave metrics and curves, and no checkpoint.

    All processes of a run call this; the first one writes.
    """
    trainer.add_callback(MetricsFile(out / "metrics.jsonl"))
    checkpoint = last_checkpoint(out)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        # A finished stage that is run again begins anew.
        for path in out.glob("checkpoint-*"):
            shutil.rmtree(path)
        draw_curves(out / "metrics.jsonl", out / "curves.png")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
