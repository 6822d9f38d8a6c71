"""What the store hands out of blind ranking, and takes to set a round up: frozen copies of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from storage.records import Person, Post

RoundState = Literal["setup", "open", "locked"]
"""Answers come in; people rank; the results can be read, and nothing changes any more."""

SystemKind = Literal["model", "remote", "imported"]
"""Who answers: a model of the catalogue, a server, or somebody elsewhere whose answers were read from a file."""

CheckKind = Literal["copy", "off_topic"]
"""What is planted to see whether people read: another system's answer once more, or the answer to another post."""


@dataclass(frozen=True)
class NewSystem:
    """A system to be ranked; `sha256` of its model file, where there is one."""

    name: str
    kind: SystemKind
    sha256: str = ""


@dataclass(frozen=True)
class NewItem:
    """A post to be answered, with the answers that are there already, by the name of the system.

    `planted` is the system, by its name, in whose place a check of attention has the planted answer.
    """

    title: str
    description: str
    topic: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    check: CheckKind | None = None
    planted: str | None = None


@dataclass(frozen=True)
class Round:
    """One round of ranking, and how far it is."""

    id: int
    name: str
    guidelines: str
    seed: int
    state: RoundState
    author: Person
    created_at: datetime


@dataclass(frozen=True)
class System:
    """Whose answers are ranked."""

    id: int
    name: str
    kind: SystemKind
    sha256: str


@dataclass(frozen=True)
class Item:
    """One post of a round; a check of attention if `check` says which."""

    id: int
    post: Post
    topic: str
    check: CheckKind | None
    planted_system_id: int | None


@dataclass(frozen=True)
class Answer:
    """What one system wrote to one post, and how long it took, where that is known."""

    item_id: int
    system_id: int
    text: str
    latency_s: float | None


@dataclass(frozen=True)
class BlindItem:
    """All that an annotator may know of an item: the post, and the answers, by the ids of systems without a name."""

    id: int
    post: Post
    answers: Mapping[int, str]


@dataclass(frozen=True)
class Ranked:
    """One person's ranking: `places[i]` is that of the answer of system `shown[i]`, which stood at position i.

    Smaller is better, equal is tied.
    """

    item_id: int
    person_id: int
    shown: tuple[int, ...]
    places: tuple[int, ...]
    none_fits: bool
    seconds: float
    created_at: datetime


@dataclass(frozen=True)
class RoundProgress:
    """How many answers there are of how many, and how many of the items each annotator has ranked."""

    answers: int
    wanted: int
    items: int
    ranked: Mapping[Person, int]


@dataclass(frozen=True)
class RoundResults:
    """Everything of a locked round; of several rankings of an item by one person, the latest."""

    round: Round
    systems: tuple[System, ...]
    items: tuple[Item, ...]
    answers: tuple[Answer, ...]
    annotators: tuple[Person, ...]
    rankings: tuple[Ranked, ...]
