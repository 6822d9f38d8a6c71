"""Review as the page calls it: the road from a draft to an approval, and every refusal as a DeskError."""

from __future__ import annotations

import pytest

from app import reviewing
from app.chain import Response
from app.errors import DeskError
from storage.store import Store

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
    draft = store.start_draft(post.id, author.id, model_name="m", model_sha256="0", sampling={}, seed=0)
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
    half = store.start_draft(draft.post.id, author.id, model_name="m", model_sha256="0", sampling={}, seed=0)
    store.finish_draft(half.id, "stopped", {"L1": "半句"})
    store.save_revision(half.id, 0, author.id, EDITED)
    shown = reviewing.item(store, half.id)
    assert (shown.model, shown.text.response) == (None, EDITED)


def test_everybody_who_saved_a_version_is_among_its_writers(store, author, reviewer, draft):
    store.save_revision(draft.id, 0, reviewer.id, EDITED)
    store.save_revision(draft.id, 1, store.person("第三人").id, MODEL)
    assert reviewing.item(store, draft.id).writers == {author.id, reviewer.id, store.person("第三人").id}
