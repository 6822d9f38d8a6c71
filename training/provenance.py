"""What made a run: one line a stage with the commit, the versions and the machine."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from training.device import device

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


def note_stage(run: Path, verb: str) -> None:
    """Add to `run/stages.jsonl` what is about to run, and on what."""
    entry = {
        "stage": verb,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len((_git("status", "--porcelain", "--untracked-files=no") or "").splitlines()),
        "device": device().type,
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in LIBRARIES},
    }
    with (run / "stages.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(entry) + "\n")


def _git(*arguments: str) -> str | None:
    """What git says about this checkout; None where there is no git or no repository."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
