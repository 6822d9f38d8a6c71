"""An engine without a model, for tests: it says what it was given, in the order and with the events of a real one."""

from __future__ import annotations

import itertools
import math
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence

from app.chain import Piece
from app.engine.protocol import (
    MAX_CANDIDATES,
    Closed,
    Delta,
    Event,
    Finished,
    Reading,
    Sampling,
    Script,
    Section,
    Status,
)
from app.errors import DeskError

PARTS = {
    "L1": "来信人感到委屈和疲惫，因为加班到很晚，回家后又被家人指责。",
    "L2": "她可能相信只有把每个人都照顾好才值得被爱，休息的需要一直没有被看见。",
    "L3": "她说想知道该不该辞职，没有说出口的是希望有人先听懂她的累。",
    "L4": "先接住委屈，再一起看清哪些责任不是她的，建议这周只试一次说不，避开替她做决定。",
    "answer": "读到你深夜一个人回家的那一段，我想你一定累了很久。先不急着决定辞不辞职，这一周可以只试一件小事。",
}
CHUNK_CHARS = 4
VECTOR_SIZE = 64
PATIENCE_S = 30.0


class Gate:
    """Holds a generation before its next event until a test lets it through, so that no test has to sleep."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._allowed = 0.0
        self._asked = 0

    def step(self, events: int = 1) -> None:
        """Let that many more events through."""
        with self._changed:
            self._allowed += events
            self._changed.notify_all()

    def open(self) -> None:
        """Let everything through from now on."""
        with self._changed:
            self._allowed = math.inf
            self._changed.notify_all()

    def wait_until_held(self) -> None:
        """Return when all allowed events have been taken in and the generation stands at the gate.

        Raises:
            TimeoutError: if it does not come to that.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._asked > self._allowed, PATIENCE_S):
                raise TimeoutError("the generation did not reach the gate")

    def pass_through(self, stopped: threading.Event) -> None:
        """Called by the engine before each event; waits for its turn or for a stop."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._asked <= self._allowed or stopped.is_set())

    def wake(self) -> None:
        """Called by the engine after a stop."""
        with self._changed:
            self._changed.notify_all()


class ScriptedEngine:
    """Implements `protocol.Engine`.

    Args:
        parts: text per section; `PARTS` stands in for what is missing.
        gate: holds every event until it is let through.
        errors: what a section raises when it would begin.
        candidates: the most that are written in step.
    """

    def __init__(
        self,
        parts: Mapping[str, str] | None = None,
        *,
        gate: Gate | None = None,
        errors: Mapping[str, DeskError] | None = None,
        candidates: int = MAX_CANDIDATES,
    ):
        self.candidates = candidates
        self._parts = {**PARTS, **(parts or {})}
        self._gate = gate
        self._errors = dict(errors or {})
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._generating = False

    def status(self) -> Status:
        """Always ready."""
        return Status("ready")

    def generate(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        """The given parts in small deltas, two `Reading` before them; counts are of characters.

        Every candidate but the first begins its sections with its number, so that they can be told apart.
        """
        with self._turn:
            self._stopped.clear()
            self._generating = True
            try:
                yield from self._generate(sum(len(piece.text) for piece in prompt), script, len(samplings))
            finally:
                self._generating = False

    def read_ahead(self, prompt: Sequence[Piece]) -> None:
        """Nothing is gained by it here."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Counts of hashed characters and pairs of them: equal texts score 1, texts that share words score high."""
        return [_vector(text) for text in texts]

    def stop(self) -> None:
        """End the running generation before its next event."""
        if self._generating:
            self._stopped.set()
            if self._gate:
                self._gate.wake()

    def close(self) -> None:
        """Nothing to free; a held generation is stopped."""
        self.stop()

    def _generate(self, prompt_chars: int, script: Script, candidates: int) -> Iterator[Event]:
        chars = 0
        for event in self._events(prompt_chars, script, candidates):
            if self._gate:
                self._gate.pass_through(self._stopped)
            if self._stopped.is_set():
                break
            chars += len(event.text) if isinstance(event, Delta) else 0
            yield event
        yield Finished(self._stopped.is_set(), prompt_chars, 0.1, 0.1, chars, 0.1)

    def _events(self, prompt_chars: int, script: Script, candidates: int) -> Iterator[Event]:
        yield Reading(0, prompt_chars)
        yield Reading(prompt_chars, prompt_chars)
        for section in script:
            if not isinstance(section, Section):
                continue
            if section.name in self._errors:
                raise self._errors[section.name]
            for candidate in range(candidates):
                text = (f"（{candidate + 1}）" if candidate else "") + self._parts[section.name]
                for start in range(0, len(text), CHUNK_CHARS):
                    yield Delta(section.name, text[start : start + CHUNK_CHARS], candidate)
                yield Closed(section.name, capped=False, candidate=candidate)


def _vector(text: str) -> list[float]:
    counts = [0.0] * VECTOR_SIZE
    for gram in itertools.chain(text, map("".join, itertools.pairwise(text))):
        counts[zlib.crc32(gram.encode("utf-8", "replace")) % VECTOR_SIZE] += 1.0
    length = math.hypot(*counts) or 1.0
    return [count / length for count in counts]
