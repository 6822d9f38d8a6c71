"""A round from set-up to its results, who may do what in it, and that raw SQL cannot do more."""

from __future__ import annotations

import pytest
from sqlalchemy import exc, text

from storage.errors import StorageError
from storage.ranking_records import NewItem, NewSystem

SYSTEMS = (NewSystem("甲", "model", "a" * 64), NewSystem("乙", "imported"))
ITEMS = (
    NewItem("夜班", "连着三周夜班，很累。", "工作", {"乙": "辛苦了。"}),
    NewItem("", "第二次没有考上。", "学业", {"甲": "难过是应该的。", "乙": "别灰心。"}),
)


@pytest.fixture
def create(store, people):
    def make(**changed):
        values = {"systems": SYSTEMS, "items": ITEMS, "annotators": [people.reviewer.id, people.other.id], **changed}
        return store.ranking.create("一月", "看四个方面", 7, people.author.id, **values)

    return make


@pytest.fixture
def opened(store, people, create):
    """A round of two posts and two systems that people may rank."""
    made = create()
    for item, system in store.ranking.missing(made.id):
        store.ranking.add_answer(made.id, item.id, system.id, f"{system.name}答{item.post.title}", 1.5)
    return store.ranking.open(made.id, people.author.id)


def refused(code: str, call, *args, **values) -> dict[str, object]:
    with pytest.raises(StorageError) as error:
        call(*args, **values)
    assert error.value.code == code
    return error.value.values


def rank(store, opened, person, places=(1, 2), item: int | None = None, **changed) -> None:
    item = item or next(iter(store.ranking.todo(opened.id, person.id)))
    shown = sorted(store.ranking.blind(opened.id, item, person.id).answers)
    store.ranking.rank(
        opened.id, item, person.id, **{"shown": shown, "places": places, "none_fits": False, "seconds": 3.0, **changed}
    )


def test_answers_come_in_until_the_round_opens(store, people, create) -> None:
    made = create()
    assert (made.state, made.author, made.seed) == ("setup", people.author, 7)
    ((item, system),) = store.ranking.missing(made.id)
    assert (item.post.title, system.name) == ("夜班", "甲")
    assert refused("round_incomplete", store.ranking.open, made.id, people.author.id) == {"missing": 1}
    refused("answer_empty", store.ranking.add_answer, made.id, item.id, system.id, " \n", None)
    store.ranking.add_answer(made.id, item.id, system.id, "先歇一歇。", 2.0)
    # What came first stays.
    store.ranking.add_answer(made.id, item.id, system.id, "又一封", 2.0)
    items, answers = store.ranking.written(made.id)
    assert item in items and "先歇一歇。" in [answer.text for answer in answers if answer.item_id == item.id]
    assert store.ranking.progress(made.id).answers == store.ranking.progress(made.id).wanted == 4
    assert store.ranking.open(made.id, people.author.id).state == "open"
    refused("round_state", store.ranking.add_answer, made.id, item.id, system.id, "晚了", None)
    refused("round_state", store.ranking.open, made.id, people.author.id)


@pytest.mark.parametrize(
    "changed",
    [
        {"systems": SYSTEMS[:1]},
        {"systems": (SYSTEMS[0], SYSTEMS[0])},
        {"items": ()},
        {"items": (NewItem("", "只有检查", check="copy", planted="甲"),)},
        {"annotators": []},
    ],
)
def test_a_round_too_small_is_not_made(store, create, changed) -> None:
    refused("round_too_small", create, **changed)
    assert store.ranking.rounds() == []


def test_an_annotator_sees_texts_alone_and_others_nothing(store, people, opened) -> None:
    refused("not_an_annotator", store.ranking.todo, opened.id, people.author.id)
    assert store.ranking.rounds_of(people.author.id) == []
    assert store.ranking.rounds_of(people.other.id) == [opened]
    item_id = min(store.ranking.todo(opened.id, people.other.id))
    blind = store.ranking.blind(opened.id, item_id, people.other.id)
    assert sorted(blind.answers.values()) == ["甲答夜班", "辛苦了。"]
    assert set(vars(blind)) == {"id", "post", "answers"}
    refused("not_an_annotator", store.ranking.blind, opened.id, item_id, people.author.id)
    refused("ranking_malformed", store.ranking.blind, opened.id, 99, people.other.id)
    refused("not_an_annotator", rank, store, opened, people.author, item=item_id)


def test_the_latest_ranking_counts_and_the_round_is_locked_for_good(store, people, opened) -> None:
    first, second = store.ranking.todo(opened.id, people.other.id)
    rank(store, opened, people.other, (1, 2), first)
    rank(store, opened, people.other, (2, 1), first)
    rank(store, opened, people.reviewer, (1, 1), second, none_fits=True)
    assert store.ranking.todo(opened.id, people.other.id) == {first: True, second: False}
    assert store.ranking.progress(opened.id).ranked == {people.reviewer: 1, people.other: 1}
    assert refused("round_state", store.ranking.results, opened.id) == {"state": "open", "needed": "locked"}
    assert store.ranking.lock(opened.id, people.author.id).state == "locked"
    results = store.ranking.results(opened.id)
    assert [(ranked.item_id, ranked.person_id, ranked.places) for ranked in results.rankings] == [
        (first, people.other.id, (2, 1)),
        (second, people.reviewer.id, (1, 1)),
    ]
    assert results.rankings[1].none_fits and results.rankings[0].seconds == 3.0
    assert [system.name for system in results.systems] == ["甲", "乙"]
    assert {answer.latency_s for answer in results.answers} == {1.5, None}
    refused("round_state", store.ranking.lock, opened.id, people.author.id)
    refused("round_state", store.ranking.todo, opened.id, people.other.id)
    refused("round_unknown", store.ranking.results, 99)
    refused("round_unknown", store.ranking.results, 2**70)


@pytest.mark.parametrize(
    "broken",
    [
        {"shown": [1]},
        {"shown": [1, 1]},
        {"shown": [1, 9]},
        {"places": (1,)},
        {"places": (0, 1)},
        {"places": ()},
        {"seconds": float("nan")},
        {"seconds": -1.0},
    ],
)
def test_half_a_ranking_is_refused(store, people, opened, broken) -> None:
    refused("ranking_malformed", rank, store, opened, people.other, **broken)


def test_a_ranking_of_another_rounds_item_is_refused(store, people, opened, create) -> None:
    other = create()
    foreign = store.ranking.missing(other.id)[0][0].id
    systems = sorted({answer.system_id for answer in store.ranking.written(opened.id)[1]})
    refused(
        "ranking_malformed",
        store.ranking.rank,
        opened.id,
        foreign,
        people.other.id,
        shown=systems,
        places=(1, 2),
        none_fits=False,
        seconds=1.0,
    )


RANKING = (
    "INSERT INTO rankings (round_id, item_id, person_id, shown, places, none_fits, seconds, created_at)"
    " SELECT round_id, item_id, person_id, shown, places, none_fits, {seconds}, created_at FROM rankings"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ranking_rounds SET state = 'setup', opened_at = NULL",
        "UPDATE ranking_rounds SET seed = 8",
        "UPDATE ranking_rounds SET guidelines = ''",
        "DELETE FROM ranking_rounds",
        "INSERT INTO ranking_systems (round_id, name, kind, sha256) SELECT id, '丙', 'model', '' FROM ranking_rounds",
        "UPDATE ranking_systems SET name = '丙'",
        "DELETE FROM ranking_items",
        "UPDATE ranking_items SET topic = ''",
        "UPDATE ranking_answers SET text = '换了'",
        "DELETE FROM ranking_answers",
        "DELETE FROM ranking_annotators",
        "UPDATE rankings SET seconds = 0",
        "DELETE FROM rankings",
        RANKING.format(seconds=-1),
        RANKING.replace("SELECT round_id, item_id, person_id", "SELECT round_id, item_id, 1").format(seconds=1),
        RANKING.replace("SELECT round_id, item_id", "SELECT round_id, 99").format(seconds=1),
    ],
)
def test_what_stands_in_an_open_round_holds_against_raw_sql(store, people, opened, raw, statement) -> None:
    rank(store, opened, people.other)
    assert people.author.id == 1
    with pytest.raises(exc.IntegrityError):
        raw.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ranking_rounds SET state = 'open', locked_at = NULL",
        "UPDATE ranking_rounds SET locked_at = opened_at",
        "INSERT INTO ranking_annotators (round_id, person_id) SELECT id, author_id FROM ranking_rounds",
        RANKING.format(seconds=1),
    ],
)
def test_nothing_changes_in_a_locked_round(store, people, opened, raw, statement) -> None:
    rank(store, opened, people.other)
    store.ranking.lock(opened.id, people.author.id)
    with pytest.raises(exc.IntegrityError):
        raw.execute(text(statement))


def test_an_erased_case_leaves_its_rounds(store, people, opened) -> None:
    first, second = store.ranking.todo(opened.id, people.other.id)
    rank(store, opened, people.other, item=first)
    rank(store, opened, people.other, item=second)
    post = store.ranking.blind(opened.id, first, people.other.id).post
    store.ranking.lock(opened.id, people.author.id)
    store.retention.erase(post.id, "asked", people.author.id)
    results = store.ranking.results(opened.id)
    assert {item.id for item in results.items} == {ranked.item_id for ranked in results.rankings} == {second}
    assert {answer.item_id for answer in results.answers} == {second}


def test_the_audit_trail_says_what_was_done_by_whom(store, people, opened) -> None:
    rank(store, opened, people.other)
    store.ranking.lock(opened.id, people.author.id)
    with store._database.read() as connection:
        events = connection.execute(text("SELECT code, person_id FROM audit_events ORDER BY id")).all()
    assert [tuple(event) for event in events] == [
        ("round_created", people.author.id),
        ("round_open", people.author.id),
        ("ranked", people.other.id),
        ("round_locked", people.author.id),
    ]
