"""From text to `Response`, strictly: exactly one well-formed block, nothing before or after it."""

from __future__ import annotations

import re

from app.chain.spec import FormatError, Response, frame


def _pattern() -> re.Pattern[str]:
    # White space between two tags is free; inside a section everything but '<' is free.
    parts = []
    for fixed, name in frame():
        parts.append(r"\s*".join(re.escape(tag) for tag in fixed.split("\n")))
        if name:
            parts.append(f"(?P<{name}>[^<]*)")
    return re.compile(r"\s*" + "".join(parts) + r"\s*")


_RESPONSE = _pattern()


def parse(text: str) -> Response:
    """Read one response.

    Raises:
        FormatError: if a tag is missing, doubled or out of order, a section is empty, or text stands outside the tags.
    """
    match = _RESPONSE.fullmatch(text)
    if match is None:
        raise FormatError("response", "the tags must appear once each, in order, with nothing outside them")
    return Response(**{name: part.strip() for name, part in match.groupdict().items()})


def format_reward(text: str) -> float:
    """r_format of arXiv:2509.14851, section 3.3: 1 if the text parses, else 0."""
    try:
        parse(text)
    except FormatError:
        return 0.0
    return 1.0
