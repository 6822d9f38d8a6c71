from __future__ import annotations

from array import array

import pytest

from app.chain import prompt_pieces
from app.engine import wire
from app.engine.protocol import Closed, Delta, Event, Finished, Reading, Sampling
from tests.app.engine.drafts import response_script

ODD_TEXT = 'a\n\u2028\u0085\0"\\ \ud800 👨‍👩‍👧'


@pytest.mark.parametrize(
    "event", [Reading(1, 2), Delta("L1", ODD_TEXT), Closed("L1", True), Finished(False, 1, 0.5, 0.25, 3, 1.5)]
)
def test_an_event_survives_the_pipe_as_one_line(event: Event) -> None:
    line = wire.to_line(wire.event_message(event))
    assert line.count(b"\n") == 1 and line.isascii()
    assert wire.read_event(wire.from_line(line)) == event


def test_a_request_survives_the_pipe() -> None:
    request = (prompt_pieces(ODD_TEXT), response_script(), (Sampling(3, temperature=0.5), Sampling(4)))
    line = wire.to_line(wire.generate_message(1, *request))
    assert wire.read_generate(wire.from_line(line)) == request


def test_vectors_survive_the_pipe() -> None:
    vectors = [[1.0, -0.5, 0.25], [0.0, 2.0, 3.0]]
    message = wire.vectors_message(2, array("f", sum(vectors, [])).tobytes())
    assert wire.read_vectors(wire.from_line(wire.to_line(message))) == vectors
