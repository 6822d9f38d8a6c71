"""Dialogues in, records out: reading the public sets, splitting them by post, and cutting posts and answers from turns.

The sets stay outside the repository; their folder is given on the command line.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.chain import neutral, post_text

SMILECHAT = "smilechat.jsonl.xz"
CPSYCOUND = "cpsycound.jsonl.xz"
EMOLLM = "emollm-dialogues.json.xz"

MIN_POST_CHARS = 150
MAX_POST_CHARS = 700
MIN_ANSWER_CHARS = 200
MAX_ANSWER_CHARS = 700


@dataclass(frozen=True)
class Dialogue:
    """Turns of one conversation; `group` is shared by dialogues about the same post."""

    source: str
    group: str
    client: tuple[str, ...]
    counselor: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A post with one answer by a human counselor (rewritten into turns by the set's makers, joined again here)."""

    group: str
    title: str
    description: str
    answer: str

    @property
    def post(self) -> str:
        return post_text(self.title, self.description)


Split = Literal["train", "valid", "test"]


def split_of(group: str) -> Split:
    """Assign a post to a split by the hash of its group: 94 % train, 3 % valid, 3 % test, the same on every machine."""
    bucket = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") % 100
    return "test" if bucket < 3 else "valid" if bucket < 6 else "train"


def _records(path: Path) -> Iterator[dict]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path.name}:{number}: not a JSON object ({error.msg}); mend or remove it.") from None


def _turns(turns: Iterable[dict], role: str) -> tuple[str, ...]:
    return tuple(turn["content"].strip() for turn in turns if turn["role"] == role and turn["content"].strip())


def read_dialogues(folder: Path) -> Iterator[Dialogue]:
    """SmileChat and CPsyCounD, in file order; dialogues without a turn of either side are left out."""
    for name in (SMILECHAT, CPSYCOUND):
        source = name.split(".")[0]
        for record in _records(folder / name):
            dialogue = Dialogue(
                source,
                record.get("group", f"{source}-{record['id']}"),
                _turns(record["turns"], "client"),
                _turns(record["turns"], "counselor"),
            )
            if dialogue.client and dialogue.counselor:
                yield dialogue


def read_generic_answers(folder: Path) -> list[str]:
    """Replies of the EmoLLM set: fluent and general, so they serve as the paper's generic negatives."""
    with lzma.open(folder / EMOLLM, "rt", encoding="utf-8") as file:
        conversations = json.load(file)
    return [turn["output"].strip() for item in conversations for turn in item["conversation"] if turn["output"].strip()]


_TITLE = re.compile(r"(.{6,40}?[？?！!。])(.+)", re.S)
_CLOSING = re.compile(r"不客气|不用谢|不谢|别客气|祝你|祝您|再见")
_RETORT = re.compile(r"很高兴|好的|当然|没错|是的|对[，,]|非常好|很好|没问题|没关系|嗯|太好了|听到你|谢谢")
"""How a turn begins that answers a later line of the dialogue and would stand oddly in one letter."""


def to_pair(dialogue: Dialogue) -> Pair | None:
    """The post behind a dialogue and the counselor's turns as one answer, or None where the first turn is no long post.

    The title is the first sentence; the answer takes whole turns up to `MAX_ANSWER_CHARS`, without closing courtesies
    and without turns that plainly answer a later line.
    """
    opening = dialogue.client[0]
    if not MIN_POST_CHARS <= len(opening) <= MAX_POST_CHARS:
        return None
    match = _TITLE.fullmatch(opening)
    title, description = (match[1], match[2].strip()) if match else ("", opening)
    kept: list[str] = []
    for turn in dialogue.counselor:
        if _CLOSING.match(turn) or sum(map(len, kept)) + len(turn) > MAX_ANSWER_CHARS:
            break
        if not _RETORT.match(turn):
            kept.append(turn)
    answer = "\n".join(kept)
    if len(answer) < MIN_ANSWER_CHARS:
        return None
    return Pair(dialogue.group, neutral(title), neutral(description), neutral(answer))
