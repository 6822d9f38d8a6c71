"""People take turns, whoever asks more often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fair_queue import FairQueue


def test_who_asks_twice_does_not_come_twice_before_another() -> None:
    queue: FairQueue[str] = FairQueue()
    for person, job in ((1, "a1"), (1, "a2"), (2, "b1"), (3, "c1")):
        queue.put(person, job)
    assert [queue.place(job) for job in ("a1", "b1", "c1", "a2")] == [0, 1, 2, 3]
    assert queue.take() == "a1"
    queue.put(1, "a3")
    assert [queue.take() for _ in range(len(queue))] == ["b1", "c1", "a2", "a3"]


def test_a_job_taken_back_waits_no_longer() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.put(1, "a")
    queue.put(2, "b")
    assert queue.remove("a") and not queue.remove("a")
    assert queue.place("a") is None and queue.place("b") == 0
    assert queue.take() == "b" and not queue
    with pytest.raises(IndexError):
        queue.take()


@given(st.lists(st.one_of(st.integers(0, 3), st.none()), max_size=30))
def test_places_come_true_and_nobody_waits_for_two_turns_of_another(steps: list[int | None]) -> None:
    queue: FairQueue[int] = FairQueue()
    owner: dict[int, int] = {}
    for number, person in enumerate(steps):
        if person is not None:
            queue.put(person, number)
            owner[number] = person
        elif queue:
            assert queue.place(queue.take()) is None
    places = {job: queue.place(job) for job in owner}
    order = sorted((job for job, place in places.items() if place is not None), key=lambda job: places[job])
    taken = [queue.take() for _ in range(len(queue))]
    assert taken == order
    people = [owner[job] for job in taken]
    for person in set(people):
        before = people[: people.index(person)]
        assert len(before) == len(set(before))
