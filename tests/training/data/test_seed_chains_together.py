"""The seed chains beside each other: each check of the set finds what was put in. test_cli runs them all on all."""

from __future__ import annotations

import dataclasses

import pytest

from app.safety.help_lines import help_lines
from training.data.seed_chains import (
    FOLDER,
    SeedChain,
    Triple,
    check_corpora,
    check_coverage,
    check_openers,
    check_particulars,
    check_shared_runs,
    check_triples,
    distinct_1,
    echoed,
    read_seed_chains,
)
from training.data.topics import taxonomy

CHINESE = [chain for chain in read_seed_chains() if chain.language == "zh"]
QUIET = [chain for chain in CHINESE if not chain.signals][:12]
PLAIN = QUIET[0]
RARE = "".join(chr(0x9F00 + number) for number in range(40))
"""A run of characters that stands in no chain."""


def answering(chain: SeedChain, answer: str) -> SeedChain:
    return dataclasses.replace(chain, response=dataclasses.replace(chain.response, answer=answer))


def with_layer(chain: SeedChain, layer: str) -> SeedChain:
    return dataclasses.replace(chain, response=dataclasses.replace(chain.response, L1=layer))


def test_every_topic_has_a_file_of_its_own():
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == {*taxonomy(), "english"}


def test_two_chains_may_share_a_run_of_nine_characters_and_three_may_not():
    shared = [with_layer(chain, f"{number}{RARE[:9]}{number}") for number, chain in enumerate(QUIET[:3])]
    assert not list(check_shared_runs([*shared[:2], *QUIET[2:]]))
    [(name, fault)] = check_shared_runs([*shared, *QUIET[3:]])
    assert name == shared[2].id
    assert fault == f"{RARE[:9]!r} stands in {', '.join(chain.id for chain in shared)}; two may share it"
    eight = [with_layer(chain, f"{number}{RARE[:8]}{number}") for number, chain in enumerate(QUIET[:3])]
    assert not list(check_shared_runs(eight))


def test_the_name_of_a_help_line_may_recur():
    line = help_lines()[0]
    assert len(line.zh) >= 9
    named = [answering(chain, f"{chain.answer}{line.zh}（{line.number}）") for chain in QUIET[:4]]
    assert not list(check_shared_runs(named))


def test_answers_that_begin_alike_and_titles_used_twice_are_found():
    assert not list(check_openers(QUIET))
    same = answering(QUIET[3], QUIET[1].answer[:6] + QUIET[3].answer)
    assert [name for name, _ in check_openers([*QUIET[:3], same])] == [same.id]
    same = dataclasses.replace(QUIET[3], title=QUIET[1].title)
    [(name, fault)] = check_openers([*QUIET[:3], same])
    assert name == same.id and fault.endswith(f"also begins or heads {QUIET[1].id}")


def test_an_answer_that_would_fit_anybody_takes_up_too_little_of_its_post():
    assert not list(check_particulars(QUIET))
    anybody = answering(QUIET[5], "谁都会有难的时候，先好好歇一歇，一切慢慢来。" * 20)
    [(name, fault)] = check_particulars([*QUIET[:5], anybody, *QUIET[6:]])
    assert name == anybody.id and fault.startswith("the answer takes up 0 particulars of the post")


def test_a_word_that_stands_in_most_posts_is_no_particular():
    told = "收音机、外套、石榴。"
    chain = answering(dataclasses.replace(QUIET[5], description=QUIET[5].description + told), told * 40)
    others = [*QUIET[:5], *QUIET[6:]]
    assert not list(check_particulars([chain, *others]))
    alike = [dataclasses.replace(other, description=other.description + told) for other in others]
    assert [name for name, _ in check_particulars([chain, *alike])] == [chain.id]


def test_thirteen_characters_shared_with_the_corpora_are_found_and_twelve_are_not():
    chain = with_layer(QUIET[2], RARE[:14])
    chains = [*QUIET[:2], chain]
    assert not list(check_corpora(chains, [RARE[:12], "", "短", RARE[20:]]))
    [(name, fault)] = check_corpora(chains, ["前面" + RARE[:14] + "后面", RARE[1:14]])
    assert (name, fault) == (chain.id, "2 runs of 13 characters also stand in the corpora")


def test_what_is_missing_of_the_whole_is_told():
    some = [chain for chain in CHINESE if chain.topic in ("grief", "money")]
    found = {fault for _, fault in check_coverage(some)}
    assert f"{len(some)} instances in zh, 240 are asked for" in found
    assert f"{sum(bool(chain.signals) for chain in some)} instances with signals, 30 are asked for" in found
    assert "0 instances of exams, 6 are asked for" in found and "no instance of exams, 考试焦虑" in found
    assert not any("grief" in fault or "Distinct" in fault for fault in found)
    fewer = [chain for chain in some if chain.subtopic != "丧偶"]
    assert {fault for _, fault in check_coverage(fewer)} - found >= {"no instance of grief, 丧偶"}


def test_answers_that_repeat_themselves_and_ids_used_twice_are_told():
    dull = answering(PLAIN, "慢慢来，不着急，" * 50)
    told = [(name, fault) for name, fault in check_coverage([dull, dull]) if "Distinct" in fault or name == dull.id]
    assert told == [
        ("all", f"Distinct-1 is {distinct_1(dull.answer, 'zh'):.3f} in the mean over answers, 0.375 is asked for"),
        (dull.id, "2 instances have this id"),
    ]


POST = "外婆走后，舅舅把那台收音机给了我，我一直没有打开过。"
ASKED = [dataclasses.replace(chain, title="", description=POST) for chain in QUIET[:2]]
GOOD = Triple(
    QUIET[0].id, "升职的事恭喜你，今晚去吃顿好的。", "多喝水，早点休息。", "舅舅把那台收音机给了你，你一直没有打开过。"
)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"echo": GOOD.mismatched}, "the echo takes 0% of its text from the post, 70% is asked for"),
        ({"generic": GOOD.echo}, "the generic answer takes 100% of its text from the post"),
        ({"mismatched": GOOD.echo}, "the mismatched answer is an echo"),
        ({"id": "lost-01"}, "a triple of an instance that is not there"),
        ({"id": QUIET[1].id}, "2 triples of one instance"),
    ],
)
def test_a_triple_that_is_not_what_it_says_is_found(values, fault):
    good = dataclasses.replace(GOOD, id=QUIET[1].id)
    few = ("triples", "2 triples, 60 are asked for")
    assert list(check_triples([GOOD, good], ASKED)) == [few]
    doctored = dataclasses.replace(GOOD, **values)
    assert list(check_triples([doctored, good], ASKED)) == [few, (doctored.id, fault)]


def test_an_echo_is_measured_in_characters_of_runs_of_four():
    assert echoed("一二三四五六七八", "一二三四") == 0.5
    assert echoed("一二三五六七", "一二三四五六七") == 0
    assert echoed("你很难过", "我很难过") == 1
    assert echoed("", "我") == 0
