"""Two people, one text: who may do what when, in the use cases and in the schema."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Insert, insert
from sqlalchemy.exc import IntegrityError

from app.chain import Response
from storage.errors import StorageError
from storage.records import Decision, Origin, State
from storage.schema import reviews
from storage.states import RULES, Action
from storage.store import Store
from tests.drafts import start_draft

ALLOWED = {
    "open": {"save": "open", "submit": "submitted"},
    "submitted": {
        "approve": "approved",
        "return": "returned",
        "reject": "rejected",
        "escalate": "submitted",
    },
    "approved": {"reopen": "open"},
    "returned": {"save": "returned", "submit": "submitted"},
    "rejected": {"save": "open"},
}
ACTIONS = ("save", "submit", "reopen", *get_args(Decision))


def act(store: Store, draft_id: int, action: Action, author: int, reviewer: int) -> State:
    """Do one thing to the latest version, as the person who does such things."""
    draft = store.draft(draft_id)
    if action == "save":
        text = Response("一", "二", "三", "四", f"在第 {draft.version} 版之后")
        store.save_revision(draft_id, draft.version, author, text)
        return store.draft(draft_id).state
    if action == "submit":
        return store.reviewing.submit(draft_id, draft.version, author).state
    if action == "reopen":
        return store.reviewing.reopen(draft_id, draft.version, author).state
    latest = store.latest_revision(draft_id)
    assert latest is not None
    return store.reviewing.decide(draft_id, draft.version, latest.text_sha256, reviewer, action, "理由").state


ROADS: dict[State, tuple[Action, ...]] = {
    "open": ("save",),
    "submitted": ("save", "submit"),
    "approved": ("save", "submit", "approve"),
    "returned": ("save", "submit", "return"),
    "rejected": ("save", "submit", "reject"),
}


@pytest.mark.parametrize("state", get_args(State))
def test_every_action_in_every_state(store, people, new_draft, state):
    for action in ACTIONS:
        draft = new_draft()
        for step in ROADS[state]:
            act(store, draft.id, step, people.author.id, people.reviewer.id)
        before = store.draft(draft.id)
        assert before.state == state
        if action in ALLOWED[state]:
            assert act(store, draft.id, action, people.author.id, people.reviewer.id) == ALLOWED[state][action]
        else:
            with pytest.raises(StorageError) as refused:
                act(store, draft.id, action, people.author.id, people.reviewer.id)
            assert refused.value.code == "wrong_state"
            assert refused.value.values == {"state": state, "action": action}
            assert store.draft(draft.id) == before


def test_only_a_submitted_text_can_become_approved():
    sources = {state for (state, _), rule in RULES.items() if rule.to == "approved"}
    assert sources == {"submitted", "claimed", "escalated"}


def test_submitting_the_models_own_text_makes_it_a_revision(store, people, new_draft, text):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    assert (draft.state, draft.version) == ("submitted", 1)
    revision = store.latest_revision(draft.id)
    assert revision is not None
    assert (revision.response, revision.person) == (text("模型写的回信"), people.author)


def test_an_override_is_bound_to_the_text_that_was_handed_on(store, people, new_draft, text):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id, overridden=["blame", "promise"], reason="原话")
    (override,) = store.history.overrides(draft.id)
    assert (override.version, override.person, override.rules, override.reason) == (
        1,
        people.author,
        ("blame", "promise"),
        "原话",
    )
    assert override.text_sha256 == store.latest_revision(draft.id).text_sha256
    # A submission that is refused leaves none.
    with pytest.raises(StorageError):
        store.reviewing.submit(draft.id, 1, people.author.id, overridden=["blame"], reason="再来")
    assert store.history.overrides(draft.id) == [override]
    store.reviewing.decide(draft.id, 1, override.text_sha256, people.reviewer.id, "return", "请改")
    store.save_revision(draft.id, 1, people.other.id, text("改过"))
    store.reviewing.submit(draft.id, 2, people.other.id)
    assert store.history.overrides(draft.id) == [override]


def test_an_unfinished_draft_cannot_be_submitted(store, people):
    post = store.add_post("", "信", people.author.id)
    draft = start_draft(store, post.id, people.author.id)
    store.finish_draft(draft.id, "stopped", {"L1": "半句"})
    with pytest.raises(StorageError) as refused:
        store.reviewing.submit(draft.id, 0, people.author.id)
    assert refused.value.code == "draft_incomplete"


def test_whoever_wrote_any_version_does_not_decide(store, people, new_draft, text):
    draft = new_draft()
    store.save_revision(draft.id, 0, people.other.id, text("由第三人写的"))
    last = store.save_revision(draft.id, 1, people.author.id, text("由第三人写的，加一个句号。"))
    store.reviewing.submit(draft.id, 2, people.author.id)
    with pytest.raises(StorageError) as refused:
        store.reviewing.decide(draft.id, 2, last.text_sha256, people.other.id, "approve", "")
    assert refused.value.code == "own_review"
    assert store.reviewing.queue("to_review", people.other.id) == []
    assert store.reviewing.counts(people.other.id)["waiting"] == 1
    assert [line.draft_id for line in store.reviewing.queue("to_review", people.reviewer.id)] == [draft.id]


def test_whoever_wrote_what_a_draft_was_redrafted_from_does_not_decide(store, people, new_draft, text, raw):
    parent = new_draft()
    store.save_revision(parent.id, 0, people.other.id, text("由第三人写的"))
    draft = parent
    for _ in range(2):  # also over a draft in between, by somebody else
        (draft,) = store.start_drafts(
            parent.post.id,
            people.author.id,
            model_name="m",
            model_sha256="0",
            samplings=[{"seed": 0}],
            origin=Origin(draft.id, "answer"),
        )
        store.finish_draft(draft.id, "done", text("重写的回信").parts())
    store.reviewing.submit(draft.id, 0, people.author.id)
    latest = store.latest_revision(draft.id)
    with pytest.raises(StorageError) as refused:
        store.reviewing.decide(draft.id, 1, latest.text_sha256, people.other.id, "approve", "")
    assert refused.value.code == "own_review"
    assert store.reviewing.queue("to_review", people.other.id) == []
    author = people.author.id
    with pytest.raises(IntegrityError, match="part in the text"):
        raw.execute(approval(draft.id, 1, latest.text_sha256, author, author, people.other.id))
    # What they write into the parent from now on is no part of it.
    store.save_revision(parent.id, 1, people.reviewer.id, text("后来改的"))
    assert (
        store.reviewing.decide(draft.id, 1, latest.text_sha256, people.reviewer.id, "approve", "").state == "approved"
    )


def test_neither_author_nor_last_editor_decides(store, people, new_draft, text):
    draft = new_draft()
    edited = store.save_revision(draft.id, 0, people.other.id, text("由第三人改过"))
    store.reviewing.submit(draft.id, 1, people.author.id)
    for person in (people.author, people.other):
        for decision in get_args(Decision):
            with pytest.raises(StorageError) as refused:
                store.reviewing.decide(draft.id, 1, edited.text_sha256, person.id, decision, "理由")
            assert refused.value.code == "own_review"
    assert store.reviewing.reviews(draft.id) == []
    assert (
        store.reviewing.decide(draft.id, 1, edited.text_sha256, people.reviewer.id, "approve", "").state == "approved"
    )


def approval(draft_id: int, version: int, sha256: str, author_id: int, editor_id: int, reviewer_id: int) -> Insert:
    """As somebody would write it who goes past the store."""
    return insert(reviews).values(
        draft_id=draft_id,
        version=version,
        text_sha256=sha256,
        author_id=author_id,
        editor_id=editor_id,
        reviewer_id=reviewer_id,
        decision="approve",
        reason="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_raw_sql_cannot_approve_for_author_or_editor_either(store, people, new_draft, text, raw):
    draft = new_draft()
    earlier = store.person("更早的人").id
    store.save_revision(draft.id, 0, earlier, text("更早的人写的"))
    edited = store.save_revision(draft.id, 1, people.other.id, text("由第三人改过"))
    store.reviewing.submit(draft.id, 2, people.author.id)
    author, reviewer, editor = people.author.id, people.reviewer.id, people.other.id
    forged = {
        "editor of an earlier version approves": (edited.text_sha256, author, editor, earlier),
        "author approves": (edited.text_sha256, author, editor, author),
        "editor approves": (edited.text_sha256, author, editor, editor),
        "author under another's name": (edited.text_sha256, reviewer, editor, author),
        "editor under another's name": (edited.text_sha256, author, reviewer, editor),
        "another text": ("0" * 64, author, editor, reviewer),
    }
    for row in forged.values():
        with pytest.raises(IntegrityError):
            raw.execute(approval(draft.id, 2, *row))
    raw.execute(approval(draft.id, 2, edited.text_sha256, author, editor, reviewer))


def test_a_decision_other_than_approval_needs_a_reason(store, people, new_draft):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    text = store.latest_revision(draft.id)
    for decision in ("return", "reject", "escalate"):
        with pytest.raises(StorageError) as refused:
            store.reviewing.decide(draft.id, 1, text.text_sha256, people.reviewer.id, decision, " \n")
        assert refused.value.code == "reason_missing"
    returned = store.reviewing.decide(draft.id, 1, text.text_sha256, people.reviewer.id, "return", " 请补充 ")
    assert returned.state == "returned"
    assert [review.reason for review in store.reviewing.reviews(draft.id)] == ["请补充"]


@pytest.mark.parametrize("held", ["submitted", "approved"])
@pytest.mark.parametrize("base", [0, 1])
def test_a_late_save_undoes_no_submission_and_no_approval_and_its_text_is_kept(
    store, people, new_draft, text, held, base
):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    shown = store.latest_revision(draft.id)
    if held == "approved":
        store.reviewing.decide(draft.id, 1, shown.text_sha256, people.reviewer.id, "approve", "")
    before = store.draft(draft.id)
    for _ in range(2):  # the page tries again: the text is kept once
        with pytest.raises(StorageError) as refused:
            store.save_revision(draft.id, base, people.author.id, text("还在路上的字"))
        assert (refused.value.code, refused.value.values) == ("wrong_state", {"state": held, "action": "save"})
    assert store.draft(draft.id) == before and store.latest_revision(draft.id) == shown
    (kept,) = store.stale_saves(draft.id)
    assert (kept.response, kept.person, kept.base_version) == (text("还在路上的字"), people.author, base)


def test_saving_an_approved_text_as_it_stands_changes_nothing(store, people, new_draft):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    shown = store.latest_revision(draft.id)
    store.reviewing.decide(draft.id, 1, shown.text_sha256, people.reviewer.id, "approve", "")
    store.save_revision(draft.id, 1, people.author.id, shown.response)
    assert store.draft(draft.id).state == "approved"
    assert [item.response for item in store.reviewing.approved_items()] == [shown.response]


def test_a_rejected_text_can_be_written_anew(store, people, new_draft, text):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    shown = store.latest_revision(draft.id)
    store.reviewing.decide(draft.id, 1, shown.text_sha256, people.reviewer.id, "reject", "理由")
    store.save_revision(draft.id, 1, people.author.id, text("重写"))
    assert (store.draft(draft.id).state, store.draft(draft.id).version) == ("open", 2)


def test_a_decision_on_a_text_that_has_changed_is_refused(store, people, new_draft, text):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    shown = store.latest_revision(draft.id)
    store.reviewing.decide(draft.id, 1, shown.text_sha256, people.other.id, "return", "请改")
    store.save_revision(draft.id, 1, people.author.id, text("悄悄改掉"))
    store.reviewing.submit(draft.id, 2, people.author.id)
    for version in (1, 2):
        with pytest.raises(StorageError) as refused:
            store.reviewing.decide(draft.id, version, shown.text_sha256, people.reviewer.id, "approve", "")
        assert refused.value.code == "stale_revision"
    assert store.draft(draft.id).state == "submitted"


def test_of_two_reviewers_at_once_one_decides(store, people, new_draft):
    draft = store.reviewing.submit(new_draft().id, 0, people.author.id)
    sha256 = store.latest_revision(draft.id).text_sha256
    gate, refusals = threading.Barrier(2), []

    def decide(reviewer: int, decision: Decision) -> None:
        gate.wait()
        try:
            store.reviewing.decide(draft.id, 1, sha256, reviewer, decision, "理由")
        except StorageError as error:
            refusals.append(error.code)

    threads = [
        threading.Thread(target=decide, args=(people.reviewer.id, "approve")),
        threading.Thread(target=decide, args=(people.other.id, "reject")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (review,) = store.reviewing.reviews(draft.id)
    assert refusals == ["wrong_state"]
    assert store.draft(draft.id).state == {"approve": "approved", "reject": "rejected"}[review.decision]


def test_each_list_holds_what_its_reader_can_act_on(store, people, new_draft, text):
    waiting = store.reviewing.submit(new_draft().id, 0, people.author.id)
    edited = new_draft()
    store.save_revision(edited.id, 0, people.reviewer.id, text("审核者自己改的"))
    store.reviewing.submit(edited.id, 1, people.author.id)
    returned = new_draft()
    for action in ROADS["returned"]:
        act(store, returned.id, action, people.author.id, people.reviewer.id)
    new_draft()  # nobody has submitted it: on no list

    def ids(view, person):
        return [item.draft_id for item in store.reviewing.queue(view, person.id)]

    assert ids("to_review", people.reviewer) == [waiting.id]
    assert ids("to_review", people.other) == [waiting.id, edited.id]
    assert ids("to_review", people.author) == []
    assert ids("waiting", people.author) == [waiting.id, edited.id]
    assert ids("waiting", people.reviewer) == [edited.id]
    assert ids("returned", people.author) == [returned.id]
    assert ids("returned", people.reviewer) == []
    counts = store.reviewing.counts(people.other.id)
    assert {view for view, count in counts.items() if count} == {"to_review"} and counts["to_review"] == 2
    assert store.reviewing.queue("to_review", people.other.id, limit=1, offset=1)[0].draft_id == edited.id
    sha256 = store.latest_revision(waiting.id).text_sha256
    store.reviewing.decide(waiting.id, 1, sha256, people.reviewer.id, "escalate", "需要督导")
    assert ids("to_review", people.reviewer) == [] and ids("to_review", people.other) == [waiting.id, edited.id]
    (line,) = store.reviewing.queue("disagreement", people.reviewer.id)
    assert line.standing == "escalated" and store.draft(waiting.id).state == "submitted"
    assert (line.title, line.excerpt, line.author) == ("最近很累", "每天加班到很晚，不知道为了什么。", people.author)


class TwoPeople(RuleBasedStateMachine):
    """Three people do anything at any time, with fresh and with outdated versions in hand."""

    def __init__(self, store: Store):
        super().__init__()
        self.store = store
        self.people = [self.store.person(name) for name in "甲乙丙"]
        post = self.store.add_post("", "信", self.people[0].id)
        draft = start_draft(self.store, post.id, self.people[0].id)
        self.store.finish_draft(draft.id, "done", Response("1", "2", "3", "4", "模型").parts())
        self.draft_id = draft.id
        self.typed: set[str] = set()

    @rule(person=st.integers(0, 2), answer=st.sampled_from("一二三"), behind=st.integers(0, 1))
    def save(self, person, answer, behind):
        base = max(self.store.draft(self.draft_id).version - behind, 0)
        self.typed.add(answer)
        try:
            self.store.save_revision(self.draft_id, base, self.people[person].id, Response("1", "2", "3", "4", answer))
        except StorageError as refused:
            assert refused.code in ("stale_revision", "wrong_state")

    @rule(person=st.integers(0, 2), behind=st.integers(0, 1))
    def submit(self, person, behind):
        version = self.store.draft(self.draft_id).version - behind
        try:
            self.store.reviewing.submit(self.draft_id, version, self.people[person].id)
        except StorageError as refused:
            assert refused.code in ("stale_revision", "wrong_state")

    @rule(person=st.integers(0, 2), decision=st.sampled_from(get_args(Decision)), nth=st.integers(-2, -1))
    def decide(self, person, decision, nth):
        shown = self.store.revisions(self.draft_id)
        if len(shown) < -nth:
            return
        text = shown[nth]
        try:
            self.store.reviewing.decide(
                self.draft_id, text.version, text.text_sha256, self.people[person].id, decision, "理由"
            )
        except StorageError as refused:
            assert refused.code in ("stale_revision", "wrong_state", "own_review", "claimed")

    @invariant()
    def approved_means_a_second_person_saw_exactly_this(self):
        draft, text = self.store.draft(self.draft_id), self.store.latest_revision(self.draft_id)
        approvals = [
            review
            for review in self.store.reviewing.reviews(self.draft_id)
            if review.decision == "approve" and review.version == draft.version
        ]
        assert (draft.state == "approved") == bool(approvals)
        for review in approvals:
            assert text is not None and review.text_sha256 == text.text_sha256
            writers = [revision.person for revision in self.store.revisions(self.draft_id)]
            assert review.reviewer not in (draft.author, *writers)
        leaving = self.store.reviewing.approved_items()
        exported = [item.response for item in leaving if item.draft_id == self.draft_id]
        assert exported == ([text.response] if approvals and text else [])

    @invariant()
    def no_typed_text_is_lost(self):
        kept = [*self.store.revisions(self.draft_id), *self.store.stale_saves(self.draft_id)]
        assert self.typed <= {item.response.answer for item in kept}
        assert [r.version for r in self.store.revisions(self.draft_id)] == list(
            range(1, self.store.draft(self.draft_id).version + 1)
        )


def test_whatever_three_people_do(store, database_url):
    # A server answers each of thousands of questions a little later than a file.
    examples = 40 if database_url is None else 10
    run_state_machine_as_test(
        lambda: TwoPeople(store),
        settings=settings(
            max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
