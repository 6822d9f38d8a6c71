"""Model folders with tiny random GGUFs, as the catalogue reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from tests.tiny_gguf import write_model


def write_card(folder: Path, role: str, **more: object) -> None:
    """A policy or reward model with its card; `more` goes into the catalogue entry."""
    folder.mkdir(parents=True)
    path = write_model(folder / "model.gguf", reward=role == "reward", hidden=256, layers=1)
    entry = {
        "role": role,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size_bytes": path.stat().st_size,
        "memory_mb": 50,
        "context_tokens": 4096,
        "title": {"zh": "小", "en": "tiny"},
        **more,
    }
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'empathy_desk': entry})}---\n", encoding="utf-8")
