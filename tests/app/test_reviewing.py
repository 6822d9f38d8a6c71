"""Review as the page calls it: the road from a draft to an approval, and every refusal as a DeskError."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from app import reviewing
from app.chain import Response
from app.errors import DeskError
from app.intake import MAX_REASON_CHARS
from storage.database import FILE_NAME
from storage.records import Origin
from storage.store import Store
from tests.drafts import start_draft

MODEL = Response("累", "怕", "想被听见", "先接住", "模型写的回信")
EDITED = Response("累", "怕", "想被听见", "先接住", "人改过的回信")


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def author(store):
    return store.person("作者")


@pytest.fixture
def reviewer(store):
    return store.person("审核")


@pytest.fixture
def draft(store, author):
    post = store.add_post("题", "信", author.id)
    draft = start_draft(store, post.id, author.id)
    return store.finish_draft(draft.id, "done", MODEL.parts())


def test_the_road_from_edit_to_approval(store, author, reviewer, draft):
    store.save_revision(draft.id, 0, author.id, EDITED)
    reviewing.submit(store, draft.id, 1, author.id)
    queue = reviewing.queue(store, "to_review", reviewer.id)
    assert [line.draft_id for line in queue.items] == [draft.id]
    assert queue.counts["to_review"] == 1
    shown = reviewing.item(store, draft.id)
    assert (shown.model, shown.text.response) == (MODEL, EDITED)
    assert shown.writers == {author.id}
    done = reviewing.decide(store, draft.id, shown.text.version, shown.text.text_sha256, reviewer.id, "approve", "")
    assert done.state == "approved"
    assert [(review.decision, review.reviewer) for review in reviewing.item(store, draft.id).reviews] == [
        ("approve", reviewer)
    ]


def test_a_returned_text_comes_back_with_its_reason_and_can_be_submitted_again(store, author, reviewer, draft):
    reviewing.submit(store, draft.id, 0, author.id)
    shown = reviewing.item(store, draft.id)
    reviewing.decide(store, draft.id, 1, shown.text.text_sha256, reviewer.id, "return", "太快给建议")
    assert [line.draft_id for line in reviewing.queue(store, "returned", author.id).items] == [draft.id]
    store.save_revision(draft.id, 1, author.id, EDITED)
    shown = reviewing.item(store, draft.id)
    assert shown.draft.state == "returned"
    assert shown.reviews[-1].reason == "太快给建议"
    assert reviewing.submit(store, draft.id, 2, author.id).state == "submitted"


def test_refusals_are_desk_errors_with_the_same_values(store, author, reviewer, draft):
    def refusal(call, *arguments):
        with pytest.raises(DeskError) as refused:
            call(store, *arguments)
        return refused.value.code, refused.value.values

    assert refusal(reviewing.item, 404) == ("draft_unknown", {"draft_id": 404})
    assert refusal(reviewing.item, draft.id) == ("draft_incomplete", {"draft_id": draft.id})
    assert refusal(reviewing.submit, draft.id, 3, author.id) == ("stale_revision", {"base": 3, "latest": 0})
    reviewing.submit(store, draft.id, 0, author.id)
    assert refusal(reviewing.submit, draft.id, 1, author.id) == (
        "wrong_state",
        {"state": "submitted", "action": "submit"},
    )
    sha256 = reviewing.item(store, draft.id).text.text_sha256
    assert refusal(reviewing.decide, draft.id, 1, sha256, author.id, "approve", "") == ("own_review", {})
    assert refusal(reviewing.decide, draft.id, 1, sha256, reviewer.id, "return", "") == ("reason_missing", {})
    assert refusal(reviewing.decide, draft.id, 1, "0" * 64, reviewer.id, "approve", "")[0] == "stale_revision"


def test_a_draft_that_the_model_did_not_finish_can_be_written_by_hand(store, author, draft):
    half = start_draft(store, draft.post.id, author.id)
    store.finish_draft(half.id, "stopped", {"L1": "半句"})
    store.save_revision(half.id, 0, author.id, EDITED)
    shown = reviewing.item(store, half.id)
    assert (shown.model, shown.text.response) == (None, EDITED)


def test_all_with_a_part_in_a_text_are_among_its_writers(store, author, reviewer, draft):
    store.save_revision(draft.id, 0, reviewer.id, EDITED)
    (redraft,) = store.start_drafts(
        draft.post.id,
        author.id,
        model_name="m",
        model_sha256="0",
        samplings=[{"seed": 0}],
        origin=Origin(draft.id, "answer"),
    )
    store.finish_draft(redraft.id, "done", MODEL.parts())
    third = store.person("第三人")
    store.save_revision(redraft.id, 0, third.id, EDITED)
    assert reviewing.item(store, draft.id).writers == {author.id, reviewer.id}
    assert reviewing.item(store, redraft.id).writers == {author.id, reviewer.id, third.id}


BLOCKED = Response("累", "怕", "想被听见", "先接住", "你这是抑郁症。都是你自己的错，都怪你自己。")


def refusal(*arguments):
    with pytest.raises(DeskError) as refused:
        reviewing.submit(*arguments)
    return refused.value.code, refused.value.values


def test_blocking_findings_are_handed_on_with_a_reason_only(tmp_path, store, author, reviewer, draft):
    store.save_revision(draft.id, 0, author.id, BLOCKED)
    assert refusal(store, draft.id, 1, author.id) == ("lint_stands", {"count": 3})
    assert refusal(store, draft.id, 1, author.id, " \u200b\n") == ("lint_stands", {"count": 3})
    too_long = {"section": "reason", "chars": MAX_REASON_CHARS + 1, "limit": MAX_REASON_CHARS}
    assert refusal(store, draft.id, 1, author.id, "因" * (MAX_REASON_CHARS + 1)) == ("text_too_long", too_long)
    assert (store.draft(draft.id).state, store.history.overrides(draft.id)) == ("open", [])

    reviewing.submit(store, draft.id, 1, author.id, " 引的是\u202e来信原话\r\n已与督导商量 ")
    shown = reviewing.item(store, draft.id)
    (override,) = shown.overrides
    assert (override.version, override.text_sha256, override.person) == (1, shown.text.text_sha256, author)
    assert (override.rules, override.reason) == (("diagnosis", "blame"), "引的是来信原话\n已与督导商量")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw:
        events = raw.execute("SELECT code, draft_id, version, person_id, count FROM audit_events").fetchall()
    assert events[-2:] == [
        ("lint_overridden", draft.id, 1, author.id, 2),
        ("submitted", draft.id, 1, author.id, None),
    ]


def test_it_is_the_text_handed_on_that_is_read(store, author, draft):
    half = start_draft(store, draft.post.id, author.id)
    model_only = store.finish_draft(half.id, "done", BLOCKED.parts())
    assert refusal(store, model_only.id, 0, author.id)[0] == "lint_stands"
    store.save_revision(model_only.id, 0, author.id, EDITED)
    # An outdated version is outdated, whatever its text.
    assert refusal(store, model_only.id, 0, author.id)[0] == "stale_revision"
    assert reviewing.submit(store, model_only.id, 1, author.id, "多余的理由").state == "submitted"
    assert reviewing.item(store, model_only.id).overrides == []


@pytest.mark.parametrize(
    ("description", "answer", "count"),
    [
        ("活着没意思，我想死。", "我在听。", 2),
        ("活着没意思，我想死。", "你现在有自杀的念头吗？可以拨打12356。", 0),
        ("我没有想过自杀。", "我在听。", 0),
    ],
)
def test_what_is_missing_counts_while_signals_stand_that_are_not_denied(store, author, description, answer, count):
    draft = start_draft(store, store.add_post("", description, author.id).id, author.id)
    store.finish_draft(draft.id, "done", {**MODEL.parts(), "answer": answer})
    if count:
        assert refusal(store, draft.id, 0, author.id) == ("lint_stands", {"count": count})
    else:
        assert reviewing.submit(store, draft.id, 0, author.id).state == "submitted"
