"""What may leave: only what was approved, consented to, found to name no one, and, of urgent posts, signed twice."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import exc
from sqlalchemy import text as sql

from storage.errors import StorageError
from tests.curated import EDITION, add_draft, decide, let_leave


@pytest.fixture
def approved(store, people, text):
    """A draft whose text was approved, and the sha256 of that text."""
    draft = add_draft(store, "最近很累", "每天加班到很晚。", text("模型写的"))
    return store.draft(draft.id), decide(store, draft, text("改过的"))


def missing(store, edition=EDITION):
    return {candidate.draft_id: candidate.missing for candidate in store.curation.candidates(edition)}


def refused(call, *arguments):
    with pytest.raises(StorageError) as error:
        call(*arguments)
    return error.value.code


@pytest.mark.parametrize("urgent", [False, True])
def test_each_condition_is_missing_until_somebody_fulfils_it(store, people, approved, urgent):
    draft, sha256 = approved
    assert missing(store) == {draft.id: ("consent", "deidentified", "unread")}
    store.curation.note_read(EDITION, {draft.post.id: "act_now" if urgent else None})
    store.curation.consent(draft.post.id, "draft", True, people.author.id)
    left = ("second_signature",) if urgent else ()
    assert missing(store) == {draft.id: ("consent", "deidentified", *left)}
    store.curation.consent(draft.post.id, "training", True, people.author.id)
    assert missing(store) == {draft.id: ("deidentified", *left)}
    store.curation.confirm(draft.id, 1, sha256, people.author.id)
    assert missing(store) == {draft.id: left}
    store.curation.sign(draft.id, 1, sha256, people.other.id)
    assert missing(store) == {draft.id: ()}
    store.curation.consent(draft.post.id, "training", False, people.author.id)
    assert missing(store) == {draft.id: ("consent",)}
    assert [(consent.purpose, consent.granted) for consent in store.curation.consents(draft.post.id)] == [
        ("draft", True),
        ("training", True),
        ("training", False),
    ]


def test_only_an_approved_text_is_a_candidate(store, people, text):
    draft = add_draft(store, "", "信", text("一"))
    assert missing(store) == {}
    decide(store, draft, text("二"), "return")
    assert missing(store) == {}
    sha256 = decide(store, draft, text("三"))
    assert [(one.draft_id, one.version, one.text_sha256) for one in store.curation.candidates(EDITION)] == [
        (draft.id, 2, sha256)
    ]


def test_a_confirmation_and_a_signature_are_of_one_text(store, people, approved, text):
    draft, sha256 = approved
    let_leave(store, draft.id)
    store.curation.note_read(EDITION, {draft.post.id: "assess_first"})
    store.curation.sign(draft.id, 1, sha256, people.other.id)
    assert missing(store) == {draft.id: ()}
    store.reviewing.reopen(draft.id, 1, people.author.id)
    decide(store, draft, text("又改了"))
    assert missing(store) == {draft.id: ("deidentified", "second_signature")}
    assert refused(store.curation.confirm, draft.id, 1, sha256, people.author.id) == "stale_revision"
    assert refused(store.curation.confirm, draft.id, 2, sha256, people.author.id) == "stale_revision"


def test_the_second_signature_is_of_somebody_else(store, people, approved, raw):
    draft, sha256 = approved
    for person in (people.author, people.reviewer):
        assert refused(store.curation.sign, draft.id, 1, sha256, person.id) == "own_review"
        with pytest.raises(exc.DBAPIError, match="wrote or approved"):
            raw.execute(
                sql(
                    "INSERT INTO signatures (draft_id, version, text_sha256, person_id, created_at)"
                    " VALUES (:draft, 1, :sha, :person, '')"
                ),
                {"draft": draft.id, "sha": sha256, "person": person.id},
            )


def test_who_signs_and_then_approves_has_not_signed_as_a_second(store, people, approved):
    draft, sha256 = approved
    let_leave(store, draft.id)
    store.curation.note_read(EDITION, {draft.post.id: "act_now"})
    store.curation.sign(draft.id, 1, sha256, people.other.id)
    store.reviewing.undo(draft.id, people.reviewer.id)
    store.reviewing.decide(draft.id, 1, sha256, people.other.id, "approve", "")
    assert missing(store) == {draft.id: ("second_signature",)}
    # Whose approval was taken back stands for the text as anybody else may.
    store.curation.sign(draft.id, 1, sha256, people.reviewer.id)
    assert missing(store) == {draft.id: ()}


def test_nothing_is_signed_before_it_is_approved(store, people, text):
    draft = add_draft(store, "", "信", text("一"))
    revision = store.save_revision(draft.id, 0, people.author.id, text("二"))
    assert refused(store.curation.sign, draft.id, 1, revision.text_sha256, people.other.id) == "wrong_state"


def test_a_post_is_read_again_when_the_phrases_change_and_what_was_found_stays(store, people, approved):
    draft, _ = approved
    assert [post.id for post in store.curation.unread(EDITION)] == [draft.post.id]
    store.curation.note_read(EDITION, {draft.post.id: "act_now"})
    assert store.curation.unread(EDITION) == []
    assert [post.id for post in store.curation.unread("2")] == [draft.post.id]
    assert "unread" in missing(store, "2")[draft.id]
    store.curation.note_read("2", {draft.post.id: None})
    assert "second_signature" in missing(store, "2")[draft.id]


def test_statements_are_once_each_and_for_good(store, people, approved, raw):
    draft, sha256 = approved
    for _ in range(2):
        store.curation.confirm(draft.id, 1, sha256, people.author.id)
        store.curation.sign(draft.id, 1, sha256, people.other.id)
    store.curation.consent(draft.post.id, "training", True, people.author.id)
    store.retention.hold(draft.post.id, True, "诉讼", people.author.id)
    for table, verb in product(("consents", "deidentifications", "signatures", "holds"), ("UPDATE", "DELETE FROM")):
        assert raw.execute(sql(f"SELECT count(*) FROM {table}")).scalar() == 1
        change = " SET person_id = person_id" if verb == "UPDATE" else ""
        with pytest.raises(exc.DBAPIError, match="append-only"):
            raw.execute(sql(f"{verb} {table}{change}"))


@pytest.mark.parametrize("change", ["UPDATE posts SET title = 'x'", "DELETE FROM posts", "DELETE FROM drafts"])
def test_what_was_consented_to_is_not_rewritten(store, approved, raw, change):
    with pytest.raises(exc.DBAPIError, match="a post is never rewritten|when its case is erased"):
        raw.execute(sql(change))


def test_what_is_noted_of_a_post_that_is_not_there_is_refused(store, people):
    assert refused(store.curation.consent, 9, "training", True, people.author.id) == "post_unknown"
    assert refused(store.curation.confirm, 9, 1, "0" * 64, people.author.id) == "draft_unknown"


def test_leaving_is_refused_if_a_condition_went_meanwhile_and_else_on_record(store, people, approved, raw):
    draft, sha256 = approved
    let_leave(store, draft.id)
    store.curation.leave(EDITION, {draft.id: sha256})
    assert refused(store.curation.leave, EDITION, {draft.id: "0" * 64}) == "export_changed"
    store.curation.consent(draft.post.id, "training", False, people.author.id)
    assert refused(store.curation.leave, EDITION, {draft.id: sha256}) == "export_changed"
    events = raw.execute(
        sql("SELECT code, post_id, draft_id, version, count FROM audit_events WHERE code LIKE 'export%' ORDER BY id")
    )
    assert [tuple(event) for event in events] == [
        ("export", None, None, None, 1),
        ("exported", draft.post.id, draft.id, 1, None),
    ]
