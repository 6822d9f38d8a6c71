"""What does not belong into the corpus, by the rules the paper names: noise, advertisements, non-psychological posts,
responses under 100 characters. Deviation: the paper gives the rules' names alone; words and limits are ours."""

from __future__ import annotations

import dataclasses
import re
from itertools import islice
from typing import Literal

from training.data.records import Record

Reason = Literal["post_short", "post_long", "noise", "advertisement", "not_psychological", "no_response"]

MIN_POST_CHARS = 100
MAX_POST_CHARS = 3000
MIN_RESPONSE_CHARS = 100
MIN_LETTERS_SHARE = 0.5
"""Share of letters and Chinese characters among the characters of a text, runs of one sign counted once."""
TAIL_CHARS = 10
MAX_TAILS = 4
"""A text whose last ten characters stand in it more often than this repeats itself."""

_SIGNS = re.compile(r"[。.．…·\s]{2,}|([\W_])\1+")
_ADVERTISEMENT = re.compile(
    r"https?://|www\.|(微信|VX|vx|QQ|扣扣)(号)?[：: ]{0,2}[A-Za-z0-9_-]{6,}|扫码(关注|领取|进群|添加)|公众号[：:]"
    r"|代写论文|包过|日结兼职|免费领取|点击(链接|下方)|私信我领取|课程报名|(预约|咨询)(热线|电话)[：: ]{0,2}\d"
)
"""What addresses a reader as a customer. Posts that tell of shops and chats are no advertisements."""
_INNER = re.compile(
    "我|自己|感觉|觉得|心里|情绪|压力|焦虑|抑郁|难过|伤心|痛苦|害怕|担心|孤独|委屈|生气|迷茫|崩溃|父母|妈|爸|家|朋友|同学|老师|对象|男友|女友"
    "|老公|老婆|孩子|分手|离婚|工作|学习|考试|睡|死|哭|累|feel|afraid|anxious|sad|lonely|angry|my "
)
MIN_INNER_WORDS = 3


def is_noise(text: str) -> bool:
    """True for a text of signs and digits, or one that repeats itself.

    Rows of full stops are how despair is often typed: they count as one sign, and no post is lost for them.
    """
    text = _SIGNS.sub(lambda row: row[0][0], text)
    if sum(map(str.isalpha, text)) < MIN_LETTERS_SHARE * len(text):
        return True
    return text.count(text[-TAIL_CHARS:]) > MAX_TAILS


def accept(record: Record) -> Record | Reason:
    """The record with the responses that may stay, or why it cannot stay."""
    post = record.post
    if len(post) < MIN_POST_CHARS:
        return "post_short"
    if len(post) > MAX_POST_CHARS:
        return "post_long"
    if is_noise(post):
        return "noise"
    if _ADVERTISEMENT.search(post):
        return "advertisement"
    if sum(1 for _ in islice(_INNER.finditer(post), MIN_INNER_WORDS)) < MIN_INNER_WORDS:
        return "not_psychological"
    responses = tuple(
        text
        for text in record.responses
        if len(text) >= MIN_RESPONSE_CHARS and not is_noise(text) and not _ADVERTISEMENT.search(text)
    )
    return dataclasses.replace(record, responses=responses) if responses else "no_response"
