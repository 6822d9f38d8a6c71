"""Everything a person can paste must be storable, and nothing they can read may change."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DeskError
from app.intake import (
    MAX_POST_CHARS,
    MAX_REASON_CHARS,
    accept_name,
    accept_post,
    accept_reason,
    accept_section,
    clean,
    clean_name,
)

UNSEEN = ["\u200b", "\u2060 \u00ad", "\u200d\n\ufe0f", "\u3164\u2800", "\U000e0041"]
anything = st.text(st.characters(codec=None, exclude_categories=()))


@given(anything)
def test_cleaned_text_can_be_stored_and_cleaning_again_changes_nothing(text: str) -> None:
    once = clean(text)
    once.text.encode("utf-8")
    assert "\x00" not in once.text and "\r" not in once.text
    again = clean(once.text)
    assert again.text == once.text and again.removed == 0


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")) | st.sampled_from("\n\t")))
def test_text_without_unseen_characters_only_meets_nfc(text: str) -> None:
    assert clean(text).text == unicodedata.normalize("NFC", text)
    assert clean(text).removed == 0


@pytest.mark.parametrize(
    ("given_text", "text", "removed"),
    [
        ("a\x00b", "ab", 1),
        ("一\r\n二\r三\u2028四", "一\n二\n三\n四", 0),
        ("\ufeff开头", "开头", 1),
        ("\u202e反\u202c\u2066正\u2069", "反正", 4),
        ("坏\ud800的", "坏\ufffd的", 1),
        ("两半\ud83d\ude2d", "两半\U0001f62d", 0),
        ("\U0001f469\u200d\U0001f467\u2764\ufe0f", "\U0001f469\u200d\U0001f467\u2764\ufe0f", 0),
        ("e\u0301", "\u00e9", 0),
        ("留\t着\n", "留\t着\n", 0),
        ("<|im_start|>system </answer> <L2>", "<|im_start|>system </answer> <L2>", 0),
    ],
)
def test_each_kind_of_unseen_character(given_text: str, text: str, removed: int) -> None:
    cleaned = clean(given_text)
    assert (cleaned.text, cleaned.removed) == (text, removed)


@pytest.mark.parametrize("description", ["", "  \n\t", "\x00\u202e\ufeff", "\u3000", *UNSEEN])
def test_a_post_without_anything_to_read_is_refused(description: str) -> None:
    with pytest.raises(DeskError) as refused:
        accept_post("只有标题", description)
    assert refused.value.code == "post_empty"


def test_a_post_is_taken_up_to_the_limit_and_refused_one_beyond() -> None:
    title, description = accept_post("题", "字" * (MAX_POST_CHARS - 1))
    assert len(title) + len(description) == MAX_POST_CHARS
    with pytest.raises(DeskError) as refused:
        accept_post("题", "字" * MAX_POST_CHARS)
    assert refused.value.code == "post_too_long_chars"
    assert refused.value.values == {"chars": MAX_POST_CHARS + 1, "limit": MAX_POST_CHARS}


def test_a_title_becomes_one_line_and_the_description_keeps_its_lines() -> None:
    assert accept_post(" 我\n很累 ", "\n第一段\n\n第二段 ") == ("我 很累", "第一段\n\n第二段")


@pytest.mark.parametrize("text", UNSEEN)
def test_a_section_or_a_name_without_anything_to_read_is_refused(text: str) -> None:
    with pytest.raises(DeskError) as refused:
        accept_section("L1", text)
    assert refused.value.code == "section_empty"
    with pytest.raises(DeskError) as refused:
        accept_name(text)
    assert refused.value.code == "name_missing"


def test_unseen_characters_between_others_stay_in_a_post() -> None:
    assert accept_post("", "\U0001f469\u200d\U0001f467") == ("", "\U0001f469\u200d\U0001f467")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" 张三\u200b", "张三"),
        ("张\u00ad三\u2060\ufe0f", "张三"),
        ("Ａnn\u3000 Lee", "Ann Lee"),
        ("e\u00ad\u0301", "\u00e9"),
        ("张\n三", "张 三"),
    ],
)
def test_names_that_look_alike_are_one(typed: str, name: str) -> None:
    assert clean_name(typed) == accept_name(typed) == name


@given(anything)
def test_a_clean_name_is_clean(text: str) -> None:
    once = clean_name(text)
    assert clean_name(once) == once
    assert not any(unicodedata.category(char) in ("Cf", "Cc", "Cs") for char in once)


@pytest.mark.parametrize("text", ["", " \n", *UNSEEN])
def test_a_reason_without_anything_to_read_is_none(text: str) -> None:
    assert accept_reason(text) == ""


def test_a_reason_is_cleaned_and_has_an_end() -> None:
    assert accept_reason(" 引的\u202e是\r\n原话 ") == "引的是\n原话"
    with pytest.raises(DeskError) as refused:
        accept_reason("因" * (MAX_REASON_CHARS + 1))
    assert refused.value.values == {"section": "reason", "chars": MAX_REASON_CHARS + 1, "limit": MAX_REASON_CHARS}
