"""Drafts run whether or not a page looks; what was written is in the store whatever ends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from app.catalog import Card
from app.chain import SECTIONS, Piece, prompt_pieces
from app.chain.steer import AIMS, STEERS
from app.drafting import MAX_JOBS_A_PERSON, Drafter, Snapshot, compose_whole
from app.engine.protocol import MAX_CANDIDATES, Sampling
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from app.scoring import Scorer
from storage.records import Draft, Origin, Person
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


def test_one_person_has_one_draft_running_and_one_waiting_and_others_come_in_between(store, watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine(gate=gate))
    watch.drafter.start(author, "", "信")
    gate.wait_until_held()
    for _ in range(MAX_JOBS_A_PERSON - 1):
        waiting = watch.drafter.start(author, "", "信", candidates=4)
    with pytest.raises(DeskError) as refused:
        watch.drafter.start(author, "", "信")
    assert refused.value.code == "draft_pending"
    assert watch.drafter.snapshot(waiting).ahead == 1
    other = watch.drafter.start(store.person("别人"), "", "信")
    assert (watch.drafter.snapshot(other).ahead, watch.drafter.snapshot(waiting).ahead) == (1, 2)
    gate.open()
    assert watch.until_over(waiting).stage == "done"
    assert store.draft(other).finished_at < store.draft(waiting).finished_at


def test_a_draft_whose_page_is_closed_makes_room_for_who_waits_and_for_nobody_else(store, author) -> None:
    gate = Gate()
    drafter = Drafter(store, ScriptedEngine(gate=gate), POLICY, None, unwatched_s=0)
    alone = drafter.start(author, "", "第一封信")
    gate.open()
    assert Watch(drafter).until_over(alone).stage == "done"
    drafter.close()
    gate = Gate()
    drafter = Drafter(store, ScriptedEngine(gate=gate), POLICY, None, unwatched_s=0)
    left = drafter.start(author, "", "第二封信")
    gate.step(4)
    gate.wait_until_held()
    waiting = drafter.start(store.person("同事"), "", "第三封信")
    gate.open()
    assert Watch(drafter).until_over(waiting).stage == "done"
    assert store.draft(left).status == "stopped"
    assert store.draft(left).sections["L1"].startswith(PARTS["L1"][:8])
    drafter.close()


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


def test_candidates_are_rows_of_one_request_scored_and_ranked(store, watched, author) -> None:
    watch = watched(ScriptedEngine())
    first = watch.drafter.start(author, "", "加班到很晚，很累", candidates=MAX_CANDIDATES)
    watch.until_over(first)
    drafts = store.candidates(first)
    assert [draft.candidate for draft in drafts] == list(range(1, MAX_CANDIDATES + 1))
    assert len({draft.request_id for draft in drafts}) == len({draft.post.id for draft in drafts}) == 1
    assert len({draft.seed for draft in drafts}) == MAX_CANDIDATES
    assert [draft.sections["answer"][:3] for draft in drafts[1:3]] == ["（2）", "（3）"]
    assert all(draft.status == "done" and draft.timings["candidates"] == MAX_CANDIDATES for draft in drafts)
    ranked = watch.drafter.candidates(drafts[2].id)
    cosines = [one.score.cosine for one in ranked]
    assert cosines == sorted((draft.score.cosine for draft in drafts), reverse=True) and len(set(cosines)) > 1


def test_without_scores_candidates_stand_by_number_and_a_broken_one_last(store, author) -> None:
    drafter = Drafter(store, ScriptedEngine({"L3": " "}), POLICY, None)
    first = drafter.start(author, "", "信", candidates=3)
    Watch(drafter).until_over(first)
    assert [(one.candidate, one.stage) for one in drafter.candidates(first)] == [
        (2, "done"),
        (3, "done"),
        (1, "failed"),
    ]
    assert drafter.snapshot(first).error.code == "response_malformed"
    drafter.close()


@pytest.mark.parametrize("number", [0, 4])
def test_more_candidates_than_the_engine_has_room_for_are_refused(store, watched, author, number) -> None:
    drafter = watched(ScriptedEngine(candidates=3)).drafter
    with pytest.raises(DeskError) as refused:
        drafter.start(author, "", "信", candidates=number)
    assert (refused.value.code, refused.value.values) == ("candidates_limit", {"limit": 3})
    assert store.recent_drafts(author.id) == [] and drafter.most_candidates == 3


def test_each_candidate_tells_where_its_sections_stand(watched, author) -> None:
    gate = Gate()
    watch = watched(ScriptedEngine(dict.fromkeys(SECTIONS, "一二三四"), gate=gate))
    first = watch.drafter.start(author, "", "信", candidates=2)
    gate.step(2 + 2 + 3 + 1)  # both readings; L1 of both; the first of L2
    gate.wait_until_held()
    one, other = watch.drafter.candidates(first)
    assert (one.state("L1"), one.state("L2"), one.state("L3")) == ("done", "streaming", "waiting")
    assert other.parts == {"L1": "（2）一二三四"} and other.section == "L1"
    gate.step(1 + 3 + 2 * 5 + 2)  # all but the second answer
    gate.wait_until_held()
    one, other = watch.drafter.candidates(first)
    assert one.parts["answer"] == "一二三四" and "answer" not in other.parts
    gate.step(1)
    gate.wait_until_held()
    one, other = watch.drafter.candidates(first)
    assert (one.stage, one.state("answer")) == ("scoring", "done")
    assert (other.stage, other.state("answer")) == ("writing", "streaming")
    watch.drafter.stop(other.draft_id)
    watch.until_over(first)
    one, other = watch.drafter.candidates(first)
    assert (one.stage, one.candidate, other.stage) == ("done", 1, "stopped")
    assert one.score is not None and other.parts["answer"] == "（2）一"


def test_a_desk_that_ends_keeps_the_text_of_every_candidate(tmp_path: Path) -> None:
    store, gate = Store.open(tmp_path / "data"), Gate()
    drafter = Drafter(store, ScriptedEngine({"L1": "一二三四"}, gate=gate), POLICY, None)
    first = drafter.start(store.person("作者"), "", "信", candidates=3)
    gate.step(2 + 2 + 3 + 3)
    gate.wait_until_held()
    again = Store.open(tmp_path / "data")
    assert [draft.sections for draft in again.candidates(first)] == [
        {"L1": "一二三四"},
        {"L1": "（2）一二三四"},
        {"L1": "（3）一二三四"},
    ]
    drafter.close()
    again.close()
    store.close()


EDITED = {**PARTS, "L1": "来信人很累。</L1>", "L2": " 她怕让人失望。\n"}


@pytest.fixture
def drafted(store, watched, author) -> Draft:
    watch = watched(ScriptedEngine())
    draft_id = watch.drafter.start(author, "题", "信")
    watch.until_over(draft_id)
    return store.draft(draft_id)


def test_a_redraft_keeps_the_layers_before_it_to_the_letter_and_the_earlier_draft_stays(
    store, watched, author, drafted
) -> None:
    watch = watched(ScriptedEngine({"L3": "另一层意图", "L4": "另一种策略", "answer": "另一封回信"}))
    kept = {name: EDITED[name] for name in ("L1", "L2")}
    first = watch.drafter.redraft(author, drafted, kept, candidates=2)
    now = watch.until_over(first)
    one, other = store.candidates(first)
    assert one.sections == {
        "L1": "来信人很累。＜/L1>",
        "L2": "她怕让人失望。",
        "L3": "另一层意图",
        "L4": "另一种策略",
        "answer": "另一封回信",
    }
    assert other.sections["L1"] == one.sections["L1"] and other.sections["L3"] == "（2）另一层意图"
    assert one.post == drafted.post and one.score is not None
    assert one.origin == other.origin == Origin(drafted.id, "L3", edited=("L1", "L2"))
    assert [now.state(name) for name in SECTIONS] == ["edited", "edited", "done", "done", "done"]
    assert store.draft(drafted.id) == drafted


def test_what_was_edited_stays_marked_through_a_second_redraft(store, watched, author, drafted) -> None:
    watch = watched(ScriptedEngine())
    first = watch.drafter.redraft(author, drafted, {"L1": EDITED["L1"]})
    watch.until_over(first)
    parent = store.draft(first)
    kept = {name: parent.sections[name] for name in ("L1", "L2", "L3")}
    second = watch.drafter.redraft(author, parent, kept)
    watch.until_over(second)
    assert store.draft(second).origin == Origin(first, "L4", edited=("L1",))


def test_only_one_layer_is_written_and_the_rest_kept_with_it(store, watched, author, drafted) -> None:
    watch = watched(ScriptedEngine(dict.fromkeys(SECTIONS, "新写的")))
    kept = {name: text for name, text in PARTS.items() if name != "L2"}
    first = watch.drafter.redraft(author, drafted, kept, only=True)
    watch.until_over(first)
    draft = store.draft(first)
    assert draft.sections == {**PARTS, "L2": "新写的"} and draft.status == "done"
    assert draft.origin == Origin(drafted.id, "L2", only=True)
    assert draft.score == drafted.score
    with pytest.raises(DeskError) as refused:
        watch.drafter.redraft(author, drafted, {**kept, "answer": ""}, only=True)
    assert (refused.value.code, refused.value.values) == ("section_empty", {"section": "answer"})


def test_a_steer_changes_the_strategy_and_the_answer_alone(store, watched, author, drafted) -> None:
    watch = watched(ScriptedEngine({"answer": "短回信"}))
    first = watch.drafter.redraft(author, drafted, PARTS, steer="shorter")
    watch.until_over(first)
    draft = store.draft(first)
    changed = {name for name in SECTIONS if draft.sections[name] != PARTS[name]}
    assert changed == {"L4", "answer"}
    assert draft.sections["L4"] == f"{PARTS['L4']}\n{STEERS['shorter']['zh']}"
    assert draft.origin == Origin(drafted.id, "answer", steer="shorter", edited=("L4",))
    again = watch.drafter.redraft(author, draft, draft.sections, steer="shorter")
    watch.until_over(again)
    assert store.draft(again).sections["L4"] == draft.sections["L4"]


def test_an_aim_sets_the_intent_of_a_new_draft_and_of_an_old_one(store, watched, author, drafted) -> None:
    watch = watched(ScriptedEngine(dict.fromkeys(SECTIONS, "新写的")))
    fresh = watch.drafter.start(author, "", "信", aim="listen")
    watch.until_over(fresh)
    assert store.draft(fresh).sections == {**dict.fromkeys(SECTIONS, "新写的"), "L3": AIMS["listen"]["zh"]}
    first = watch.drafter.redraft(author, drafted, PARTS, aim="advise")
    watch.until_over(first)
    draft = store.draft(first)
    assert (draft.sections["L1"], draft.sections["L2"]) == (PARTS["L1"], PARTS["L2"])
    assert (draft.sections["L3"], draft.sections["L4"]) == (AIMS["advise"]["zh"], "新写的")
    assert draft.origin == Origin(drafted.id, "L4", aim="advise", edited=("L3",))


class Reader(ScriptedEngine):
    """Remembers what it was let read."""

    def __init__(self, gate: Gate | None = None) -> None:
        super().__init__(gate=gate)
        self.read: list[Sequence[Piece]] = []

    def read_ahead(self, prompt: Sequence[Piece]) -> None:
        self.read.append(prompt)


def test_a_post_is_read_ahead_as_it_would_be_drafted_and_only_by_an_idle_engine(watched, author) -> None:
    gate = Gate()
    engine = Reader(gate)
    watch = watched(engine)
    watch.drafter.read_ahead(" 题 ", "信\r\n")
    watch.drafter.read_ahead("", " \n")
    assert engine.read == [prompt_pieces("题\n信")]
    draft_id = watch.drafter.start(author, "", "信")
    gate.wait_until_held()
    watch.drafter.read_ahead("", "另一封")
    assert len(engine.read) == 1
    gate.open()
    watch.until_over(draft_id)
