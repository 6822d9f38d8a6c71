"""Placeholders for what identifies somebody: [姓名1] is one and the same person wherever it stands in a post.

Pure functions. A person confirms what is replaced; what it stood for is the caller's to keep or to forget.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from app.safety.deidentify import Kind, find

_PLACEHOLDER = re.compile(rf"\[({'|'.join(get_args(Kind))})([0-9]{{0,6}})\]")
_ONE_WORD = re.compile("[0-9]{2}|[A-Za-z]{2}")


def suggested(texts: Sequence[str], kept: Mapping[str, str]) -> dict[str, str]:
    """What to replace in the texts of one post, each with its placeholder, in the order of appearance.

    Args:
        texts: the title and the description.
        kept: what was replaced in this post before, with its placeholders; they serve it again, and no other text.
    """
    last: Counter[str] = Counter()
    for kind, number in _PLACEHOLDER.findall("".join((*texts, *kept.values()))):
        last[kind] = max(last[kind], int(number or 0))
    found: dict[str, str] = {}
    for text in texts:
        blind = _blind(text)
        for finding in find(blind):
            original = text[finding.start : finding.end]
            if original not in found and original not in kept:
                last[finding.kind] += 1
                found[original] = f"[{finding.kind}{last[finding.kind]}]"
            elif original in kept:
                found[original] = kept[original]
        # A name that is known by now needs no context that says it is one.
        found |= {original: placeholder for original, placeholder in kept.items() if any(_places(blind, original))}
    return found


def replaced(text: str, placeholders: Mapping[str, str]) -> str:
    """The text with these originals replaced wherever they stand, the longest first. Leaves placeholders alone."""
    blind = _blind(text)
    spans = {(each.start, each.end) for each in find(blind) if text[each.start : each.end] in placeholders}
    spans |= {span for original in placeholders for span in _places(blind, original)}
    free = bytearray(b"\1") * len(text)
    chosen = []
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span)):
        if 0 not in free[start:end]:
            free[start:end] = bytes(end - start)
            chosen.append((start, end))
    pieces: list[str] = []
    position = 0
    for start, end in sorted(chosen):
        pieces += (text[position:start], placeholders[text[start:end]])
        position = end
    return "".join((*pieces, text[position:]))


def _blind(text: str) -> str:
    """The text at the same length with nothing to be found inside its placeholders."""
    return _PLACEHOLDER.sub(lambda match: "[" + "\0" * (len(match[0]) - 2) + "]", text)


def _places(text: str, original: str) -> Iterator[tuple[int, int]]:
    """Where the original stands, but not as a part of a longer number or of a longer word in Latin letters."""
    start = text.find(original)
    while start >= 0:
        end = start + len(original)
        edges = (text[max(0, start - 1) : start + 1], text[end - 1 : end + 1])
        if not any(_ONE_WORD.fullmatch(edge) for edge in edges):
            yield start, end
        start = text.find(original, end)
