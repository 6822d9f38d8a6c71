"""The systems that a round can rank beside imported answers: what drafts here, and the catalogue's other models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext

from app.catalog import Card, load_cards, verify
from app.engine.protocol import Engine
from app.models import start_local
from app.settings import Settings
from storage.ranking_records import NewSystem, System


class Systems:
    """What can be chosen, by name, and the engine behind each."""

    def __init__(self, settings: Settings, engine: Engine, policy: Card):
        """Of a desk whose `engine` drafts with `policy`."""
        self._engine = engine
        self._policy = policy
        cards = load_cards(settings.models_dir)
        self._others = {
            card.name: card for card in cards.values() if card.role == "policy" and card.name != policy.name
        }
        self._remote = bool(settings.engine_url)

    def choices(self) -> Sequence[NewSystem]:
        """The desk's own first."""
        own = NewSystem(self._policy.name, "remote" if self._remote else "model", self._policy.sha256)
        return [own, *(NewSystem(card.name, "model", card.sha256) for card in self._others.values())]

    def open(self, system: System) -> AbstractContextManager[Engine]:
        """The engine of a system: the desk's own, shared with its counselors, or another for as long as it is needed.

        Raises:
            DeskError: as the catalogue does, if a model's file is missing or has changed.
        """
        card = self._others.get(system.name)
        if card is None:
            return nullcontext(self._engine)
        verify(card)
        return closing(start_local(card, None, 1))
