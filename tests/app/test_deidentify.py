"""What identifies somebody must be found, what does not must stay, and nothing else of the text may change."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.safety.deidentify import find, mask
from app.safety.help_lines import help_lines
from tests.app.deidentify_cases import TABLE, Case

CASES = [case for cases in TABLE.values() for case in cases]
PIECES = [part for case in CASES for part, _ in case.expected] + [case.sentence for case in CASES]
# Whole identifying parts, the words around them and stray characters, in any order: where rules meet.
texts = st.lists(
    st.sampled_from([*PIECES, *"路号是我叫王电1０-. @[]，", "我叫", "生于", "大学", "老师", "加微信"])
    | st.text(max_size=3),
    max_size=8,
).map("".join)


def marked(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=case.known, strict=True)] if case.known else []
    return pytest.param(case, id=case.sentence, marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_all_that_identifies_is_found_and_nothing_else(case: Case) -> None:
    found = tuple((case.sentence[finding.start : finding.end], finding.kind) for finding in find(case.sentence))
    assert found == case.expected


@given(texts)
@example("博客www.example.com13800138000")
def test_findings_are_in_order_disjoint_and_inside_the_text(text: str) -> None:
    findings = find(text)
    edges = [edge for finding in findings for edge in (finding.start, finding.end)]
    assert edges == sorted(edges)
    assert all(0 <= finding.start < finding.end <= len(text) for finding in findings)


@given(texts)
def test_mask_leaves_the_rest_untouched(text: str) -> None:
    findings = find(text)
    masked = mask(text, findings)
    position = 0
    for finding in findings:
        before = text[position : finding.start]
        assert masked.startswith(f"{before}[{finding.kind}]")
        masked = masked.removeprefix(f"{before}[{finding.kind}]")
        position = finding.end
    assert masked == text[position:]


@given(texts)
@example("我叫王丽刘芳老师")
def test_masked_text_holds_nothing_more_to_mask(text: str) -> None:
    masked = mask(text, find(text))
    assert mask(masked, find(masked)) == masked


@pytest.mark.parametrize("number", [line.number for line in help_lines()])
@pytest.mark.parametrize("sentence", ["请打{}，有人会听你说", "热线电话：{}", "打了{}两次", "号码是{}。"])
def test_help_lines_stay(number: str, sentence: str) -> None:
    for written in (number, number.replace("-", ""), number.replace("-", " "), number.split("-")[-1]):
        assert find(sentence.format(written)) == []


def test_a_name_found_once_is_found_wherever_it_stands() -> None:
    text = "我老公叫何大川。何大川从不回家，我恨何大川这个人"
    assert mask(text, find(text)) == "我老公叫[姓名]。[姓名]从不回家，我恨[姓名]这个人"


@pytest.mark.parametrize(
    "unit",
    sorted(
        {
            *"1０路号王微@.:大学厂中我 a-[+一\n",
            "路1号",
            "a@",
            "www.a ",
            "大学",
            "我叫王丽，",
            "北京市",
            "1-",
            "一三",
            "://",
            "13 ",
        }
    ),
)
def test_no_text_makes_the_rules_slow(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    find(text)
    assert time.process_time() - started < len(unit)  # one second for one kind of character


def test_a_latin_name_is_not_found_inside_a_longer_word() -> None:
    text = "My name is Ann. The Announcement came late, and Ann cried."
    assert [text[each.start : each.end] for each in find(text)] == ["Ann", "Ann"]
