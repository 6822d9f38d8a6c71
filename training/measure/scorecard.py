"""The files that an evaluation leaves, as types: `report.json` for people and cards, `evaluation.json` for the gate.

Neither holds text: a post is named by the hash of its group. Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from training.data.records import Record


class Figure(TypedDict):
    """A mean over posts with its 95 % interval."""

    name: str
    tokenizer: str
    """What it is counted in: `characters`, `jieba`, or `completions` where nothing is cut."""
    value: float
    low: float
    high: float
    posts: int


class System(TypedDict):
    """What one policy reached."""

    figures: list[Figure]
    """Over all posts: an unreadable completion counts as an empty answer, and gets the reward GRPO would give it."""
    readable: list[Figure]
    """Over the posts with a readable completion alone; empty if fewer than two are readable."""
    seconds: float
    """Writing all completions took so long."""


class Comparison(TypedDict):
    """A paired difference of two systems, `new` less `old`, over the posts where both have the score."""

    new: str
    old: str
    name: str
    tokenizer: str
    higher_is_better: bool
    value: float
    low: float
    high: float
    posts: int
    verdict: str


class Report(TypedDict):
    """`run/evaluate/report.json`."""

    recipe: str
    seed: int
    posts: int
    posts_with_two_answers: int
    post_set: str
    sampling: dict[str, float]
    versions: dict[str, str]
    device: str
    floor: list[Figure]
    """People's answers to other posts."""
    ceiling: list[Figure]
    """People's answers against each other, over the posts with two answers or more."""
    people: list[Figure]
    """Cosine and share passed of people's first answers."""
    systems: dict[str, System]
    bits_per_character: dict[str, dict[str, float]]
    """By model (`base` and the systems): of held-out `dialogues`, and of their `answers` alone, teacher-forced."""
    comparisons: list[Comparison]


class Primary(TypedDict):
    """One metric that the gate decides by, a score for each post."""

    higher_is_better: bool
    scores: list[float]


class Evaluation(TypedDict):
    """`evaluation.json`, beside the exported model: what the gate compares. It is the unquantized model's."""

    recipe: str
    system: str
    seed: int
    sampling: dict[str, float]
    post_set: str
    posts: list[str]
    """The groups, in the order of the scores."""
    reward_model: str
    """Hash of the reward model's weights: graded rewards of different ones cannot be compared."""
    primary: dict[str, Primary]


PRIMARY = {
    "format": ("completions", True),
    "graded reward": ("completions", True),
    "response repetition": ("characters", False),
    "NAvg": ("characters", True),
}
"""The gate's metrics: what each is counted in, and whether higher is better."""


def post_set(records: Sequence[Record]) -> str:
    """A hash over posts and references, in order: equal exactly where two evaluations asked and compared the same."""
    digest = hashlib.sha256()
    for record in records:
        digest.update("\x1f".join((record.group, record.post, *record.responses)).encode() + b"\x1e")
    return digest.hexdigest()


def weights_hash(model: Path) -> str:
    """sha256 over the weights of a checkpoint folder, in one file or many."""
    digest = hashlib.sha256()
    for path in sorted(model.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
