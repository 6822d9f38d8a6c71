"""A record: one post with every independent answer to it. What all loaders give and all stages of training read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from app.chain import post_text


class DataError(Exception):
    """Something about the data that a person must mend; the message says what and how."""


Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Origin = Literal["written", "opening", "joined"]
"""How a post came about: written as one; the long first turn of a dialogue; a client's turns joined."""


@dataclass(frozen=True)
class Dialogue:
    """Turns of one conversation; `group` is shared by dialogues about the same post."""

    source: str
    group: str
    client: tuple[str, ...]
    counselor: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """A post and its answers. `group` names the post across sources and is what splits go by."""

    title: str
    description: str
    topic: str
    subtopic: str
    responses: tuple[str, ...]
    source: str
    licence: str
    group: str
    origin: Origin = "written"

    @property
    def post(self) -> str:
        return post_text(self.title, self.description)


def split_of(group: str) -> Split:
    """Assign a post to a split by the hash of its group: 94 % train, 3 % valid, 3 % test, the same on every machine."""
    bucket = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") % 100
    return "test" if bucket < 3 else "valid" if bucket < 6 else "train"


def to_line(record: Record) -> str:
    """A record as one line of JSON."""
    return json.dumps(vars(record), ensure_ascii=False) + "\n"


def from_values(values: dict) -> Record:
    """A record from the values of its line."""
    return Record(**{**values, "responses": tuple(values["responses"])})


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file that this package wrote.

    Raises:
        DataError: at a line that lacks a column, with its number.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = from_values(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}:{number} is no record ({error}); build the corpus again.") from error
            yield record
