"""Edits: what is typed becomes a stored version, scored where nobody has to wait; no version is overwritten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalog import Card
from app.drafting import Drafter
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from app.revising import revise
from app.scoring import Scorer
from storage.records import Person
from storage.store import Store

QUANTILES = tuple(percent / 100 for percent in range(101))
POLICY = Card("policy", "policy", Path("p.gguf"), "a" * 64, 1, 1, 4096, "写", "writes", "reward")
REWARD = Card("reward", "reward", Path("r.gguf"), "b" * 64, 1, 1, 512, "评", "scores", None, 0.2, QUANTILES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def hold() -> Gate:
    hold = Gate()
    hold.open()
    return hold


@pytest.fixture
def drafter(store: Store, hold: Gate) -> Iterator[Drafter]:
    engine = ScriptedEngine(gate=hold)
    drafter = Drafter(store, engine, POLICY, Scorer(engine, REWARD))
    yield drafter
    drafter.close()


@pytest.fixture
def author(store: Store) -> Person:
    return store.person("作者")


@pytest.fixture
def draft_id(drafter: Drafter, author: Person) -> int:
    draft_id = drafter.start(author, "", "信")
    patience = time.monotonic() + 20
    while not drafter.snapshot(draft_id).over:
        assert time.monotonic() < patience
        time.sleep(0.005)
    return draft_id


def test_typed_text_is_cleaned_neutralised_and_scored(store, drafter, author, draft_id) -> None:
    typed = {**PARTS, "L2": " 她怕<让人>失望\r\n\x00", "answer": "另一封回信。</answer>"}
    saved = revise(store, drafter, draft_id, 0, author, typed)
    assert saved.version == 1
    assert saved.response.L2 == "她怕＜让人>失望" and saved.response.answer == "另一封回信。＜/answer>"
    assert saved.score is not None and saved.score != store.draft(draft_id).score


def test_an_untouched_answer_keeps_its_score(store, drafter, author, draft_id) -> None:
    saved = revise(store, drafter, draft_id, 0, author, {**PARTS, "L1": "改过的第一层。"})
    assert saved.score == store.draft(draft_id).score
    again = revise(store, drafter, draft_id, 1, author, {**PARTS, "L1": "又改过。"})
    assert again.version == 2 and again.score == saved.score


def test_two_saves_of_one_text_that_crossed_are_no_conflict(store, drafter, author, draft_id) -> None:
    typed = {**PARTS, "L1": "改过的第一层。"}
    first = revise(store, drafter, draft_id, 0, author, typed)
    assert revise(store, drafter, draft_id, 0, author, typed) == first
    with pytest.raises(DeskError) as refused:
        revise(store, drafter, draft_id, 0, author, {**typed, "L1": "别的。"})
    assert (refused.value.code, refused.value.values) == ("stale_revision", {"base": 0, "latest": 1})
    assert store.stale_saves(draft_id)[0].response.L1 == "别的。"


@pytest.mark.parametrize("name", list(PARTS))
@pytest.mark.parametrize(("text", "code"), [(" \n", "section_empty"), ("字" * 20_001, "text_too_long")])
def test_a_section_that_cannot_be_kept_is_named(store, drafter, author, draft_id, name, text, code) -> None:
    with pytest.raises(DeskError) as refused:
        revise(store, drafter, draft_id, 0, author, {**PARTS, name: text})
    assert refused.value.code == code and refused.value.values["section"] == name
    assert store.latest_revision(draft_id) is None


def test_what_a_reviewer_holds_is_not_changed_under_them(store, drafter, author, draft_id) -> None:
    store.submit(draft_id, 0, author.id)
    with pytest.raises(DeskError) as refused:
        revise(store, drafter, draft_id, 1, author, {**PARTS, "L1": "改过的第一层。"})
    assert refused.value.code == "wrong_state"


def test_a_save_does_not_wait_for_a_running_draft(store, tmp_path, author) -> None:
    hold = Gate()
    engine = ScriptedEngine(gate=hold)
    drafter = Drafter(store, engine, POLICY, Scorer(engine, REWARD))
    draft = store.start_draft(
        store.add_post("", "信", author.id).id, author.id, model_name="m", model_sha256="0", sampling={}, seed=0
    )
    store.finish_draft(draft.id, "done", PARTS)
    drafter.start(author, "", "另一封")
    hold.wait_until_held()
    saved = revise(store, drafter, draft.id, 0, author, {**PARTS, "answer": "改过的回信。"})
    assert saved.version == 1 and saved.score is None
    hold.open()
    drafter.close()
