"""The stand-in engine: that tests can hold it, stop it and make it fail."""

from __future__ import annotations

import threading

import pytest

from app.chain import prompt_pieces
from app.engine.protocol import Delta, Event, Finished, Sampling
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from tests.app.engine.drafts import POST, parts, response_script


def follow(engine: ScriptedEngine, into: list[Event]) -> threading.Thread:
    """Take in a generation on another thread."""
    events = engine.generate(prompt_pieces(POST), response_script(), [Sampling(0)])
    thread = threading.Thread(target=lambda: into.extend(events))
    thread.start()
    return thread


def test_it_writes_what_it_was_given() -> None:
    events = ScriptedEngine({"L2": "别的假设。"}).generate(prompt_pieces(POST), response_script(), [Sampling(0)])
    assert parts(events) == {**PARTS, "L2": "别的假设。"}


def test_a_gate_holds_it_until_it_is_let_through() -> None:
    gate, events = Gate(), []
    thread = follow(ScriptedEngine(gate=gate), events)
    gate.step(3)
    gate.wait_until_held()
    assert len(events) == 3 and isinstance(events[-1], Delta)
    gate.open()
    thread.join()
    assert parts(events) == PARTS


def test_a_stop_ends_a_held_generation() -> None:
    gate, events = Gate(), []
    engine = ScriptedEngine(gate=gate)
    thread = follow(engine, events)
    gate.step(4)
    gate.wait_until_held()
    engine.stop()
    thread.join()
    assert isinstance(events[-1], Finished) and events[-1].stopped and len(events) == 5


def test_it_fails_where_it_is_told_to() -> None:
    engine = ScriptedEngine(errors={"L3": DeskError("engine_crashed", exit="SIGSEGV")})
    seen = []
    with pytest.raises(DeskError, match="engine_crashed"):
        for event in engine.generate(prompt_pieces(POST), response_script(), [Sampling(0)]):
            seen.append(event)
    assert set(parts(seen)) == {"L1", "L2"}


def test_its_vectors_tell_near_from_far() -> None:
    engine = ScriptedEngine()
    post, near, far = engine.embed([POST, POST + "真的很累。", "周末去爬山看了日出"])
    assert sum(a * b for a, b in zip(post, near, strict=True)) > sum(a * b for a, b in zip(post, far, strict=True))
