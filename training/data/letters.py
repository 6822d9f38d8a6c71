"""From a dialogue to a letter: the long post behind the client's turns, and the counselor's turns as one answer."""

from __future__ import annotations

import re

from training.data.records import Dialogue, Record

MIN_OPENING_CHARS = 150
"""From here on a first turn is a post by itself."""
MIN_TURN_CHARS = 12

_TITLE = re.compile(r"([^？?！!。\n]{5,38}[？?！!。])(.+)", re.S)
_CLOSING = re.compile(r"不(用|必|要)?客气|别客气|不(用|必)?谢|祝你|祝您|再见")
_RETORT = re.compile(r"很高兴|好的|当然|没错|是的|对[，,]|非常好|很好|没问题|没关系|嗯|太好了|听到你|谢谢|正是|确实")
"""How a turn begins that answers a later line of the dialogue and would stand oddly in one letter."""
_REPLY = re.compile(
    r"谢谢|多谢|感谢|非常感谢|好的|好，|嗯|是的|对[，,啊的]|没错|明白|我明白|我知道了|我会|我试|听起来|听你|你说得|你说的|您说|有道理|确实"
    r"|原来|那我|那么|这个建议|可以[，,]|当然|再见|不客气"
)
"""How a client's turn begins that answers the counselor: it is no part of the post."""


def split_title(text: str) -> tuple[str, str]:
    """(title, description): the first sentence, where it is as short as a title and something follows it."""
    match = _TITLE.fullmatch(text)
    return (match[1].strip(), match[2].strip()) if match else ("", text)


def answer_of(turns: tuple[str, ...]) -> str:
    """The counselor's turns as one text, without closing courtesies and turns that plainly answer a later line."""
    kept: list[str] = []
    for turn in turns:
        if _CLOSING.match(turn):
            break
        if not _RETORT.match(turn):
            kept.append(turn)
    return "\n".join(kept)


def letter_of(dialogue: Dialogue, licence: str) -> Record:
    """The record behind a dialogue. Too short a post or answer is left to the filters to refuse.

    A long first turn is the post; else the client's turns are joined, without those that answer the counselor.
    """
    opening = dialogue.client[0] if dialogue.client else ""
    long_enough = len(opening) >= MIN_OPENING_CHARS
    told = [turn for turn in dialogue.client[1:] if len(turn) >= MIN_TURN_CHARS and not _REPLY.match(turn)]
    title, description = split_title(opening if long_enough else "\n".join([opening, *told]))
    return Record(
        title=title,
        description=description,
        topic="",
        subtopic="",
        responses=(answer_of(dialogue.counselor),),
        source=dialogue.source,
        licence=licence,
        group=dialogue.group,
        origin="opening" if long_enough else "joined",
    )
