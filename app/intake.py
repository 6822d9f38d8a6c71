"""The one door through which text enters: what a person typed or pasted becomes text that every later step can hold.

It changes what cannot be seen and nothing that can be read. It does not judge, mask or shorten.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from app.chain import neutral
from app.errors import DeskError

MAX_POST_CHARS = 100_000
MAX_SECTION_CHARS = 20_000
MAX_REASON_CHARS = 2_000
MAX_NAME_CHARS = 40

_LINE_ENDS = re.compile("\r\n|[\r\u0085\u2028\u2029]")
# Controls but \n and \t, bidi controls (they make text read differently from what is stored), byte order marks.
# ZWJ and the variation selectors stay: emoji are built from them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Letters and marks by their category, and yet nothing to see: fillers, the braille blank, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Cleaned:
    """Text fit to store, and how many unseen characters were taken out or replaced."""

    text: str
    removed: int


def clean(text: str) -> Cleaned:
    """Make text storable: unix line ends, no unseen controls, no lone surrogates, NFC. Idempotent."""
    # Two surrogates that stand for one character are joined first; only lone ones are broken.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    whole, broken = _SURROGATE.subn("\ufffd", joined)
    seen, unseen = _UNSEEN.subn("", _LINE_ENDS.sub("\n", whole))
    return Cleaned(unicodedata.normalize("NFC", seen), broken + unseen)


def _seen(text: str) -> str:
    """The text without what cannot be seen, spaces excepted."""
    return "".join(char for char in _BLANK.sub("", text) if unicodedata.category(char) != "Cf")


def clean_name(text: str) -> str:
    """A name in the one form that stands for all that look like it: nothing unseen, NFKC, single spaces. Idempotent."""
    return " ".join(unicodedata.normalize("NFKC", _seen(clean(text).text)).split())


def accept_post(title: str, description: str) -> tuple[str, str]:
    """Clean a post and check that it can be worked on.

    Returns:
        Title (one line, may be empty) and description.

    Raises:
        DeskError: post_empty, or post_too_long_chars (chars, limit).
    """
    title = " ".join(clean(title).text.split())
    description = clean(description).text.strip()
    if not _seen(description).strip():
        raise DeskError("post_empty")
    chars = len(title) + len(description)
    if chars > MAX_POST_CHARS:
        raise DeskError("post_too_long_chars", chars=chars, limit=MAX_POST_CHARS)
    return title, description


def accept_name(name: str) -> str:
    """The name a person signs with.

    Raises:
        DeskError: name_missing, or name_too_long (chars, limit).
    """
    name = clean_name(name)
    if not name:
        raise DeskError("name_missing")
    if len(name) > MAX_NAME_CHARS:
        raise DeskError("name_too_long", chars=len(name), limit=MAX_NAME_CHARS)
    return name


def accept_section(name: str, text: str) -> str:
    """What a person typed into one section of a response.

    Raises:
        DeskError: section_empty (section), or text_too_long (section, chars, limit).
    """
    text = neutral(clean(text).text).strip()
    if not _seen(text).strip():
        raise DeskError("section_empty", section=name)
    if len(text) > MAX_SECTION_CHARS:
        raise DeskError("text_too_long", section=name, chars=len(text), limit=MAX_SECTION_CHARS)
    return text


def accept_reason(text: str) -> str:
    """Why a person decided as they did; "" where nothing can be seen.

    Raises:
        DeskError: text_too_long (section, chars, limit).
    """
    text = clean(text).text.strip()
    if len(text) > MAX_REASON_CHARS:
        raise DeskError("text_too_long", section="reason", chars=len(text), limit=MAX_REASON_CHARS)
    return text if _seen(text).strip() else ""
