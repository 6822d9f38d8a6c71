"""Edits: what is typed becomes a stored version, scored where nobody has to wait; no version is overwritten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.catalog import Card
from app.drafting import Drafter
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from app.revising import revise
from app.scoring import Scorer
from storage.records import Person, StoredScore
from storage.store import Store
from tests.drafts import start_draft

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


def test_typed_text_is_cleaned_and_neutralised(store, drafter, author, draft_id) -> None:
    typed = {**PARTS, "L2": " 她怕<让人>失望\r\n\x00", "answer": "另一封回信。</answer>"}
    saved = revise(store, draft_id, 0, author, typed)
    assert saved.version == 1
    assert saved.response.L2 == "她怕＜让人>失望" and saved.response.answer == "另一封回信。＜/answer>"
    assert saved.score is None


def test_an_untouched_answer_keeps_its_score(store, drafter, author, draft_id) -> None:
    saved = revise(store, draft_id, 0, author, {**PARTS, "L1": "改过的第一层。"})
    assert saved.score == store.draft(draft_id).score
    again = revise(store, draft_id, 1, author, {**PARTS, "L1": "又改过。"})
    assert again.version == 2 and again.score == saved.score


def test_two_saves_of_one_text_that_crossed_are_no_conflict(store, drafter, author, draft_id) -> None:
    typed = {**PARTS, "L1": "改过的第一层。"}
    first = revise(store, draft_id, 0, author, typed)
    assert revise(store, draft_id, 0, author, typed) == first
    with pytest.raises(DeskError) as refused:
        revise(store, draft_id, 0, author, {**typed, "L1": "别的。"})
    assert (refused.value.code, refused.value.values) == ("stale_revision", {"base": 0, "latest": 1})
    assert store.stale_saves(draft_id)[0].response.L1 == "别的。"


@pytest.mark.parametrize("name", list(PARTS))
@pytest.mark.parametrize(("text", "code"), [(" \n", "section_empty"), ("字" * 20_001, "text_too_long")])
def test_a_section_that_cannot_be_kept_is_named(store, drafter, author, draft_id, name, text, code) -> None:
    with pytest.raises(DeskError) as refused:
        revise(store, draft_id, 0, author, {**PARTS, name: text})
    assert refused.value.code == code and refused.value.values["section"] == name
    assert store.latest_revision(draft_id) is None


def test_what_a_reviewer_holds_is_not_changed_under_them(store, drafter, author, draft_id) -> None:
    store.reviewing.submit(draft_id, 0, author.id)
    with pytest.raises(DeskError) as refused:
        revise(store, draft_id, 1, author, {**PARTS, "L1": "改过的第一层。"})
    assert refused.value.code == "wrong_state"


def test_a_save_waits_for_no_model_that_scores(store, author) -> None:
    engine = Busy()
    drafter = Drafter(store, engine, POLICY, Scorer(engine, REWARD))
    draft = start_draft(store, store.add_post("", "信", author.id).id, author.id)
    draft = store.finish_draft(draft.id, "done", PARTS)
    saved = revise(store, draft.id, 0, author, {**PARTS, "answer": "改过的回信。"})
    scores: list[StoredScore | None] = []
    scoring = threading.Thread(target=lambda: scores.append(drafter.score(draft, saved.response)))
    scoring.start()
    assert engine.asked.wait(20)
    # The model does not answer; text is saved all the same, and nobody else is made to wait for its score.
    later = revise(store, draft.id, 1, author, {**PARTS, "answer": "又改过的回信。"})
    assert later.version == 2 and later.score is None
    assert drafter.score(draft, later.response) is None
    engine.answer.set()
    scoring.join()
    assert scores[0] is not None and drafter.score(draft, later.response) is not None
    drafter.close()


class Busy(ScriptedEngine):
    """Scores only once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.set()
        assert self.answer.wait(20)
        return super().embed(texts)
