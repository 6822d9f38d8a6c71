"""Answers for a round, drafted in the background, one system after the other; what has been written is kept.

Imported answers are there from the start; planted ones are made of others once these are there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from app.chain import ANSWER_TAG, post_text
from app.composing import compose
from app.engine.protocol import Delta, Engine, Finished, Sampling
from app.errors import DeskError
from app.intake import accept_section
from app.ranking.order import draw
from storage.errors import StorageError
from storage.ranking_records import Item, Round, System
from storage.store import Store

OpenEngine = Callable[[System], AbstractContextManager[Engine]]
"""Brings up what writes for a system, and lets it go: the desk's own engine, or one of another model or server."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answering:
    """How the drafting of a round's answers stands; how many there are is for the store to say."""

    state: Literal["idle", "running", "paused", "failed"]
    error: DeskError | None = None


class Answerer:
    """Drafts what rounds in set-up lack, on a thread of its own. Every method may be called from any thread.

    A pause takes effect after the answer that is being written: the engine may be the one counselors draft with.
    """

    def __init__(self, store: Store, open_engine: OpenEngine):
        self._store = store
        self._open_engine = open_engine
        self._changed = threading.Condition()
        self._wanted: list[Round] = []
        self._states: dict[int, Answering] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="answerer", daemon=True)
        self._thread.start()

    def start(self, chosen: Round) -> None:
        """Draft what the round lacks; also after a pause, a failure or a restart of the desk."""
        with self._changed:
            if self.state(chosen.id).state != "running":
                self._wanted.append(chosen)
                self._states[chosen.id] = Answering("running")
                self._changed.notify_all()

    def pause(self, round_id: int) -> None:
        """Write no more than the answer that is being written."""
        with self._changed:
            if self.state(round_id).state == "running":
                self._states[round_id] = Answering("paused")
                self._wanted = [one for one in self._wanted if one.id != round_id]
                self._changed.notify_all()

    def state(self, round_id: int) -> Answering:
        """Where a round stands; idle where nothing was asked for, or all is written."""
        with self._changed:
            return self._states.get(round_id, Answering("idle"))

    def close(self) -> None:
        """Begin nothing more. An answer that is being written is lost with the engine, and drafted again later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, round_id: int, timeout_s: float) -> Answering:
        """Return when the round is not running any more, or after a while."""
        with self._changed:
            self._changed.wait_for(lambda: self.state(round_id).state != "running", timeout_s)
            return self.state(round_id)

    def _work(self) -> None:
        while (chosen := self._next()) is not None:
            try:
                self._draft(chosen)
                ended = Answering("idle")
            except (DeskError, StorageError) as error:
                ended = Answering("failed", DeskError(error.code, **error.values))
            except Exception as error:  # the desk must outlive whatever one round does to it
                _log.error("answers of round %s failed: %s", chosen.id, type(error).__name__)
                ended = Answering("failed", DeskError("internal"))
            with self._changed:
                if self.state(chosen.id).state == "running" and chosen not in self._wanted:
                    self._states[chosen.id] = ended
                self._changed.notify_all()

    def _next(self) -> Round | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closed)
            return None if self._closed else self._wanted.pop(0)

    def _draft(self, chosen: Round) -> None:
        missing = self._store.ranking.missing(chosen.id)
        written = [(item, system) for item, system in missing if item.planted_system_id != system.id]
        for system in dict.fromkeys(system for _, system in written):
            if not self._goes_on(chosen.id):
                return
            with self._open_engine(system) as engine:
                left = [item for item, other in written if other == system]
                while left and self._goes_on(chosen.id):
                    began = time.monotonic()
                    text = _answer(engine, chosen, left[0])
                    if text is None:
                        continue
                    self._store.ranking.add_answer(chosen.id, left[0].id, system.id, text, time.monotonic() - began)
                    left.pop(0)
        if self._goes_on(chosen.id):
            for item, system in missing:
                if item.planted_system_id == system.id:
                    self._plant(chosen, item, system)

    def _plant(self, chosen: Round, item: Item, system: System) -> None:
        """A copy is of another system's answer to this post; off topic is this system's to one of another topic."""
        items, answers = self._store.ranking.written(chosen.id)
        if item.check == "copy":
            texts = [answer.text for answer in answers if answer.item_id == item.id]
        else:
            others = [other for other in items if other.check is None]
            fit = {other.id for other in others if other.topic != item.topic} or {other.id for other in others}
            texts = [answer.text for answer in answers if answer.system_id == system.id and answer.item_id in fit]
        text = texts[draw(chosen.seed, "copied", item.id) % len(texts)]
        self._store.ranking.add_answer(chosen.id, item.id, system.id, text, None)

    def _goes_on(self, round_id: int) -> bool:
        with self._changed:
            return not self._closed and self.state(round_id).state == "running"


def _answer(engine: Engine, chosen: Round, item: Item) -> str | None:
    """The answer of a whole response, as it would be drafted for a counselor; None if somebody's stop cut it off.

    Raises:
        DeskError: section_empty (section), or what the engine raises.
    """
    post = post_text(item.post.title, item.post.description)
    sampling = Sampling(seed=draw(chosen.seed, "answer", item.id) % 2**31)
    text, stopped = "", False
    for event in compose(engine, post, sampling):
        if isinstance(event, Delta) and event.section == ANSWER_TAG:
            text += event.text
        elif isinstance(event, Finished):
            stopped = event.stopped
    return None if stopped else accept_section(ANSWER_TAG, text)
