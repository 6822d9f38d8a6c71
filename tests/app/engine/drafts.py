"""Scripts and readings of event streams that the engine tests share."""

from __future__ import annotations

from collections.abc import Iterable

from app.chain import frame
from app.engine.protocol import Delta, Event, Script, Section

POST = "最近总是睡不着，和同事相处很累，不知道该怎么办。"
OTHER_POST = "孩子上了初中以后不愿意和我说话，我很担心。"


def response_script(max_tokens: int = 60) -> Script:
    """The format with the same cap for every section."""
    return tuple(part for fixed, name in frame() for part in ((fixed, Section(name, max_tokens)) if name else (fixed,)))


def long_script(sections: int = 380) -> Script:
    """Writes for seconds, so that a test can act in the middle of it."""
    return tuple(part for number in range(sections) for part in ("<L1>", Section(f"part {number}", 40)))


def by_candidate(events: Iterable[Event], number: int) -> list[Event]:
    """The text of one candidate."""
    return [event for event in events if isinstance(event, Delta) and event.candidate == number]


def parts(events: Iterable[Event]) -> dict[str, str]:
    """The text of each section."""
    texts: dict[str, str] = {}
    for event in events:
        if isinstance(event, Delta):
            texts[event.section] = texts.get(event.section, "") + event.text
    return texts


def written(events: Iterable[Event]) -> str:
    """The response as one text, tags included."""
    texts = parts(events)
    return "".join(fixed + texts.get(name, "") for fixed, name in frame())
