"""Approved texts, and all that people have to say before one may leave."""

from __future__ import annotations

from app.chain import Response
from storage.records import Draft
from storage.store import Store
from tests.drafts import start_draft

EDITION = "1"
"""Of the phrases that posts are read with in these tests."""

AUTHOR, REVIEWER, SECOND = "作者", "审核", "第三人"


def add_draft(store: Store, title: str, description: str, wrote: Response, post_id: int | None = None) -> Draft:
    """A finished draft of a post, new unless its id is given."""
    author = store.person(AUTHOR).id
    post_id = post_id or store.add_post(title, description, author).id
    draft = start_draft(store, post_id, author)
    return store.finish_draft(draft.id, "done", wrote.parts(), timings={})


def decide(store: Store, draft: Draft, text: Response, decision: str = "approve") -> str:
    """Save a text of a draft, and have it decided; returns its sha256."""
    author, reviewer = store.person(AUTHOR).id, store.person(REVIEWER).id
    revision = store.save_revision(draft.id, store.draft(draft.id).version, author, text)
    store.reviewing.submit(draft.id, revision.version, author)
    store.reviewing.decide(draft.id, revision.version, revision.text_sha256, reviewer, decision, "理由")
    return revision.text_sha256


def let_leave(store: Store, draft_id: int, edition: str = EDITION) -> None:
    """Consent, a confirmation and a reading that found nothing, for the latest text of a draft."""
    draft, text = store.draft(draft_id), store.latest_revision(draft_id)
    assert text is not None
    person = store.person(AUTHOR).id
    store.curation.consent(draft.post.id, "training", True, person)
    store.curation.confirm(draft_id, text.version, text.text_sha256, person)
    store.curation.note_read(edition, {draft.post.id: None})
