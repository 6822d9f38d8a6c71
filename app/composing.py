"""A whole response from an engine, for who stores nothing: events, or the finished text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from app.chain import SECTIONS, FormatError, Response, prompt_pieces
from app.engine.protocol import Delta, Engine, Event, Finished, Sampling
from app.errors import DeskError
from app.script import response_script


def compose(engine: Engine, post: str, sampling: Sampling) -> Iterator[Event]:
    """Let the engine read a post and write a whole response."""
    return engine.generate(prompt_pieces(post), response_script(), [sampling])


def compose_whole(engine: Engine, post: str, sampling: Sampling) -> tuple[Response, dict[str, int | float]]:
    """`compose` for who cannot watch: the response and its timings.

    Raises:
        DeskError: response_malformed (section), or what the engine raises.
    """
    parts: dict[str, str] = {}
    timings: dict[str, int | float] = {}
    for event in compose(engine, post, sampling):
        if isinstance(event, Delta):
            parts[event.section] = parts.get(event.section, "") + event.text
        elif isinstance(event, Finished):
            timings = timings_of(event)
    return complete(parts), timings


def complete(parts: Mapping[str, str]) -> Response:
    """The written sections as a response.

    Raises:
        DeskError: response_malformed (section), when the model wrote nothing into a section.
    """
    try:
        return Response(**{name: parts.get(name, "").strip() for name in SECTIONS})
    except FormatError as broken:
        raise DeskError("response_malformed", section=broken.section) from broken


def timings_of(finished: Finished) -> dict[str, int | float]:
    """What the engine measured, as it is stored with a draft."""
    return {name: value for name, value in asdict(finished).items() if name != "stopped"}
