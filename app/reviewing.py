"""Review by a second person: submit, list, open, decide. The rules are the store's; its refusals become sentences.

But one is kept here, because the store knows no lint: a text with blocking findings is handed on with a reason only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.chain import Response, post_text
from app.errors import DeskError
from app.intake import accept_reason, clean
from app.safety.lint import Finding, lint
from app.safety.signals import scan, urgency
from storage.errors import StorageError
from storage.queue import EVERYTHING, Filter
from storage.records import (
    NOTHING_SAID,
    Assessment,
    Comment,
    Decision,
    Draft,
    Order,
    Override,
    Post,
    QueueItem,
    Reason,
    Review,
    Revision,
    StaleSave,
    Standing,
    View,
)
from storage.store import Store


@dataclass(frozen=True)
class Queue:
    """A page of one list, and how long every list is for this person."""

    items: list[QueueItem]
    counts: dict[View, int]


@dataclass(frozen=True)
class Item:
    """All that a reviewer weighs. The differences to show are those from `model` and earlier versions to `text`.

    `model` is None if the model's draft was no whole response; `reviews` leaves out what others find in the text that
    is still being reviewed; `stale` holds texts whose save was refused; `overrides` says why versions were handed on
    against the lint. None of the `writers`, the ids of all with a part in the text or in what it was redrafted from,
    may decide.
    """

    draft: Draft
    standing: Standing
    model: Response | None
    text: Revision
    reviews: list[Review]
    stale: list[StaleSave]
    overrides: list[Override]
    writers: frozenset[int]


@contextmanager
def desk_errors() -> Iterator[None]:
    """Let a refusal of the store pass as a DeskError of the same code and values."""
    try:
        yield
    except StorageError as error:
        raise DeskError(error.code, **error.values) from error


def said_of_danger(post: str) -> tuple[str, ...]:
    """What a post says of danger and does not deny, by kind."""
    return tuple(dict.fromkeys(signal.kind for signal in scan(post) if not signal.denied))


def findings(post: Post, answer: str) -> tuple[Finding, ...]:
    """What the lint finds in an answer to a post, in the light of its signals."""
    text = post_text(post.title, post.description)
    return lint(answer, text, said_of_danger(text))


def note_urgency(store: Store, post: Post) -> None:
    """Let the lists know how soon somebody must act on a post."""
    level = urgency(scan(post_text(post.title, post.description)))
    if level:
        store.reviewing.note_urgency(post.id, level)


def submit(store: Store, draft_id: int, version: int, person_id: int, reason: str = "") -> Draft:
    """Hand version `version` to a second person; 0 is the model's unedited text.

    Args:
        store: where the draft is.
        draft_id: the draft.
        version: its latest, as the person saw it.
        person_id: who submits.
        reason: why, although blocking findings stand in the text; kept with their rules, and only then.

    Raises:
        DeskError: lint_stands (count), if they do and there is no reason; text_too_long (section, chars, limit);
            stale_revision, wrong_state, draft_incomplete.
    """
    reason = accept_reason(reason)
    with desk_errors():
        draft, text = store.reviewing.handed_on(draft_id, version)
        blocking = [finding.rule for finding in findings(draft.post, text.answer) if finding.severity == "block"]
        if blocking and not reason:
            raise DeskError("lint_stands", count=len(blocking))
        # The text of a version never changes: what is handed on is what was read here, or the version is refused.
        rules = list(dict.fromkeys(blocking))
        note_urgency(store, draft.post)
        return store.reviewing.submit(draft_id, version, person_id, overridden=rules, reason=reason)


def queue(
    store: Store,
    view: View,
    person_id: int,
    limit: int = 50,
    offset: int = 0,
    *,
    narrowed: Filter = EVERYTHING,
    order: Order = "urgency",
) -> Queue:
    """One list as this person sees it."""
    with desk_errors():
        items = store.reviewing.queue(view, person_id, limit, offset, narrowed=narrowed, order=order)
        return Queue(items, store.reviewing.counts(person_id))


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
        standing = store.reviewing.standing(draft_id)
        return Item(
            draft=draft,
            standing=standing,
            model=draft.response,
            text=text,
            # A reviewer must not know what another one found in the same text.
            reviews=store.reviewing.reviews(draft_id, earlier=standing in ("submitted", "claimed")),
            stale=store.stale_saves(draft_id),
            overrides=store.history.overrides(draft_id),
            writers=store.history.writers(draft_id),
        )


def claim(store: Store, draft_id: int, person_id: int) -> None:
    """Have a submitted text to oneself for a while, or a while longer.

    Raises:
        DeskError: wrong_state, own_review, not_a_reviewer, lead_needed, already_reviewed, claimed (minutes).
    """
    with desk_errors():
        store.reviewing.claim(draft_id, person_id)


def release(store: Store, draft_id: int, person_id: int) -> None:
    """Leave a text to others."""
    with desk_errors():
        store.reviewing.release(draft_id, person_id)


def decide(
    store: Store,
    draft_id: int,
    version: int,
    text_sha256: str,
    reviewer_id: int,
    decision: Decision,
    reason: str,
    assessment: Assessment = NOTHING_SAID,
) -> Draft:
    """Decide on exactly the text that was shown: its version and hash come from the `Item`.

    Raises:
        DeskError: as `claim`; stale_revision, reason_missing; comment_empty; text_too_long (section, chars, limit).
    """
    reason = accept_reason(reason)
    said = replace(assessment, comments=tuple(_accepted(comment) for comment in assessment.comments))
    with desk_errors():
        return store.reviewing.decide(draft_id, version, text_sha256, reviewer_id, decision, reason, said)


def undo(store: Store, draft_id: int, person_id: int) -> Draft:
    """Take back what one has just decided. Raises DeskError undo_too_late (seconds), nothing_to_undo."""
    with desk_errors():
        return store.reviewing.undo(draft_id, person_id)


def reopen(store: Store, draft_id: int, version: int, person_id: int) -> Draft:
    """Take the approval of a text back to edit it. Raises DeskError stale_revision, wrong_state."""
    with desk_errors():
        return store.reviewing.reopen(draft_id, version, person_id)


def offered_reasons(store: Store, usual: Sequence[str]) -> list[Reason]:
    """The centre's list of reasons; the `usual` ones become it where there is none yet."""
    with desk_errors():
        if not store.reviewing.reasons():
            store.reviewing.offer_reasons(usual)
        return [reason for reason in store.reviewing.reasons() if reason.offered]


def _accepted(comment: Comment) -> Comment:
    text = accept_reason(comment.text)
    if not text:
        raise DeskError("comment_empty")
    return Comment(comment.section, text, clean(comment.quote).text)
