"""The telephone lines of `help_lines.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

MAX_AGE_DAYS = 180
"""How long a line may go without somebody reading its source again."""


@dataclass(frozen=True)
class HelpLine:
    """One line: the number as it is dialled, its names, the regions it serves (ISO 3166), its hours as published, and
    where and when that was last read."""

    number: str
    zh: str
    en: str
    region: str
    hours: str
    source: str
    verified_on: date


@cache
def help_lines() -> tuple[HelpLine, ...]:
    """All lines, in the order of the file."""
    values = tomllib.loads(Path(__file__).with_name("help_lines.toml").read_text("utf-8"))
    return tuple(HelpLine(**line) for line in values["line"])
