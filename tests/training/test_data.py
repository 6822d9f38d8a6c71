"""Reading, splitting and cutting: what becomes a post, an answer and a chain."""

from __future__ import annotations

import lzma

import pytest

from app.chain import parse, render
from training.data import MAX_ANSWER_CHARS, Dialogue, read_dialogues, split_of, to_pair
from training.weak_chains import emotions_of, topic_of, weak_chain

POST = "我该不该辞职？" + "上班的路上我总是很焦虑，心跳得厉害，领导说我应该忍一忍。" * 8
ANSWER = (
    "读到这里我能感到你的焦虑。" * 10,
    "没错，你刚才说的很对。",
    "你可以先请一天假，看看身体怎么说。" * 8,
    "不客气，祝你一切顺利。",
    "还有什么想说的吗？",
)


def dialogue(client=(POST,), counselor=ANSWER) -> Dialogue:
    return Dialogue("smilechat", "g", tuple(client), tuple(counselor))


def test_a_long_first_turn_becomes_title_description_and_answer():
    pair = to_pair(dialogue())
    assert pair is not None
    assert pair.title == "我该不该辞职？"
    assert pair.description.startswith("上班的路上")
    assert pair.answer == ANSWER[0] + "\n" + ANSWER[2]


def test_a_short_first_turn_or_a_thin_answer_makes_no_pair():
    assert to_pair(dialogue(client=("你好",))) is None
    assert to_pair(dialogue(counselor=("嗯。",))) is None


def test_an_answer_ends_with_a_whole_turn():
    pair = to_pair(dialogue(counselor=("一" * 300, "二" * 300, "三" * 300)))
    assert pair is not None and pair.answer == "一" * 300 + "\n" + "二" * 300
    assert len(pair.answer) <= MAX_ANSWER_CHARS + 1


def test_dialogues_of_one_post_share_a_split_and_all_splits_occur():
    assert {split_of(f"group-{number}") for number in range(500)} == {"train", "valid", "test"}
    assert split_of("group-1") == split_of("group-1")


def test_a_malformed_line_is_named(tmp_path):
    with lzma.open(tmp_path / "smilechat.jsonl.xz", "wt", encoding="utf-8") as out:
        out.write('{"id": 0, "turns": []}\nnot json\n')
    with pytest.raises(ValueError, match=r"smilechat\.jsonl\.xz:2"):
        list(read_dialogues(tmp_path))


def test_a_weak_chain_quotes_the_post_and_the_answer():
    pair = to_pair(dialogue())
    assert pair is not None
    chain = weak_chain(pair)
    assert parse(render(chain)) == chain
    assert "焦虑（“上班的路上我总是很焦虑”）" in chain.L1
    assert "过于绝对" in chain.L2 and "被认可" in chain.L2
    assert "我该不该辞职？" in chain.L3
    assert "你可以先请一天假" in chain.L4


def test_a_post_without_emotion_words_still_gives_a_whole_chain():
    pair = to_pair(dialogue(client=("今天的天气和昨天一样。" * 20,)))
    assert pair is not None
    assert emotions_of(pair.post) == []
    assert topic_of(pair.post) is None
    weak_chain(pair)
