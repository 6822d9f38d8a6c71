"""What goes over the pipes between the desk and its engine child: one JSON object a line, never a pickle.

To the child: {"op": "generate", "id", "prompt", "script", "samplings"}, {"op": "read", "id", "prompt"},
{"op": "embed", "id", "texts"}, {"op": "stop", "id"}. From the child: {"event": "loading"} ..., {"event": "ready"}; then
for a request the events of `protocol` under their class names, ending with Finished, or "vectors" ..., ending with
"embedded"; nothing for "read" but {"event": "nudge"}, a sign of life; and at any time {"event": "error", "code",
"values"}, which ends the request.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.chain import Piece
from app.engine.protocol import Closed, Delta, Event, Finished, Reading, Sampling, Script, Section

Message = dict[str, Any]
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in (Reading, Delta, Closed, Finished)}


def to_line(message: Message) -> bytes:
    """ASCII only, so that a lone surrogate in a text survives the way and no text can hold a line break."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Message:
    """Inverse of `to_line`."""
    message: Message = json.loads(line)
    return message


def event_message(event: Event) -> Message:
    """An event for the pipe."""
    return {"event": type(event).__name__, **asdict(event)}


def read_event(message: Message) -> Event:
    """Inverse of `event_message`."""
    values = dict(message)
    return _EVENTS[values.pop("event")](**values)


NUDGE: Message = {"event": "nudge"}
"""Says nothing, and is passed over by whoever waits for an answer."""


def generate_message(request: int, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Message:
    """A generation for the pipe: pieces as objects, forced text as a string, a section as an object."""
    return {
        "op": "generate",
        "id": request,
        "prompt": [asdict(piece) for piece in prompt],
        "script": [step if isinstance(step, str) else asdict(step) for step in script],
        "samplings": [asdict(sampling) for sampling in samplings],
    }


def read_generate(message: Message) -> tuple[tuple[Piece, ...], Script, tuple[Sampling, ...]]:
    """Inverse of `generate_message`, without the number."""
    script = tuple(step if isinstance(step, str) else Section(**step) for step in message["script"])
    return read_prompt(message), script, tuple(Sampling(**sampling) for sampling in message["samplings"])


def prompt_message(request: int, prompt: Sequence[Piece]) -> Message:
    """A prompt to be read ahead, for the pipe."""
    return {"op": "read", "id": request, "prompt": [asdict(piece) for piece in prompt]}


def read_prompt(message: Message) -> tuple[Piece, ...]:
    """The prompt of a message."""
    return tuple(Piece(**piece) for piece in message["prompt"])


def vectors_message(count: int, floats: bytes) -> Message:
    """A few vectors as base64 of their float32 values: digits would cost more time than the model does."""
    return {"event": "vectors", "count": count, "floats": base64.b64encode(floats).decode()}


def read_vectors(message: Message) -> list[list[float]]:
    """Inverse of `vectors_message`: (count, H)."""
    floats = array("f", base64.b64decode(message["floats"]))
    size = len(floats) // message["count"]
    return [floats[start : start + size].tolist() for start in range(0, len(floats), size)]
