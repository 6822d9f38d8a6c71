"""From rankings to figures: a round of three systems, ten posts and four people."""

from __future__ import annotations

import dataclasses

import pytest

from app.errors import DeskError
from app.ranking.figures import figures, passed
from app.ranking.posts import read_posts
from app.ranking.rounds import set_up
from storage.ranking_records import Item, Ranked
from storage.records import Post
from tests.app.ranking.conftest import PEOPLE, TOPICS


def as_named(*order: str):
    """A judge who places systems by their names; those in one string are tied."""

    def judge(answers: tuple[str, ...]) -> list[int]:
        return [next(place for place, group in enumerate(order) if answer[0] in group) for answer in answers]

    return judge


@pytest.fixture
def told(store, opened, rank_all):
    """Two people agree on 甲 before 乙 before 丙, one ties the first two, and one finds that none fits."""
    chosen = opened()
    judges = [as_named("甲", "乙", "丙"), as_named("甲", "乙", "丙"), as_named("甲乙", "丙"), as_named("甲乙丙")]
    for name, judge in zip(PEOPLE, judges, strict=True):
        assert rank_all(chosen, store.person(name), judge, none_fits=name == PEOPLE[-1]) == 10
    with pytest.raises(DeskError) as error:
        figures(store, chosen.id)
    assert error.value.code == "round_state"
    store.ranking.lock(chosen.id, chosen.author.id)
    return figures(store, chosen.id)


def test_the_figures_are_those_worked_out_by_hand(told) -> None:
    assert (told.rankings, told.posts, told.people, told.none_fits, told.median_s) == (40, 10, 4, 10, 30)
    first, second, third = told.standings
    assert [standing.system.name for standing in told.standings] == ["甲机", "乙机", "丙机"]
    # Of four people: first for two, half of it for one, a third for one.
    assert first.win1.value == pytest.approx((2 + 1 / 2 + 1 / 3) / 4)
    assert second.win1.value == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert third.win1.value == pytest.approx((1 / 3) / 4)
    assert first.win2.value == pytest.approx((3 + 2 / 3) / 4)
    assert first.mean_rank.value == pytest.approx((1 + 1 + 1.5 + 2) / 4)
    assert third.mean_rank.value == pytest.approx((3 + 3 + 3 + 2) / 4)
    assert sum(one.win1.value for one in told.standings) == pytest.approx(1)
    assert sum(one.win2.value for one in told.standings) == pytest.approx(2)
    assert sum(one.mean_rank.value for one in told.standings) == pytest.approx(6)
    # Every post says the same: an interval over posts has no width.
    assert first.win1.low == pytest.approx(first.win1.value) == pytest.approx(first.win1.high)
    # Sums of ranks 5.5, 7.5, 11 about 8: S = 15.5; ties 0, 0, 6, 24; W = 12 * 15.5 / (16 * 24 - 4 * 30).
    assert told.kendall_w == pytest.approx(186 / 264) and told.kendall_posts == 10
    assert 0 < told.alpha < 1
    assert sum(told.position.shares) == pytest.approx(1) and told.position.p > 0.05


def test_topics_are_told_apart(told) -> None:
    assert {topic.topic: (topic.posts, topic.rankings) for topic in told.topics} == {
        "工作": (4, 16),
        "学业": (3, 12),
        "家庭": (3, 12),
    }
    for topic in told.topics:
        assert sum(topic.win1) == pytest.approx(1) and sum(topic.mean_rank) == pytest.approx(6)
    assert {topic.topic for topic in told.topics} == set(TOPICS)


def test_a_round_that_nobody_ranked_has_no_figures(store, opened) -> None:
    chosen = opened(2)
    store.ranking.lock(chosen.id, chosen.author.id)
    assert figures(store, chosen.id) is None


ITEM = Item(1, Post(1, "", "信", None), "", "copy", 3)
TEXTS = {(1, 1): "同一封", (1, 2): "另一封", (1, 3): "同一封"}


@pytest.mark.parametrize(
    ("check", "places", "none_fits", "saw"),
    [
        ("copy", (1, 2, 1), False, True),
        ("copy", (1, 1, 2), False, False),
        ("copy", (1, 1, 1), True, True),
        ("off_topic", (1, 2, 3), False, True),
        ("off_topic", (1, 2, 2), False, True),
        ("off_topic", (1, 3, 2), False, False),
        ("off_topic", (1, 1, 1), False, False),
        ("off_topic", (1, 1, 1), True, True),
    ],
)
def test_attention_is_who_saw_through_what_was_planted(check, places, none_fits, saw) -> None:
    ranked = Ranked(1, 1, (1, 2, 3), places, none_fits, 1.0, None)
    assert passed(dataclasses.replace(ITEM, check=check), ranked, TEXTS) is saw


def test_checks_are_counted_for_each_person_and_for_no_system(store, posts_file, rank_all) -> None:
    author = store.person("主管")
    made = set_up(
        store, author, "一月", "", posts=read_posts(posts_file(6)), count=4, checks=2, models=(),
        annotators=PEOPLE[:2], seed=7,
    )  # fmt: skip
    items, _ = store.ranking.written(made.id)
    for item, system in store.ranking.missing(made.id):
        # What would be planted in the background: a copy, and an answer to another letter.
        own = next(a for a in store.ranking.written(made.id)[1] if a.item_id == item.id and a.system_id != system.id)
        text = own.text if item.check == "copy" else "别的信的回信。"
        store.ranking.add_answer(made.id, item.id, system.id, text, None)
    chosen = store.ranking.open(made.id, author.id)

    def careful(answers):
        return [3 if answer.startswith("别") else 1 + (answer != min(answers)) for answer in answers]

    rank_all(chosen, store.person(PEOPLE[0]), careful)
    rank_all(chosen, store.person(PEOPLE[1]), lambda answers: [1, 2, 3])
    store.ranking.lock(chosen.id, author.id)
    told = figures(store, chosen.id)
    assert told.rankings == 8 and told.posts == 4
    careful_one, hasty_one = told.attention
    assert careful_one.seen + careful_one.missed == hasty_one.seen + hasty_one.missed == 2
    assert careful_one.missed == 0 and hasty_one.missed >= 1
