"""What made a run: one line a stage with the commit, the versions and the machine; and one recipe for all of a run."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from training.device import device, is_first_process, process_count
from training.recipe import Recipe, RecipeError

LIBRARIES = (
    "accelerate",
    "datasets",
    "gguf",
    "llama-cpp-python",
    "numpy",
    "peft",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
)

_PRETRAINED = ("seed", "tokenizer", "model", "pretrain")
_FINE_TUNED = (*_PRETRAINED, "adapter", "sft")
_IMPROVED = (*_FINE_TUNED, "reward", "grpo")
DEPENDS_ON = {
    "tokenizer": (("tokenizer",), "tokenizer.json"),
    "pretrain": (_PRETRAINED, "model"),
    "sft": (_FINE_TUNED, "model"),
    "reward": ((*_PRETRAINED, "reward"), "report.json"),
    "grpo": (_IMPROVED, "model"),
    "evaluate": ((*_IMPROVED, "evaluate"), "report.json"),
    "export": ((*_IMPROVED, "export"), "conformance.json"),
}
"""The parts of a recipe that a stage's result depends on, and what lies in its folder once it is finished."""


def _differences(before: dict[str, Any], now: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every key that both hold with unlike values; what only one of them knows is no setting of the other."""
    for key in before.keys() & now.keys():
        old, new = before[key], now[key]
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{where}{key}.")
        elif old != new:
            yield f"{where}{key}", old, new


def check_run(recipe: Recipe, run: Path, verbs: Collection[str]) -> None:
    """Hold a run to one recipe: what it has finished, or is about to go on with, was made with the same settings.

    Raises:
        RecipeError: naming a setting in which they differ.
    """
    kept = run / "recipe.yaml"
    if not kept.exists():
        return
    before = yaml.safe_load(kept.read_text("utf-8"))
    now = json.loads(json.dumps(asdict(recipe)))
    for stage, (parts, result) in DEPENDS_ON.items():
        folder = run / stage
        begun = (folder / "state.pt").exists() or any(folder.glob("checkpoint-*"))
        # A finished stage that is run again begins anew and may be changed; a killed one goes on and may not.
        if not begun and (stage in verbs or not (folder / result).exists()):
            continue
        used = [{part: values[part] for part in parts if part in values} for values in (before, now)]
        for key, old, new in sorted(_differences(*used)):
            raise RecipeError(
                f"{run}: its stage {stage} was made with {key} {old}, and this recipe says {new}; "
                f"give another --run folder, or delete {folder} to make it again."
            )


@contextmanager
def on_record(run: Path, verb: str) -> Iterator[None]:
    """Add to `run/stages.jsonl` what is about to run, and on what; once it is done, the seconds it took."""
    if not is_first_process():
        yield
        return
    entry: dict[str, Any] = {
        "stage": verb,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len((_git("status", "--porcelain", "--untracked-files=no") or "").splitlines()),
        "device": device().type,
        "processes": process_count(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in LIBRARIES},
    }
    record = run / "stages.jsonl"
    began = time.monotonic()
    before = record.read_text("utf-8") if record.exists() else ""
    record.write_text(f"{before}{json.dumps(entry)}\n", "utf-8")
    yield
    entry["seconds"] = round(time.monotonic() - began, 1)
    record.write_text(f"{before}{json.dumps(entry)}\n", "utf-8")


def _git(*arguments: str) -> str | None:
    """What git says about this checkout; None where there is no git or no repository."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
