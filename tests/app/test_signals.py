"""What a post says of dying and harm must be found, what only sounds like it left alone, whatever stands around it.

`signal_sentences.tsv` was written against frozen phrases, in three rounds; `app/safety/README.md` tells how the phrases
did at first look at each, before they were mended by it. What they get wrong today stands in `KNOWN`.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.safety.folding import fold
from app.safety.signals import SIGNALS, Signal, phrases, scan, urgency
from training.data import seed_chains

MAX_AGE_DAYS = 365

KNOWN = {
    "体检单上写着一切正常，我居然有点失落，盼着查出点什么来。": "a wish for an illness, without its name",
    "脑子里有个声音一直叫我去那边，说那边不用还钱。": "那边 alone is any place",
    "也许该由我自己按下停止键。": "an image",
    "每次路过那座桥，我都会停下来看一会儿水，算一算有多深。": "no word of dying",
    "过完女儿的生日就可以了，我答应过陪她吹蜡烛。": "a date, without what it is for",
    "机票只买了去的，那个地方我大学就想好要留在那里。": "a one-way ticket in other words",
    "这两天把猫托付给了楼下的阿姨，手机相册也清空了，心里反而很轻。": "a hint counts beside another",
    "他心情不好的时候，家里的碗和我都不太完整。": "blows told as a joke",
    "我怀里抱着她哭的时候，会看见自己松手的画面，一遍一遍。": "harm without a word of harm",
    "儿子最近把游戏账号都送人了，还问我，如果没有他我会不会轻松一点。": "a child's 我, retold as 他",
    "我怕我哪天撑不住就真的做了那件事。": "那件事 may be anything",
    "我把银行卡和密码都告诉我姐了，她还以为我要出差。": "a hint counts beside another",
    "有时候会想，万一飞机掉下去，那也挺好的。": "an accident that is not the writer's",
    "我活在这个家里就是多出来的那一个，少了我他们才像一家人。": "a burden in other words",
    "我搜过那种气体，也看过别人写的步骤，看完就删了记录。": "no word of dying",
    "房租只交到月底，因为下个月我用不着了。": "no word of dying",
    "我已经决定了，除夕夜，大家都在看烟花的时候。": "a date, without what it is for",
    "我给爸妈录了一段视频，存在云盘里设了定时发送。": "a farewell in other words",
    "我会把开水往自己手上倒，家里人以为是不小心。": "words in an order that no phrase has",
    "看着他熟睡的样子，我手里攥着枕头，差一点就捂下去了。": "words in an order that no phrase has",
    "儿子考砸了说他不想活了一样地哭，其实十分钟后就在打游戏。": "a figure of speech, retold",
}
"""Sentences that the phrases get wrong today, and why. A test fails as soon as one of them is mended."""


class Case(NamedTuple):
    group: str
    kind: str
    urgency: str
    text: str


with Path(__file__).with_name("signal_sentences.tsv").open(encoding="utf-8") as lines:
    CASES = [Case(**row) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
HARMLESS = [case for case in CASES if case.urgency == "none"]
SIGNIFICANT = [case for case in CASES if case not in HARMLESS]


def marked(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=KNOWN[case.text], strict=True)] if case.text in KNOWN else []
    return pytest.param(case, id=case.text, marks=marks)


def words(text: str) -> list[tuple[str, str]]:
    return [(signal.kind, text[signal.start : signal.end]) for signal in scan(text)]


@pytest.mark.parametrize("case", [marked(case) for case in SIGNIFICANT])
def test_a_signal_is_found_and_as_urgent_as_it_is(case: Case) -> None:
    assert urgency(scan(case.text)) == case.urgency


@pytest.mark.parametrize("case", [marked(case) for case in HARMLESS])
def test_what_only_sounds_like_it_is_left_alone(case: Case) -> None:
    assert scan(case.text) == ()


def test_every_plain_sentence_has_its_kind() -> None:
    plain = [case for case in CASES if case.group == "clear"]
    assert [case.text for case in plain if case.kind not in {signal.kind for signal in scan(case.text)}] == []


# The four ways in which context changes what a phrase means.


@pytest.mark.parametrize(
    ("text", "kind", "denied"),
    [
        ("我没有想过自杀。", "active_ideation", True),
        ("我从来没有自残过。", "self_harm", True),
        ("I'm not suicidal, just tired.", "active_ideation", True),
        ("不是想自杀，就是累。", "active_ideation", True),
        ("是不是想自杀的人都这样？", "active_ideation", False),
        ("我会不会自杀？", "active_ideation", False),
        ("要不是孩子我早自杀了。", "active_ideation", False),
        ("想自杀又不敢。", "active_ideation", False),
    ],
)
def test_a_denial_is_shown_as_one(text: str, kind: str, denied: bool) -> None:
    assert [(signal.kind, signal.denied, signal.urgency) for signal in scan(text)] == [(kind, denied, "assess_first")]


@pytest.mark.parametrize("text", ["我不想死。", "他从来没打过我。", "I don't want to die."])
def test_the_reverse_of_a_signal_is_none(text: str) -> None:
    assert scan(text) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("我朋友说他想死。", "third_person"),
        ("她哭着说：“我不想活了。”", "third_person"),
        ("My sister said she wants to die.", "third_person"),
        ("我跟我妈说我想死。", "passive_ideation"),
        ("老公出轨，想死。", "passive_ideation"),
        ("被他气得想死。", "passive_ideation"),
        ("我对她说：“我不想活了。”", "passive_ideation"),
    ],
)
def test_who_is_meant(text: str, kind: str) -> None:
    assert [signal.kind for signal in scan(text)] == [kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("三年前割过腕。", "assess_first"),
        ("三年前割过腕，昨天又割腕了。", "act_now"),
        ("小时候爸爸总是打我。", "assess_first"),
        ("爸爸总是打我。", "act_now"),
        ("爸爸打我。", "assess_first"),
        ("我十四岁，爸爸打我。", "act_now"),
    ],
)
def test_when_it_was_decides_how_soon(text: str, expected: str) -> None:
    assert urgency(scan(text)) == expected


def test_hints_count_beside_a_thought_of_dying_or_beside_each_other() -> None:
    hint, thought = "我把猫送给了邻居。", "我不想活了。"
    assert scan(hint) == ()
    assert [signal.kind for signal in scan(thought + hint)] == ["passive_ideation", "preparation"]
    assert urgency(scan(thought + hint)) == "act_now"
    assert urgency(scan(hint + "银行卡密码写在信封里。")) == "assess_first"


def test_the_longer_of_two_overlapping_phrases_stands() -> None:
    assert words("我想割腕") == [("method", "想割腕")]
    assert words("我割腕了") == [("attempt", "割腕了")]


# Spelling.


@pytest.mark.parametrize(
    "text", ["想 死", "想*死", "想💀死", "想\u200b死", "想　死", "想…死", "想·亖", "想４了", "想4了"]
)
def test_hidden_words_are_found(text: str) -> None:
    assert scan(f"我{text}")[0].kind == "passive_ideation"


@pytest.mark.parametrize(
    "text", ["我想自殺", "我寫好遺書了", "他總是毆打我", "Ｋｉｌｌ Ｍｙｓｅｌｆ", "KILL MYSELF", "I can’t go on"]
)
def test_other_writing_is_read(text: str) -> None:
    assert scan(text)


@settings(deadline=None)  # the first call compiles the phrases
@given(st.text())
def test_every_character_of_a_folded_text_knows_its_place(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.places)
    assert list(folded.places) == sorted(set(folded.places))


# Any text.

PIECES = [
    *(case.text for case in CASES),
    *"想死不没他我。，“”\n 4*",
    "自杀",
    "三年前",
    "昨天",
    "朋友说",
    "我没有",
    "kill myself",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8).map("".join)


@settings(deadline=None)  # the first call compiles the phrases
@given(texts)
def test_signals_lie_inside_the_text_apart_and_in_order(text: str) -> None:
    signals = scan(text)
    edges = [edge for signal in signals for edge in (signal.start, signal.end)]
    assert edges == sorted(edges)
    assert all(0 <= signal.start < signal.end <= len(text) for signal in signals)
    assert {signal.kind for signal in signals} <= set(SIGNALS)


around = st.lists(st.sampled_from([case.text for case in HARMLESS]), max_size=3).map("".join)


@settings(deadline=None)  # the first call compiles the phrases
@given(st.sampled_from(SIGNIFICANT), around, around)
def test_what_is_written_around_it_takes_no_signal_away(case: Case, before: str, after: str) -> None:
    shift = len(before)
    wanted = {(signal.kind, signal.start + shift, signal.end + shift, signal.urgency) for signal in scan(case.text)}
    text = f"{before}{case.text}\n{after}"
    assert wanted <= {(signal.kind, signal.start, signal.end, signal.urgency) for signal in scan(text)}


def test_nothing_found_is_no_urgency() -> None:
    assert urgency(()) is None
    assert urgency((Signal("plan", 0, 1, "act_now"), Signal("method", 1, 2, "assess_first"))) == "act_now"


# The hand-written chains, on whole posts: the phrases were made with them in sight.


def test_posts_with_signals_are_flagged_and_few_others() -> None:
    chains = [chain for chain in seed_chains.read_seed_chains() if chain.language == "zh"]
    missed = {chain.id for chain in chains if chain.signals and not scan(chain.post)}
    assert missed <= {"direction-05", "grief-07", "meaning-02"}
    assert sum(bool(scan(chain.post)) for chain in chains if not chain.signals) <= 10


def test_somebody_reads_the_phrases_once_a_year() -> None:
    age = (datetime.now(UTC).date() - phrases().reviewed_on).days
    assert age <= MAX_AGE_DAYS, "read app/safety/signals.toml again, add the words of the year and set reviewed_on"
