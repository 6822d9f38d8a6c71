"""The telephone lines of `help_lines.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class HelpLine:
    """One line: its number as it is dialled, its names, the region it serves (ISO 3166) and its hours as published."""

    number: str
    zh: str
    en: str
    region: str
    hours: str


@cache
def help_lines() -> tuple[HelpLine, ...]:
    """All lines, in the order of the file."""
    values = tomllib.loads(Path(__file__).with_name("help_lines.toml").read_text("utf-8"))
    return tuple(HelpLine(**line) for line in values["line"])
