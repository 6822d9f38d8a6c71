"""What goes over the pipes between the desk and its engine child: one JSON object a line, never a pickle.

To the child: {"op": "generate", "id", "prompt", "script", "sampling"}, {"op": "embed", "id", "texts"},
{"op": "stop", "id"}. From the child: {"event": "loading"} ..., {"event": "ready"}; then for a request the events of
`protocol` under their class names, ending with Finished, or "vectors" ..., ending with "embedded"; and at any time
{"event": "error", "code", "values"}, which ends the request.
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


def generate_message(request: int, prompt: Sequence[Piece], script: Script, sampling: Sampling) -> Message:
    """A generation for the pipe: pieces as objects, forced text as a string, a section as an object."""
    return {
        "op": "generate",
        "id": request,
        "prompt": [asdict(piece) for piece in prompt],
        "script": [step if isinstance(step, str) else asdict(step) for step in script],
        "sampling": asdict(sampling),
    }


def read_generate(message: Message) -> tuple[tuple[Piece, ...], Script, Sampling]:
    """Inverse of `generate_message`, without the number."""
    prompt = tuple(Piece(**piece) for piece in message["prompt"])
    script = tuple(step if isinstance(step, str) else Section(**step) for step in message["script"])
    return prompt, script, Sampling(**message["sampling"])


def vectors_message(count: int, floats: bytes) -> Message:
    """A few vectors as base64 of their float32 values: digits would cost more time than the model does."""
    return {"event": "vectors", "count": count, "floats": base64.b64encode(floats).decode()}


def read_vectors(message: Message) -> list[list[float]]:
    """Inverse of `vectors_message`: (count, H)."""
    floats = array("f", base64.b64decode(message["floats"]))
    size = len(floats) // message["count"]
    return [floats[start : start + size].tolist() for start in range(0, len(floats), size)]
