"""The models on this machine: one folder each in `model_cards/`, described by the front matter of its README.md.

The front matter is a Hugging Face model card's; what the desk needs stands under its key `empathy_desk`.
"""

from __future__ import annotations

import hashlib
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


def _front_matter(readme: Path) -> dict[str, Any]:
    parts = readme.read_text("utf-8").split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ValueError("no front matter between two lines of ---")
    matter: dict[str, Any] = yaml.safe_load(parts[1])
    return matter


def read_card(folder: Path) -> Card:
    """The card of one model folder.

    Raises:
        DeskError: card_unreadable (model), where the front matter is missing or lacks a field.
    """
    try:
        entry = _front_matter(folder / "README.md")["empathy_desk"]
        quantiles = entry.get("human_quantiles")
        return Card(
            name=folder.name,
            role=entry["role"],
            path=folder / entry["file"],
            sha256=entry["sha256"],
            size_bytes=entry["size_bytes"],
            memory_mb=entry["memory_mb"],
            context_tokens=entry["context_tokens"],
            title_zh=entry["title"]["zh"],
            title_en=entry["title"]["en"],
            reward_model=entry.get("reward_model"),
            threshold=entry.get("threshold"),
            human_quantiles=tuple(quantiles) if quantiles else None,
        )
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        raise DeskError("card_unreadable", model=folder.name) from None


def load_cards(folder: Path) -> dict[str, Card]:
    """All models of a folder by name, in the order of their names."""
    return {readme.parent.name: read_card(readme.parent) for readme in sorted(folder.glob("*/README.md"))}


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
