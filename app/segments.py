"""A post that is longer than a model can read, offered in parts that it can; nothing is left out and nothing chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise

MARGIN = 0.9
"""Tokens are not spread evenly over a text."""

# Each pattern splits behind its marks, the coarser ones first; what a mark ends keeps it.
_ENDS = tuple(map(re.compile, (r"(?<=\n)(?!\n)", r"(?<=[。！？!?…\n])(?![。！？!?…”’」』\n])", r"(?<=[，；、,; ])")))


def fitting_chars(post: str, tokens: int, limit: int) -> int:
    """How many characters of a post a model can read, from the values of post_too_long."""
    return max(1, int(len(post) * limit / tokens * MARGIN))


def parts(post: str, limit_chars: int) -> list[tuple[int, int]]:
    """Where the segments of a post begin and end."""
    ends = list(accumulate(map(len, segments(post, limit_chars)), initial=0))
    return list(pairwise(ends))


def segments(post: str, limit_chars: int) -> list[str]:
    """A post in parts of at most `limit_chars` characters that together are the post, to the letter.

    They end where a paragraph does; a paragraph that is too long is parted behind sentences, a sentence behind a comma
    or a space, and only a stretch without any of these anywhere.
    """
    parts: list[str] = []
    for piece in _pieces(post, limit_chars, _ENDS):
        if parts and len(parts[-1]) + len(piece) <= limit_chars:
            parts[-1] += piece
        else:
            parts.append(piece)
    return parts


def _pieces(text: str, limit: int, ends: tuple[re.Pattern[str], ...]) -> Iterator[str]:
    if len(text) <= limit:
        if text:
            yield text
    elif ends:
        for piece in ends[0].split(text):
            yield from _pieces(piece, limit, ends[1:])
    else:
        for begin in range(0, len(text), limit):
            yield text[begin : begin + limit]
