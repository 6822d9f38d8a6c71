"""The addresses of the desk. Apart from the pages themselves, so that the gate stands before gradio is imported."""

from __future__ import annotations

from pathlib import Path

from app.web.words import WORDS, Language

PAGES = ("draft", "history", "review", "data", "ranking")
STATIC = Path(__file__).parent / "static"


def path(language: Language, page: str) -> str:
    """Where a page is mounted."""
    return f"/{language}/{page}"


MOUNTS = tuple(path(language, page) for language in WORDS for page in PAGES)
FILES = ("/", "/favicon.ico", *(f"/static/{file.name}" for file in sorted(STATIC.iterdir())))
"""Single addresses beside the pages."""
