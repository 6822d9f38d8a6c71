"""The models of a desk: chosen from the catalogue, verified, and the engine over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.catalog import Card, load_cards, policy_card, reward_card, verify
from app.engine.llama import LlamaEngine
from app.engine.protocol import Engine
from app.engine.remote import RemoteEngine
from app.settings import Settings


def choose(settings: Settings) -> tuple[Card, Card | None]:
    """The policy that the settings name and its reward model, if there is one; their files are verified.

    Where a server writes, the policy is the server's: the local one lends its card, without hash, and is not loaded.

    Raises:
        DeskError: as the catalogue does.
    """
    cards = load_cards(settings.models_dir)
    policy = policy_card(cards, settings.model)
    reward = reward_card(cards, policy)
    for card in (None if settings.engine_url else policy, reward):
        if card:
            verify(card)
    if settings.engine_url:
        name = settings.engine_model or "remote"
        policy = replace(policy, name=name, sha256="", title_zh=name, title_en=name)
    return policy, reward


def start(settings: Settings, policy: Card, reward: Card | None) -> Engine:
    """The engine that the settings ask for: over verified models, or a server's with the reward model here.

    Raises:
        DeskError: engine_url_refused, engine_key_refused.
    """
    if not settings.engine_url:
        return start_local(policy, reward, settings.candidates, settings.data_dir / "cache")
    key = settings.engine_key.get_secret_value() if settings.engine_key else None
    scorer = LlamaEngine(None, reward.path, reward_sha256=reward.sha256) if reward else None
    return RemoteEngine(settings.engine_url, settings.engine_model, key, scorer, candidates=settings.candidates)


def start_local(policy: Card, reward: Card | None, candidates: int, cache: Path | None = None) -> LlamaEngine:
    """The engine over verified models; it checks their sums again whenever it starts its process anew."""
    return LlamaEngine(
        policy.path,
        reward.path if reward else None,
        policy.context_tokens,
        candidates,
        policy_sha256=policy.sha256,
        reward_sha256=reward.sha256 if reward else None,
        cache=cache,
    )
