"""A round from posts and answers to people who rank them blindly."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager

import pytest

from app.engine.protocol import Finished
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from app.ranking.answering import Answerer
from app.ranking.posts import read_posts, sample, with_checks
from app.ranking.rounds import MAX_SECONDS, next_task, rank, set_up, task
from storage.ranking_records import NewItem, NewSystem
from tests.app.ranking.conftest import PEOPLE, SYSTEMS, TOPICS

PATIENCE_S = 20.0


def refused(code: str, call, *args, **values) -> dict[str, object]:
    with pytest.raises(DeskError) as error:
        call(*args, **values)
    assert error.value.code == code
    return error.value.values


def test_posts_are_read_once_each_with_their_answers(posts_file) -> None:
    file = posts_file(3)
    file.write_text("\ufeff" + file.read_text("utf-8") + "\n\n" + file.read_text("utf-8").split("\n")[0], "utf-8")
    posts = read_posts(file)
    assert [post.title for post in posts] == ["信0", "信1", "信2"]
    assert posts[1].topic == "学业" and posts[1].answers["乙机"] == "乙机回第1封信。"


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", '{"description": ""}', '{"description": "信", "answers": {"甲": ""}}', '{"description": 3}',
     '{"description": "信", "answers": []}', json.dumps({"description": "信", "topic": "长" * 41})],
)  # fmt: skip
def test_a_line_that_is_no_post_is_named(tmp_path, line) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text('{"description": "信"}\n' + line, "utf-8")
    assert refused("ranking_posts_line", read_posts, file) == {"line": 2}
    file.write_text("\n", "utf-8")
    refused("ranking_posts_missing", read_posts, file)
    refused("ranking_posts_missing", read_posts, tmp_path / "none.jsonl")


def test_topics_are_sampled_evenly_and_the_same_again(posts_file) -> None:
    posts = [*read_posts(posts_file(30)), *(NewItem("", f"多的{n}", "工作") for n in range(50))]
    drawn = sample(posts, 12, seed=3)
    assert Counter(post.topic for post in drawn) == {topic: 4 for topic in TOPICS}
    assert drawn == sample(posts[::-1], 12, seed=3) != sample(posts, 12, seed=4)
    assert len(sample(posts, 999, seed=3)) == 80


def test_a_check_has_no_answer_yet_where_one_is_planted(posts_file) -> None:
    made = with_checks(read_posts(posts_file(10)), SYSTEMS, 4, seed=3)
    assert [post.check for post in made] == [None] * 6 + ["copy", "off_topic"] * 2
    for post in made[6:]:
        assert set(post.answers) == set(SYSTEMS) - {post.planted}


def test_an_imported_system_needs_an_answer_to_each_post(store, posts_file) -> None:
    posts = (*read_posts(posts_file(3)), NewItem("", "没人回的信"))
    values = {"posts": posts, "count": 3, "models": (), "annotators": PEOPLE}
    assert refused("ranking_answers_gap", set_up, store, store.person("主管"), "一月", "", **values) == {"system": 1}
    bare = {**values, "posts": (NewItem("", "没人回的信"),)}
    refused("round_too_small", set_up, store, store.person("主管"), "一月", "", **bare)
    refused("name_missing", set_up, store, store.person("主管"), " ", "", **values)
    refused("text_too_long", set_up, store, store.person("主管"), "一月", "长" * 4001, **values)


def test_people_rank_by_position_and_go_on_where_they_were(store, opened) -> None:
    chosen, person = opened(4), store.person("王敏")
    first = next_task(store, chosen, person)
    assert (first.done, first.total) == (0, 4)
    assert sorted(first.answers) == sorted(f"{system}回第{first.post.title[1:]}封信。" for system in SYSTEMS)
    # Nothing was said of it: the same post, in the same order.
    assert next_task(store, chosen, person) == first
    rank(store, chosen, person, first.item_id, [2, 1, 2], none_fits=False, seconds=1e9)
    second = next_task(store, chosen, person)
    assert second.item_id != first.item_id and second.done == 1
    again = task(store, chosen, person, first.item_id)
    assert again.answers == first.answers
    rank(store, chosen, person, second.item_id, [0, 0, 0], none_fits=True, seconds=-5)
    refused("ranking_malformed", rank, store, chosen, person, second.item_id, [1, 2], none_fits=False, seconds=1)
    refused("not_an_annotator", next_task, store, chosen, store.person("路人"))
    store.ranking.lock(chosen.id, person.id)
    refused("round_state", next_task, store, chosen, person)
    kept = {ranked.item_id: ranked for ranked in store.ranking.results(chosen.id).rankings}
    names = {system.id: system.name for system in store.ranking.results(chosen.id).systems}
    assert names[kept[first.item_id].shown[1]] == first.answers[1][:2]
    assert kept[first.item_id].places == (2, 1, 2) and kept[first.item_id].seconds == MAX_SECONDS
    assert kept[second.item_id].places == (1, 1, 1) and kept[second.item_id].seconds == 0


@pytest.fixture
def answerer(store):
    """Starts an answerer that has the given engines, by the names of the systems."""
    made = []

    def start(engines):
        closed = []

        @contextmanager
        def open_engine(system):
            yield engines[system.name]
            closed.append(system.name)

        made.append(Answerer(store, open_engine))
        return made[-1], closed

    yield start
    for each in made:
        each.close()


def models(store, posts_file, checks: int = 0, names=("模型一", "模型二"), count: int = 3):
    return set_up(
        store, store.person("主管"), "一月", "", posts=read_posts(posts_file(9, ("外来",))), count=count,
        models=[NewSystem(name, "model") for name in names], annotators=PEOPLE, checks=checks, seed=7,
    )  # fmt: skip


def test_answers_are_drafted_in_the_background_a_system_after_the_other(store, posts_file, answerer) -> None:
    chosen = models(store, posts_file, checks=2)
    runs, closed = answerer({"模型一": ScriptedEngine(), "模型二": ScriptedEngine({"answer": "另一封回信。"})})
    before = store.ranking.progress(chosen.id)
    assert before.wanted == 15 and 3 <= before.answers <= 5
    runs.start(chosen)
    assert runs.wait(chosen.id, PATIENCE_S).state == "idle"
    assert closed == ["模型一", "模型二"] and store.ranking.missing(chosen.id) == []
    items, answers = store.ranking.written(chosen.id)
    texts = {(answer.item_id, answer.system_id): answer for answer in answers}
    assert Counter(answer.text for answer in answers)[PARTS["answer"]] >= 3
    copied = next(item for item in items if item.check == "copy")
    planted = texts[copied.id, copied.planted_system_id]
    others = [answer.text for answer in answers if answer.item_id == copied.id and answer is not planted]
    assert planted.text in others and planted.latency_s is None
    strayed = next(item for item in items if item.check == "off_topic")
    elsewhere = {answer.text for answer in answers if answer.system_id == strayed.planted_system_id}
    assert texts[strayed.id, strayed.planted_system_id].text in elsewhere
    assert store.ranking.open(chosen.id, chosen.author.id).state == "open"


def test_a_pause_keeps_what_is_written_and_a_start_goes_on(store, posts_file, answerer) -> None:
    chosen = models(store, posts_file, names=("模型一",))
    gate = Gate()
    runs, _ = answerer({"模型一": ScriptedEngine(gate=gate)})
    runs.start(chosen)
    gate.wait_until_held()
    runs.pause(chosen.id)
    assert runs.state(chosen.id).state == "paused"
    gate.open()
    runs.start(chosen)
    assert runs.wait(chosen.id, PATIENCE_S).state == "idle"
    assert store.ranking.missing(chosen.id) == []


def test_an_answer_that_a_stop_cut_off_is_written_again(store, posts_file, answerer) -> None:
    chosen = models(store, posts_file, names=("模型一",), count=1)

    class Stopped(ScriptedEngine):
        """As if a counselor had pressed stop while this wrote."""

        cuts = 0

        def generate(self, prompt, script, samplings):
            for event in super().generate(prompt, script, samplings):
                if isinstance(event, Finished) and self.cuts < 2:
                    self.cuts += 1
                    yield Finished(True, 1, 0.1, 0.1, 1, 0.1)
                    return
                yield event

    engine = Stopped()
    runs, _ = answerer({"模型一": engine})
    runs.start(chosen)
    assert runs.wait(chosen.id, PATIENCE_S).state == "idle"
    assert engine.cuts == 2 and store.ranking.missing(chosen.id) == []


def test_an_engine_that_fails_is_told_of_and_can_be_tried_again(store, posts_file, answerer) -> None:
    chosen = models(store, posts_file, names=("模型一",))
    engines = {"模型一": ScriptedEngine(errors={"L2": DeskError("engine_crashed")})}
    runs, _ = answerer(engines)
    runs.start(chosen)
    ended = runs.wait(chosen.id, PATIENCE_S)
    assert ended.state == "failed" and ended.error.code == "engine_crashed"
    assert len(store.ranking.missing(chosen.id)) == 3
    engines["模型一"] = ScriptedEngine()
    runs.start(chosen)
    assert runs.wait(chosen.id, PATIENCE_S).state == "idle"
    # The thread outlives what nobody foresaw.
    second = models(store, posts_file, names=("没有",))
    runs.start(second)
    assert runs.wait(second.id, PATIENCE_S).error.code == "internal"
    assert runs.state(chosen.id).state == "idle"
