"""Importing chains: posts with whole responses, written elsewhere, into the review queue of this desk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.chain import SECTIONS, FormatError, Response
from app.errors import DeskError
from app.intake import accept_name, accept_post, accept_section
from app.reviewing import desk_errors
from storage.store import Store

AUTHOR = "seeds"
"""Who signs what is imported without an `author` of its own; none of the desk, so that every person may review it."""


@dataclass(frozen=True)
class Imported:
    """How many chains came into the queue, and how many had been there before."""

    added: int
    known: int


@dataclass(frozen=True)
class Chain:
    """A post and its response, ready to be stored, and who signs it."""

    title: str
    description: str
    response: Response
    author: str


def import_chains(store: Store, source: Path) -> Imported:
    """Put every chain of a JSON-lines file, or of the files of a folder, into the review queue.

    Nothing is added if any line is no chain. A chain that was imported before is not added again.

    Raises:
        DeskError: chains_missing (path); chains_line (file, line) at the first line that is no chain; as `Store`.
    """
    files = {path: list(_chains(path)) for path in _files(source)}
    if not any(files.values()):
        raise DeskError("chains_missing", path=source)
    added = known = 0
    with desk_errors():
        for path, chains in files.items():
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            for chain in chains:
                new = store.add_submitted(
                    chain.title,
                    chain.description,
                    chain.response,
                    store.person(chain.author).id,
                    model_name=path.name,
                    model_sha256=sha256,
                )
                added += new
                known += not new
    return Imported(added, known)


def _files(source: Path) -> list[Path]:
    return sorted(source.glob("*.jsonl")) if source.is_dir() else [source]


def _chains(path: Path) -> Iterator[Chain]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        raise DeskError("chains_missing", path=path) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            title, description = accept_post(values.get("title", ""), values["description"])
            response = Response(**{name: accept_section(name, values[name]) for name in SECTIONS})
            author = accept_name(values.get("author", AUTHOR))
        except (ValueError, KeyError, TypeError, AttributeError, DeskError, FormatError):
            raise DeskError("chains_line", file=path, line=number) from None
        yield Chain(title, description, response, author)
