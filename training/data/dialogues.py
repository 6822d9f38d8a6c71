"""The sets in a folder read as a whole, past the corpus: for tokenizer and pretraining, which learn the language, and
for the proof that the seed chains share no text with any of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.safety.deidentify import find, mask
from training.data.build import sets_in
from training.data.records import Dialogue, Record, Split, split_of
from training.data.sources import SOURCES


def read_dialogues(folder: Path, split: Split) -> Iterator[Dialogue]:
    """Every dialogue of a split with turns of both sides, set by set in file order, de-identified."""
    for name, path in sets_in(folder).items():
        for item in SOURCES[name].read(path):
            if isinstance(item, Dialogue) and item.client and item.counselor and split_of(item.group) == split:
                yield Dialogue(item.source, item.group, _masked(item.client), _masked(item.counselor))


def all_texts(folder: Path) -> Iterator[str]:
    """Every post and answer of the sets in a folder as they stand there, a dialogue's turns of one side in one text."""
    for name, path in sets_in(folder).items():
        for item in SOURCES[name].read(path):
            if isinstance(item, Dialogue):
                yield from ("\n".join(item.client), "\n".join(item.counselor))
            elif isinstance(item, Record):
                yield from (item.post, *item.responses)


def _masked(turns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(mask(turn, find(turn)) for turn in turns)
