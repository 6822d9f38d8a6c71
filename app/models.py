"""The models of a desk: chosen from the catalogue, verified, and the engine over them."""

from __future__ import annotations

from app.catalog import Card, load_cards, policy_card, reward_card, verify
from app.engine.llama import LlamaEngine
from app.settings import Settings


def choose(settings: Settings) -> tuple[Card, Card | None]:
    """The policy that the settings name and its reward model, if there is one; their files are verified.

    Raises:
        DeskError: as the catalogue does.
    """
    cards = load_cards(settings.models_dir)
    policy = policy_card(cards, settings.model)
    reward = reward_card(cards, policy)
    for card in filter(None, (policy, reward)):
        verify(card)
    return policy, reward


def start(policy: Card, reward: Card | None) -> LlamaEngine:
    """The engine over verified models; it checks their sums again whenever it starts its process anew."""
    return LlamaEngine(
        policy.path,
        reward.path if reward else None,
        policy.context_tokens,
        policy_sha256=policy.sha256,
        reward_sha256=reward.sha256 if reward else None,
    )
