"""Who comes next where several people wait for one engine."""

from __future__ import annotations

from typing import Generic, TypeVar

Job = TypeVar("Job")


class FairQueue(Generic[Job]):
    """People take turns: next is who has waited longest since a turn of theirs; of one person's jobs, the older.

    Not safe to share between threads without a lock.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Job]] = []
        self._turns: dict[int, int] = {}
        """When each person had a turn last, counted in turns."""
        self._turn = 0

    def put(self, person_id: int, job: Job) -> None:
        """Let a job of a person wait."""
        self._waiting.append((person_id, job))

    def take(self) -> Job:
        """The next job. Raises IndexError if there is none."""
        person_id, job = self._in_order()[0]
        self._waiting.remove((person_id, job))
        self._turn += 1
        self._turns[person_id] = self._turn
        return job

    def remove(self, job: Job) -> bool:
        """Let a job wait no longer; whether it did."""
        left = [(person_id, other) for person_id, other in self._waiting if other is not job]
        waited = len(left) < len(self._waiting)
        self._waiting = left
        return waited

    def place(self, job: Job) -> int | None:
        """How many come before a job, as things stand; None if it does not wait."""
        if not any(other is job for _, other in self._waiting):
            return None
        return [other for _, other in self._in_order()].index(job)

    def __len__(self) -> int:
        return len(self._waiting)

    def _in_order(self) -> list[tuple[int, Job]]:
        turns, turn = dict(self._turns), self._turn
        left, order = list(self._waiting), []
        while left:
            # min takes the first of equals: who came first.
            order.append(chosen := min(left, key=lambda waiting: turns.get(waiting[0], 0)))
            left.remove(chosen)
            turn += 1
            turns[chosen[0]] = turn
        return order
