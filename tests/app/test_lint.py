"""What a draft may not say is found, quoted where it stands; what is near it and harmless is left alone."""

from __future__ import annotations

import csv
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.safety import lint as module
from app.safety.help_lines import help_lines
from app.safety.lint import SEVERITY, Finding, lint
from app.safety.lint_form import sentences
from training.data.seed_chains import read_seed_chains

POST = "分手以后\n我二十六岁，在一家小公司做会计，和男朋友分手后一直睡不着。我妈说我矫情。"
PLAIN = "水开了记得关火。"
"""A sentence in which nothing may be found. Put first, so that the sentence behind it is no opener."""

with Path(__file__).with_name("lint_sentences.tsv").open(encoding="utf-8", newline="") as _rows:
    CASES = list(csv.DictReader(_rows, delimiter="\t", quoting=csv.QUOTE_NONE))


def rules(draft: str, post: str = POST, signals: tuple[str, ...] = ()) -> set[str]:
    return {finding.rule for finding in lint(draft, post, signals)}


def quotes(rule: str, draft: str, post: str = POST) -> list[str]:
    return [finding.quote for finding in lint(draft, post) if finding.rule == rule]


def draft_of(case: dict[str, str]) -> str:
    text = case["text"].replace("\\n", "\n")
    return text if case["rule"] in ("opener", "list") else PLAIN + text


def marked(case: dict[str, str]) -> object:
    marks = [pytest.mark.xfail(reason=case["known"], strict=True)] if case["known"] else []
    return pytest.param(case, id=f"{case['rule']}-{case['wanted']}-{case['text']}", marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_a_rule_finds_its_sentences_and_leaves_their_look_alikes(case: dict[str, str]) -> None:
    assert (case["rule"] in rules(draft_of(case))) == (case["wanted"] == "yes")


def test_every_rule_has_three_sentences_to_find_and_one_to_leave():
    for rule in SEVERITY.keys() - {"missing_question", "missing_line"}:
        wanted = [case["wanted"] for case in CASES if case["rule"] == rule]
        assert wanted.count("yes") >= 3 and wanted.count("no") >= 1, rule


def test_no_known_miss_of_methods_doses_and_numbers():
    grave = {"method", "medication", "medication_change", "unverified_number"}
    assert not [case["text"] for case in CASES if case["known"] and case["rule"] in grave]


# What the sentence alone does not show.
def test_the_rules_of_the_file_are_rules_and_the_file_is_dated():
    values = tomllib.loads(Path(module.__file__).with_name("lint.toml").read_text("utf-8"))
    assert {table["name"] for table in values["rule"]} <= SEVERITY.keys()
    assert isinstance(values["checked_on"], date)


def test_a_rule_that_knows_the_post_names_what_the_post_must_hold():
    values = tomllib.loads(Path(module.__file__).with_name("lint.toml").read_text("utf-8"))
    for table in values["rule"]:
        known = [re.compile(pattern).groupindex for pattern in table["patterns"] if "?P<" in pattern]
        assert all(groups.keys() == {"it"} for groups in known), table["name"]


@pytest.mark.parametrize(
    ("draft", "rule", "post"),
    [
        ("你在吃舍曲林，也在好好吃饭。", "medication", "医生给我开了舍曲林。"),
        ("你有抑郁症，还撑着上班。", "diagnosis", "去年确诊了抑郁症，还在上班。"),
        ("你才二十二岁。", "invented_number", "我今年22岁。"),
        ("欠下的四十一万，一笔一笔谈。", "invented_number", "一共欠了41万。"),
        ("九万六是真的。", "invented_number", "存款96000。"),
        ("《活着》你读了三遍。", "invented_source", "我读了三遍《活着》。"),
        ("你在成都一个人住。", "invented_name", "我在成都一个人住。"),
        ("张老师问过你。", "invented_name", "张老师问我是不是病了。"),
    ],
)
def test_what_the_post_says_may_be_taken_up(draft: str, rule: str, post: str) -> None:
    assert rule not in rules(PLAIN + draft, post)
    assert rule in rules(PLAIN + draft, "我很难过。")


def test_a_disease_named_in_the_post_without_a_physician_stays_a_diagnosis():
    assert "diagnosis" in rules("你得了抑郁症。", "我是不是得了抑郁症？")


def test_a_doubt_that_sends_to_a_physician_is_no_diagnosis():
    assert "diagnosis" not in rules("听起来像抑郁症，可以请医生评估。")


def test_what_somebody_else_said_in_quotation_marks_is_not_the_drafts():
    assert "blame" not in rules("“你就是想太多了”，这句话她说过三遍。")
    assert "blame" in rules("你就是想太多了，这句话她说过三遍。")
    assert "method" in rules("“割腕”这两个字也一样。")  # a method is one wherever it stands


@pytest.mark.parametrize("line", help_lines(), ids=lambda line: line.number)
def test_verified_lines_may_be_named(line) -> None:
    assert "unverified_number" not in rules(f"现在就拨打{line.number}，或者找身边的人。")


def test_two_orders_are_advice_and_three_a_sermon():
    assert "preaching" not in rules("你应该早睡。你必须吃饭。")
    assert quotes("preaching", "你应该早睡。你必须吃饭。你要振作。") == ["你应该", "你必须", "你要"]


def test_three_items_are_no_list_and_four_are():
    items = ["1. 早睡", "2. 运动", "3. 吃饭", "4. 说话"]
    assert "list" not in rules("\n".join(items[:3]))
    assert "list" in rules("\n".join(items))


def test_an_opener_is_one_only_at_the_beginning():
    assert quotes("opener", "抱抱你。") == quotes("opener", "\n抱抱你。") == ["抱抱"]
    assert "opener" not in rules("水开了。抱抱你。")


def test_a_sentence_about_its_neighbour_is_quoted_with_its_own_span():
    draft = f"{PLAIN}你就是想太多了！先喝口水。"
    [finding] = lint(draft, POST)
    assert (finding.rule, finding.severity, finding.quote) == ("blame", "block", "想太多了")
    assert finding.sentence is not None and draft[slice(*finding.sentence)] == "你就是想太多了！"


def test_full_width_digits_are_digits_and_the_quote_is_as_written():
    assert quotes("unverified_number", "请打４００－１６１－９９９５。") == ["４００－１６１－９９９５"]


def test_the_hand_written_answers_are_let_through():
    # They were read against a rubric that forbids all of this: what stands on them is nearly always a false alarm.
    found = [finding for chain in read_seed_chains() for finding in lint(chain.answer, chain.post, chain.signals)]
    assert [finding.quote for finding in found if finding.severity == "block"] == []
    assert len(found) <= 12


# What is missing.
SAFE = "想过死吗？现在这个念头还在不在？夜里打 12356。"


@pytest.mark.parametrize("signal", ["passive_ideation", "plan", "attempt", "self_harm", "violence", "third_person"])
def test_question_and_line_together_are_enough_for_any_signal(signal: str) -> None:
    assert not {"missing_question", "missing_line"} & rules(SAFE, signals=(signal,))


@pytest.mark.parametrize(
    ("draft", "missing"),
    [
        ("先喝口水。", {"missing_question", "missing_line"}),
        ("想过死吗？", {"missing_line"}),
        ("夜里打 12356。", {"missing_question"}),
        ("夜里打 12356。吃饭了吗？", {"missing_question"}),
        ("夜里打 400-161-9995。想过死吗？", {"missing_line"}),
        ("那就是想死的念头。现在还有吗？夜里打 12356。", set()),
    ],
)
def test_what_is_missing_while_a_signal_stands(draft: str, missing: set[str]) -> None:
    found = [finding for finding in lint(draft, POST, ("active_ideation",)) if finding.start is None]
    assert {finding.rule for finding in found} == missing
    assert all((each.severity, each.end, each.sentence, each.quote) == ("block", None, None, "") for each in found)


def test_safety_may_be_asked_in_other_words_than_dying_where_somebody_is_beaten():
    draft = "他现在在家吗，你安全吗？打 110。"
    assert not {"missing_question", "missing_line"} & rules(draft, signals=("violence",))
    assert "missing_question" in rules(draft, signals=("violence", "plan"))


def test_without_a_signal_nothing_is_missing():
    assert rules("先喝口水。") == set()


# What holds for every text.
PIECES = [case["text"].replace("\\n", "\n") for case in CASES] + [*"你我死药一。？“”\n1.１［%"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=6).map("".join)
signals = st.lists(st.sampled_from(["plan", "violence", "something new"]), unique=True, max_size=2).map(tuple)


@given(texts, texts, signals)
@example("九" * 30 + "岁", "٣岁 ²", ())
@example("，" * 3 + "抱", "", ("plan",))
def test_findings_quote_the_draft_in_order_and_again_the_same(draft: str, post: str, signals: tuple[str, ...]) -> None:
    findings = lint(draft, post, signals)
    present = [finding for finding in findings if finding.start is not None]
    assert [finding.start for finding in present] == sorted(finding.start or 0 for finding in present)
    for finding in present:
        assert finding.end is not None and finding.end > (finding.start or 0)
        assert finding.quote == draft[finding.start : finding.end]
        assert finding.sentence is None or finding.sentence in sentences(draft)
        assert finding.severity == SEVERITY[finding.rule]
    assert findings == lint(draft, post, signals)


@given(st.sampled_from([case for case in CASES if case["wanted"] == "yes" and not case["known"]]), texts)
def test_a_finding_goes_with_its_sentence(case: dict[str, str], post: str) -> None:
    # Found with the post of the table; without its sentence it is found with no post.
    draft = draft_of(case)
    while found := [each for each in lint(draft, POST) if each.rule == case["rule"]]:
        draft = without(draft, found[0])
    assert case["rule"] not in rules(draft, POST)


def without(draft: str, finding: Finding) -> str:
    """The draft without the words of a finding; it becomes shorter each time."""
    assert finding.start is not None and finding.end is not None
    return draft[: finding.start] + draft[finding.end :]
