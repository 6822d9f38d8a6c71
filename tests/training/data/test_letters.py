"""What of a dialogue becomes title, description and answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.letters import MIN_OPENING_CHARS, answer_of, letter_of, split_title
from training.data.records import Dialogue


def dialogue(client: tuple[str, ...], counselor: tuple[str, ...] = ()) -> Dialogue:
    return Dialogue("smilechat", "g7", client, counselor)


@pytest.mark.parametrize(
    ("text", "title", "description"),
    [
        ("我该不该回信？她等了三年。", "我该不该回信？", "她等了三年。"),
        ("外婆走了以后。我把钥匙还给舅舅", "外婆走了以后。", "我把钥匙还给舅舅"),
        ("信还没有拆！\n就放在桌上", "信还没有拆！", "就放在桌上"),
        ("四字如此？后面还有话。", "", "四字如此？后面还有话。"),  # too short for a title
        ("长" * 39 + "？后面还有话。", "", "长" * 39 + "？后面还有话。"),
        ("只有这样一句话。", "", "只有这样一句话。"),
        ("没有标点\n我该不该回信？她等着", "", "没有标点\n我该不该回信？她等着"),
    ],
)
def test_the_first_sentence_is_the_title_where_it_is_short_enough_and_followed_by_something(text, title, description):
    assert split_title(text) == (title, description)


@given(st.text("信我她。？！\n ，", max_size=80).map(str.strip))
def test_splitting_loses_nothing_and_never_leaves_the_description_empty(text):
    title, description = split_title(text)
    assert "".join(title.split() + description.split()) == "".join(text.split())
    assert bool(description) == bool(text)


@pytest.mark.parametrize(
    "closing", ["不客气", "不用客气，随时来。", "别客气", "不必谢", "不谢", "祝你睡个好觉。", "再见！"]
)
def test_the_answer_ends_before_the_first_closing(closing):
    assert answer_of(("你等了三年。", "信可以先放着。", closing, "还有一句。")) == "你等了三年。\n信可以先放着。"


@pytest.mark.parametrize(
    "retort", ["好的，明白了。", "没错，是这样。", "对，就这么做。", "嗯嗯", "很高兴你这样想。", "听到你这么说真好。"]
)
def test_turns_that_answer_a_later_line_are_left_out_and_what_follows_them_stays(retort):
    assert answer_of(("你等了三年。", retort, "信可以先放着。")) == "你等了三年。\n信可以先放着。"


@pytest.mark.parametrize("kept", ["对于那封信，不急。", "祝福她也好，怨她也好，都可以。", "你说再见的时候，她哭了吗？"])
def test_turns_that_only_look_like_closings_or_retorts_stay(kept):
    assert answer_of((kept, "还有一句。")) == f"{kept}\n还有一句。"


def test_a_long_first_turn_is_the_post_by_itself():
    opening = "我该不该回信？" + "信" * (MIN_OPENING_CHARS - 7)
    record = letter_of(dialogue((opening, "还有一件事一直没有告诉你。"), ("先放着。",)), "CC0-1.0")
    assert (record.title, record.description) == ("我该不该回信？", "信" * (MIN_OPENING_CHARS - 7))
    assert (record.origin, record.responses, record.group, record.licence) == (
        "opening",
        ("先放着。",),
        "g7",
        "CC0-1.0",
    )


def test_after_a_shorter_one_the_clients_turns_are_joined_without_replies_and_crumbs():
    turns = (
        "信" * (MIN_OPENING_CHARS - 1),
        "谢谢你，我会好好想一想你说的这些话。",
        "三年前是我先不理她的，在葬礼上。",
        "嗯，也许吧。",
        "是的，我一直都记得那一天的雨声。",
        "十一个字的一句话在此。",
        "而十二个字的一句话会留。",
        "她后来托人带过一次月饼，我没有要。",
    )
    record = letter_of(dialogue(turns), "CC0-1.0")
    assert record.origin == "joined"
    assert record.description == f"{turns[0]}\n{turns[2]}\n{turns[6]}\n{turns[7]}"


def test_a_dialogue_without_a_client_makes_an_empty_post():
    record = letter_of(dialogue((), ("先放着。",)), "CC0-1.0")
    assert record.post == "" and record.responses == ("先放着。",)
