"""Review by a second person: submit, list, open, decide. The rules are the store's; its refusals become sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.chain import Response
from app.errors import DeskError
from storage.errors import StorageError
from storage.records import Decision, Draft, QueueItem, Review, Revision, StaleSave, View
from storage.store import Store


@dataclass(frozen=True)
class Queue:
    """A page of one list, and how long every list is for this person."""

    items: list[QueueItem]
    counts: dict[View, int]


@dataclass(frozen=True)
class Item:
    """All that a reviewer weighs. The difference to show is that between `model` and `text`.

    `model` is None if the model's draft was no whole response; `stale` holds texts whose save was refused. None of the
    `writers`, the ids of the author and of whoever saved a version, may decide.
    """

    draft: Draft
    model: Response | None
    text: Revision
    reviews: list[Review]
    stale: list[StaleSave]
    writers: frozenset[int]


@contextmanager
def desk_errors() -> Iterator[None]:
    """Let a refusal of the store pass as a DeskError of the same code and values."""
    try:
        yield
    except StorageError as error:
        raise DeskError(error.code, **error.values) from error


def submit(store: Store, draft_id: int, version: int, person_id: int) -> Draft:
    """Hand version `version` to a second person; 0 is the model's unedited text.

    Raises:
        DeskError: stale_revision, wrong_state, draft_incomplete.
    """
    with desk_errors():
        return store.submit(draft_id, version, person_id)


def queue(store: Store, view: View, person_id: int, limit: int = 50, offset: int = 0) -> Queue:
    """One list as this person sees it, oldest first."""
    with desk_errors():
        return Queue(store.queue(view, person_id, limit, offset), store.counts(person_id))


def item(store: Store, draft_id: int) -> Item:
    """Open a draft that somebody has saved or submitted.

    Raises:
        DeskError: draft_unknown (draft_id); draft_incomplete (draft_id), if no person has saved a text of it.
    """
    with desk_errors():
        draft = store.draft(draft_id)
        text = store.latest_revision(draft_id)
        if text is None:
            raise StorageError("draft_incomplete", draft_id=draft_id)
        writers = frozenset({draft.author.id, *(revision.person.id for revision in store.revisions(draft_id))})
        return Item(draft, draft.response, text, store.reviews(draft_id), store.stale_saves(draft_id), writers)


def decide(
    store: Store, draft_id: int, version: int, text_sha256: str, reviewer_id: int, decision: Decision, reason: str
) -> Draft:
    """Decide on exactly the text that was shown: its version and hash come from the `Item`.

    Raises:
        DeskError: stale_revision, wrong_state, own_review, reason_missing.
    """
    with desk_errors():
        return store.decide(draft_id, version, text_sha256, reviewer_id, decision, reason)
