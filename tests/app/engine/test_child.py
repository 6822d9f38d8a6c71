"""The child process seen from its pipes, and the pure parts of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.engine import wire
from app.engine.child import joined
from app.engine.protocol import Closed, Delta, Event, Finished, Reading, Sampling, Section
from tests.app.engine.drafts import POST


def start_child(policy: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.engine.child", "4096", "2", str(policy), "", "", "", ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_the_child_ends_when_its_parent_goes_away(policy: Path) -> None:
    with start_child(policy) as child:
        assert child.stdin and child.stdout
        assert wire.from_line(child.stdout.readline()) == {"event": "ready"}
        child.stdin.close()
        assert child.wait(timeout=30) == 0


def test_an_unforeseen_error_names_its_place_and_quotes_no_text(policy: Path) -> None:
    with start_child(policy) as child:
        assert child.stdin and child.stdout and child.stderr
        assert wire.from_line(child.stdout.readline()) == {"event": "ready"}
        # A script that no caller of ours can make: two sections with nothing forced between them.
        script = (Section(POST, 1), Section(POST, 1))
        child.stdin.write(wire.to_line(wire.generate_message(1, (), script, [Sampling(0)])))
        child.stdin.flush()
        error = wire.from_line(child.stdout.readline())
        assert error["code"] == "engine_crashed" and error["values"]["exit"].startswith("ValueError decode.py:")
        assert child.stdout.read() == b"" and child.stderr.read() == b""
        assert child.wait(timeout=30) != 0


def test_joined_deltas_lose_no_text_and_keep_their_order() -> None:
    letters = [Delta("L1", letter) for letter in POST]
    events: list[Event] = [Reading(1, 1), *letters, Closed("L1", False), Delta("L2", "啊"), Closed("L2", True)]
    end = Finished(False, 1, 0.0, 0.0, 1, 0.0)
    got = list(joined(iter([*events, end])))
    assert len(got) < len(events)
    assert "".join(event.text for event in got if isinstance(event, Delta) and event.section == "L1") == POST
    assert [event for event in got if not isinstance(event, Delta)] == [
        Reading(1, 1),
        Closed("L1", False),
        Closed("L2", True),
        end,
    ]
    assert got[-3] == Delta("L2", "啊")


def test_a_candidate_that_closes_a_section_leaves_the_others_text_to_be_joined() -> None:
    turns = [Delta("L1", letter, candidate) for letter in POST for candidate in range(3)]
    events: list[Event] = [*turns, Closed("L1", False, 1), Delta("L2", "啊", 1), Finished(False, 1, 0.0, 0.0, 1, 0.0)]
    got = list(joined(iter(events)))
    for candidate in range(3):
        mine = [event for event in got if isinstance(event, Delta) and event.candidate == candidate]
        assert "".join(event.text for event in mine) == POST + ("啊" if candidate == 1 else "")
    closed = got.index(Closed("L1", False, 1))
    before = [event.text for event in got[:closed] if isinstance(event, Delta) and event.candidate == 1]
    assert "".join(before) == POST
