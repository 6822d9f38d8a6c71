"""A long post is offered in parts; put together they are the post."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.segments import fitting_chars, segments


@given(st.text(alphabet="累，。！”\n a.字", max_size=200), st.integers(1, 50))
def test_nothing_is_left_out_and_no_part_is_too_long(post: str, limit: int) -> None:
    parts = segments(post, limit)
    assert "".join(parts) == post
    assert all(0 < len(part) <= limit for part in parts)


@pytest.mark.parametrize(
    ("post", "limit", "parts"),
    [
        ("第一段。\n\n第二段。\n第三段。", 12, ["第一段。\n\n第二段。\n", "第三段。"]),
        ("他说：“走吧。”我走了。然后哭了。", 12, ["他说：“走吧。”我走了。", "然后哭了。"]),
        ("很长的一句，没有句号，也要分开", 8, ["很长的一句，", "没有句号，", "也要分开"]),
        ("一二三四五六", 4, ["一二三四", "五六"]),
        ("", 4, []),
    ],
)
def test_parts_end_where_a_reader_would_pause(post: str, limit: int, parts: list[str]) -> None:
    assert segments(post, limit) == parts


def test_the_parts_fit_what_the_engine_said_it_reads() -> None:
    post = "字" * 9000
    limit = fitting_chars(post, tokens=6000, limit=2000)
    assert 2500 < limit < 3000
    assert fitting_chars("字", tokens=10, limit=0) == 1
