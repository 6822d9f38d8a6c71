"""What a teacher has answered and what that cost: a line of JSON a reply, on the disk before anything builds on it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

from training.recipe import RecipeError, SynthesizeRecipe
from training.teacher import Reason


@dataclass(frozen=True)
class Reply:
    """One line of `replies.jsonl`: a reply of the teacher, what it cost, and its chain or why it has none."""

    id: str
    model: str
    reason: Reason | None
    advice: str
    input_tokens: int
    output_tokens: int
    cost: float
    chain: dict[str, str] | None


class Stopped(Exception):
    """No further request may be sent."""


class Ledger:
    """The replies so far and what may still be spent; safe to use from several threads.

    Raises:
        RecipeError: if the file at `path` holds replies of another model.
    """

    def __init__(self, path: Path, settings: SynthesizeRecipe):
        self.replies: list[Reply] = []
        self.refused: set[str] = set()
        self._path = path
        self._max_cost = settings.max_cost
        self._under_way: list[float] = []
        self._stopped = False
        self._changed = Condition()
        if path.exists():
            lines, end, _ = path.read_bytes().rpartition(b"\n")
            # A kill in the middle of a line leaves it without its end.
            os.truncate(path, len(lines + end))
            self.replies = [Reply(**json.loads(line)) for line in lines.split(b"\n") if line]
        for model in {reply.model for reply in self.replies} - {settings.model}:
            raise RecipeError(f"{path} holds replies of {model}, not of {settings.model}; give another --run.")

    def of(self, name: str) -> list[Reply]:
        """The replies about one post, in order."""
        return [reply for reply in self.replies if reply.id == name]

    def reserve(self, cost: float) -> None:
        """Set aside the most that a request can cost; waits while requests under way may leave enough.

        Raises:
            Stopped: if it is more than is left, or the run was stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._under_way or self._fits(cost))
            if self._stopped or not self._fits(cost):
                raise Stopped
            self._under_way.append(cost)

    def _fits(self, cost: float) -> bool:
        return sum(reply.cost for reply in self.replies) + sum(self._under_way) + cost <= self._max_cost

    def release(self, cost: float, reply: Reply | None) -> None:
        """Give back what was set aside, and keep the reply, if one came."""
        with self._changed:
            self._under_way.remove(cost)
            if reply:
                with self._path.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(vars(reply), ensure_ascii=False) + "\n")
                    lines.flush()
                    os.fsync(lines.fileno())
                self.replies.append(reply)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no further request begin."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
