"""The sentences of a layer or an answer as a reader sees them: what is quoted inside one does not end it."""

from __future__ import annotations

from app.safety.lint_form import QUOTED, Span
from app.safety.lint_form import sentences as ended

CONTINUES = "，、：；—”」』）),:;"
"""A sentence does not begin with one of these: “凭什么！”，他说。"""


def sentences(text: str) -> list[Span]:
    """[start, end) of every sentence, each with the marks that end it; between them lies white space."""
    quotes = [match.span() for match in QUOTED.finditer(text)]
    found: list[Span] = []
    for start, end in ended(text):
        inside = any(first < start < last for first, last in quotes)
        if found and (inside or text[start] in CONTINUES):
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
