"""What every engine promises, asked of each implementation."""

from __future__ import annotations

import math

import pytest

from app.chain import SECTIONS, parse, prompt_pieces
from app.engine.llama import LlamaEngine
from app.engine.protocol import Closed, Delta, Engine, Finished, Reading, Sampling
from app.engine.scripted import ScriptedEngine
from tests.app.engine.drafts import OTHER_POST, POST, response_script, written


@pytest.fixture(params=["llama", "scripted"])
def any_engine(request: pytest.FixtureRequest, engine: LlamaEngine) -> Engine:
    return engine if request.param == "llama" else ScriptedEngine()


def test_events_come_in_the_order_of_the_script(any_engine: Engine) -> None:
    events = list(any_engine.generate(prompt_pieces(POST), response_script(), [Sampling(3)]))
    readings = [event for event in events if isinstance(event, Reading)]
    assert events[: len(readings)] == readings and readings[-1].done_tokens == readings[-1].total_tokens
    assert isinstance(events[-1], Finished) and not events[-1].stopped
    sections = [event for event in events if isinstance(event, Delta | Closed)]
    seen = iter(SECTIONS)
    expected = next(seen)
    for event in sections:
        assert event.section == expected
        if isinstance(event, Closed):
            expected = next(seen, "")
    assert expected == "" and len(events) == len(readings) + len(sections) + 1
    assert parse(written(events))


def test_the_engine_is_ready_after_a_generation(any_engine: Engine) -> None:
    list(any_engine.generate(prompt_pieces(POST), response_script(), [Sampling(3)]))
    assert any_engine.status().state == "ready"


def test_vectors_have_unit_length_and_keep_the_order(any_engine: Engine) -> None:
    vectors = any_engine.embed([POST, OTHER_POST, POST, ""])
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-5) for vector in vectors[:3])
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-3) and vectors[0] != pytest.approx(vectors[1], abs=1e-3)
    assert len(vectors) == 4 and len({len(vector) for vector in vectors}) == 1


def test_no_texts_give_no_vectors(any_engine: Engine) -> None:
    assert any_engine.embed([]) == []
