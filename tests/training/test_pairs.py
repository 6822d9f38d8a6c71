"""Which posts and answers the models learn from, and where an answer is cut."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.records import Record, to_line
from training.pairs import MAX_ANSWER_CHARS, MAX_POST_CHARS, MIN_ANSWER_CHARS, corpus_pairs, pairs_of, shortened

RECORD = Record("我该不该辞职？", "信" * 300, "workplace", "", ("答" * 300,), "own", "", "g7")


def answers(*responses: str) -> list[str]:
    return [pair.answer for pair in pairs_of([dataclasses.replace(RECORD, responses=responses)])]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("一二三\n四五六\n七", "一二三\n四五六\n七"),
        ("一二三\n四五六\n七八", "一二三\n四五六"),
        ("一二三四五六七八九十", ""),
        ("一二三四五六七八九十\n一", ""),
        ("一二三\n\n四五六七八", "一二三"),
        ("\n一二三", "一二三"),
        ("", ""),
    ],
)
def test_an_answer_keeps_the_first_paragraphs_that_fit_into_nine_characters(answer, kept):
    assert shortened(answer, 9) == kept


@given(st.text("答\n ", max_size=40), st.integers(1, 40))
def test_a_shortened_answer_is_a_beginning_that_fits_and_has_no_space_around_it(answer, limit):
    kept = shortened(answer, limit)
    assert len(kept) <= limit and kept == kept.strip()
    assert answer.strip().startswith(kept)


def test_a_record_gives_a_pair_for_each_answer_that_is_long_enough():
    long, short = "答" * MIN_ANSWER_CHARS, "答" * (MIN_ANSWER_CHARS - 1)
    assert answers(long, short, "另" + long) == [long, "另" + long]
    assert answers("答" * MAX_ANSWER_CHARS) == ["答" * MAX_ANSWER_CHARS]
    assert answers("答" * (MAX_ANSWER_CHARS + 1)) == []
    # Long enough as a whole, too short when it is cut.
    assert answers(short + "\n" + "答" * MAX_ANSWER_CHARS) == []


def test_an_answer_ends_with_a_whole_paragraph():
    assert answers("一" * 300 + "\n" + "二" * 300 + "\n" + "三" * 300) == ["一" * 300 + "\n" + "二" * 300]


def test_joined_and_very_long_posts_give_no_pair():
    assert not list(pairs_of([dataclasses.replace(RECORD, origin="joined")]))
    assert list(pairs_of([dataclasses.replace(RECORD, origin="opening")]))
    assert list(pairs_of([dataclasses.replace(RECORD, description="信" * MAX_POST_CHARS)]))
    assert not list(pairs_of([dataclasses.replace(RECORD, description="信" * (MAX_POST_CHARS + 1))]))


def test_no_text_of_a_pair_can_act_as_a_tag():
    record = dataclasses.replace(RECORD, title="<L1>", description="信<" * 9, responses=("答" * 200 + "</answer>",))
    [pair] = pairs_of([record])
    assert pair.post == "＜L1>\n" + "信＜" * 9
    assert pair.answer == "答" * 200 + "＜/answer>"
    assert (pair.group, pair.topic) == ("g7", "workplace")


def test_the_pairs_of_a_run_are_those_of_the_split_of_its_corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    for split in ("train", "valid", "test"):
        line = to_line(dataclasses.replace(RECORD, group=split))
        (tmp_path / "corpus" / f"{split}.jsonl").write_text(line, "utf-8")
    assert [pair.group for pair in corpus_pairs(tmp_path, "valid")] == ["valid"]
