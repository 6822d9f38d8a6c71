"""The models on this machine: one folder each in `model_cards/`, described by the front matter of its README.md.

The front matter is a Hugging Face model card's; what the desk needs stands under its key `empathy_desk`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.errors import DeskError


@dataclass(frozen=True)
class Card:
    """One model. `threshold` and `human_quantiles` belong to reward models, `reward_model` to policies."""

    name: str
    role: str
    path: Path
    sha256: str
    size_bytes: int
    memory_mb: int
    """Of a process that holds this model alone, measured at export."""
    context_tokens: int
    title_zh: str
    title_en: str
    reward_model: str | None = None
    threshold: float | None = None
    human_quantiles: tuple[float, ...] | None = None
    """Scores of held-out human answers at 0, 1, ..., 100 %, ascending (101 values)."""


def _entry(readme: Path) -> dict[str, Any] | None:
    """What stands under `empathy_desk`; None where the file has no front matter, or that has no such key."""
    parts = readme.read_text("utf-8-sig").split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        return None
    matter = yaml.safe_load(parts[1])
    if not isinstance(matter, dict) or "empathy_desk" not in matter:
        return None
    entry = matter["empathy_desk"]
    if not isinstance(entry, dict):
        raise TypeError
    return entry


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise TypeError
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return value


def read_card(folder: Path) -> Card | None:
    """The card of one model folder; None where its README is no model card, or one of a model for other programs.

    Raises:
        DeskError: card_unreadable (model), where the entry lacks a field or holds one of another type.
    """
    try:
        entry = _entry(folder / "README.md")
        if entry is None:
            return None
        reward_model, threshold, quantiles = map(entry.get, ("reward_model", "threshold", "human_quantiles"))
        return Card(
            name=folder.name,
            role=_text(entry["role"]),
            path=folder / _text(entry["file"]),
            sha256=_text(entry["sha256"]),
            size_bytes=_count(entry["size_bytes"]),
            memory_mb=_count(entry["memory_mb"]),
            context_tokens=_count(entry["context_tokens"]),
            title_zh=_text(entry["title"]["zh"]),
            title_en=_text(entry["title"]["en"]),
            reward_model=None if reward_model is None else _text(reward_model),
            threshold=None if threshold is None else _number(threshold),
            human_quantiles=tuple(map(_number, quantiles)) if quantiles else None,
        )
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        raise DeskError("card_unreadable", model=folder.name) from None


def load_cards(folder: Path) -> dict[str, Card]:
    """All models of a folder by name, in the order of their names; folders without a card are passed over."""
    cards = (read_card(readme.parent) for readme in sorted(folder.glob("*/README.md")))
    return {card.name: card for card in cards if card}


def policy_card(cards: dict[str, Card], name: str | None) -> Card:
    """The policy of that name, or the first one where none is asked for.

    Raises:
        DeskError: model_unknown (model, known) or no_model (none).
    """
    policies = {card.name: card for card in cards.values() if card.role == "policy"}
    if name is not None and name not in policies:
        raise DeskError("model_unknown", model=name, known=", ".join(policies) or "-")
    if not policies:
        raise DeskError("no_model")
    return policies[name] if name else next(iter(policies.values()))


def reward_card(cards: dict[str, Card], policy: Card) -> Card | None:
    """The reward model that belongs to a policy; None where its card names none.

    Raises:
        DeskError: model_unknown (model, known), where the named one is not in the folder.
    """
    if policy.reward_model is None:
        return None
    rewards = {card.name: card for card in cards.values() if card.role == "reward"}
    if policy.reward_model not in rewards:
        raise DeskError("model_unknown", model=policy.reward_model, known=", ".join(rewards) or "-")
    return rewards[policy.reward_model]


def verify(card: Card) -> None:
    """Make sure the file is the one that the card describes, byte for byte.

    Raises:
        DeskError: model_missing (model, file) or model_changed (model, file).
    """
    if not card.path.is_file():
        raise DeskError("model_missing", model=card.name, file=card.path.name)
    with card.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != card.sha256:
            raise DeskError("model_changed", model=card.name, file=card.path.name)
