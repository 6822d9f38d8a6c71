"""Drafts run whether or not a page looks; what was written is in the store whatever ends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.catalog import Card
from app.chain import SECTIONS, parse, render
from app.drafting import MAX_JOBS_A_PERSON, Drafter, Snapshot, complete, compose_whole, response_script
from app.engine.protocol import Sampling, Section
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from app.scoring import Scorer
from storage.records import Person
from storage.store import Store

PATIENCE_S = 20.0
QUANTILES = tuple(percent / 100 for percent in range(101))
POLICY = Card("policy", "policy", Path("p.gguf"), "a" * 64, 1, 1, 4096, "写", "writes", "reward")
REWARD = Card("reward", "reward", Path("r.gguf"), "b" * 64, 1, 1, 512, "评", "scores", None, 0.2, QUANTILES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def author(store: Store) -> Person:
    return store.person("作者")


class Watch:
    """A drafter that tells when a draft is over."""

    def __init__(self, drafter: Drafter):
        self.drafter = drafter

    def until_over(self, draft_id: int) -> Snapshot:
        patience = time.monotonic() + PATIENCE_S
        while not (now := self.drafter.snapshot(draft_id)).over:
            if time.monotonic() > patience:
                raise TimeoutError(now.stage)
            time.sleep(0.005)
        return now


@pytest.fixture
def watched(store: Store) -> Iterator[Callable[[ScriptedEngine], Watch]]:
    made: list[Watch] = []

    def watch(engine: ScriptedEngine) -> Watch:
        made.append(Watch(Drafter(store, engine, POLICY, Scorer(engine, REWARD))))
        return made[-1]

    yield watch
    for each in made:
        each.drafter.close()


def test_the_script_forces_the_frame_and_frees_every_section() -> None:
    script = response_script()
    text = "".join(PARTS[part.name] if isinstance(part, Section) else part for part in script)
    assert parse(text).parts() == PARTS
    assert [part.name for part in script if isinstance(part, Section)] == list(SECTIONS)
    assert text == render(complete(PARTS))


def test_compose_whole_gives_a_parsed_response_and_its_timings() -> None:
    response, timings = compose_whole(ScriptedEngine(), "信", Sampling(seed=1))
    assert response.parts() == PARTS
    assert timings["decode_tokens"] == sum(map(len, PARTS.values())) and "stopped" not in timings


def test_a_section_of_white_space_alone_is_a_malformed_response(watched, author) -> None:
    watch = watched(ScriptedEngine({"L3": "  \n"}))
    now = watch.until_over(watch.drafter.start(author, "", "信"))
    assert now.stage == "failed" and now.error.code == "response_malformed" and now.error.values == {"section": "L3"}
    assert now.parts["answer"] == PARTS["answer"]


def test_a_draft_ends_stored_scored_and_told_how_it_was_made(store, watched, author) -> None:
    watch = watched(ScriptedEngine())
    draft_id = watch.drafter.start(author, " 题 ", "信\r\n第二行\x00")
    now = watch.until_over(draft_id)
    draft = store.draft(draft_id)
    assert now.stage == draft.status == "done"
    assert dict(draft.sections) == PARTS
    assert (draft.post.title, draft.post.description) == ("题", "信\n第二行")
    assert draft.model_sha256 == POLICY.sha256 and draft.score.reward_sha256 == REWARD.sha256
    assert draft.timings["decode_tokens"] > 0 and draft.timings["score_s"] >= 0
    assert draft.sampling["seed"] == draft.seed


def test_the_snapshot_follows_the_engine_and_the_row_follows_the_snapshot(store, watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine({"L1": "一二三四五六七八", "L2": "甲乙丙丁"}, gate=gate))
    draft_id = watch.drafter.start(author, "", "信")
    gate.step(2)
    gate.wait_until_held()
    now = watch.drafter.snapshot(draft_id)
    assert now.stage == "reading" and now.read_tokens == now.prompt_tokens > 0
    gate.step(1)
    gate.wait_until_held()
    now = watch.drafter.snapshot(draft_id)
    assert (now.stage, now.section, now.parts) == ("writing", "L1", {"L1": "一二三四"})
    gate.step(3)  # the rest of L1, its end, and the whole of L2
    gate.wait_until_held()
    assert watch.drafter.snapshot(draft_id).parts == {"L1": "一二三四五六七八", "L2": "甲乙丙丁"}
    assert store.draft(draft_id).sections["L1"] == "一二三四五六七八"
    gate.open()
    assert watch.until_over(draft_id).stage == "done"


def test_a_stop_keeps_what_was_written(store, watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine(gate=gate))
    draft_id = watch.drafter.start(author, "", "信")
    gate.step(4)
    gate.wait_until_held()
    watch.drafter.stop(draft_id)
    now = watch.until_over(draft_id)
    draft = store.draft(draft_id)
    assert now.stage == draft.status == "stopped"
    assert draft.sections == {"L1": PARTS["L1"][:8]} and draft.score is None


def test_a_stop_before_the_first_event_is_not_lost(store, watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine(gate=gate))
    first = watch.drafter.start(author, "", "一")
    gate.wait_until_held()
    second = watch.drafter.start(author, "", "二")
    assert watch.drafter.snapshot(second).ahead == 1
    watch.drafter.stop(second)
    assert watch.drafter.snapshot(second).stage == store.draft(second).status == "stopped"
    gate.open()
    assert watch.until_over(first).stage == "done"


@pytest.mark.parametrize("code", ["engine_crashed", "post_too_long"])
def test_an_engine_error_fails_the_draft_keeps_its_text_and_the_next_one_runs(store, watched, author, code) -> None:
    watch = watched(ScriptedEngine(errors={"L3": DeskError(code, tokens=5000, limit=4096)}))
    draft_id = watch.drafter.start(author, "", "信")
    now = watch.until_over(draft_id)
    assert now.stage == "failed" and now.error.code == code and now.error.values["limit"] == 4096
    assert store.draft(draft_id).error_code == code
    assert store.draft(draft_id).sections == {"L1": PARTS["L1"], "L2": PARTS["L2"]}
    # The thread outlived it: a second draft gets as far as the first.
    assert watch.until_over(watch.drafter.start(author, "", "再来")).error.code == code


def test_one_person_has_one_draft_running_and_one_waiting_and_others_are_not_held_up(store, watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine(gate=gate))
    for _ in range(MAX_JOBS_A_PERSON):
        watch.drafter.start(author, "", "信")
    with pytest.raises(DeskError) as refused:
        watch.drafter.start(author, "", "信")
    assert refused.value.code == "draft_pending"
    other = watch.drafter.start(store.person("别人"), "", "信")
    assert watch.drafter.snapshot(other).ahead == MAX_JOBS_A_PERSON
    gate.open()
    assert watch.until_over(other).stage == "done"


def test_the_same_post_drafted_again_is_one_post_and_a_changed_one_another(store, watched, author) -> None:
    watch = watched(ScriptedEngine())
    first = watch.drafter.start(author, "题", "信")
    watch.until_over(first)
    again = watch.drafter.start(author, "题", "信 ", previous=store.draft(first))
    changed = watch.drafter.start(author, "题", "信改了", previous=store.draft(first))
    watch.until_over(changed)
    assert store.draft(again).post.id == store.draft(first).post.id != store.draft(changed).post.id


def test_a_desk_that_ends_leaves_partial_text_and_a_new_one_says_so(tmp_path: Path) -> None:
    store, gate = Store.open(tmp_path / "data"), Gate()
    drafter = Drafter(store, ScriptedEngine({"L1": "一二三四"}, gate=gate), POLICY, None)
    draft_id = drafter.start(store.person("作者"), "", "信")
    gate.step(4)
    gate.wait_until_held()
    # As after kill -9: nobody ends the draft, a new desk opens the same folder.
    again = Store.open(tmp_path / "data")
    fresh = Drafter(again, ScriptedEngine(), POLICY, None)
    now = fresh.snapshot(draft_id)
    assert now.stage == "interrupted" and now.parts == {"L1": "一二三四"}
    fresh.close()
    drafter.close()
    again.close()
    store.close()


def test_without_a_reward_model_a_draft_is_done_and_has_no_score(store, author) -> None:
    drafter = Drafter(store, ScriptedEngine(), POLICY, None)
    now = Watch(drafter).until_over(drafter.start(author, "", "信"))
    assert now.stage == "done" and now.score is None
    drafter.close()
