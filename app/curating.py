"""Curation: what people say of a case, what may leave and why not, the export itself, and the end of a case.

The rules are the store's; its refusals become sentences. But posts are read for signals here, because the store knows
no phrases: every post before any text of it leaves, and once more when the phrases have changed.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime
from pathlib import Path

from app.chain import post_text
from app.errors import DeskError
from app.intake import accept_reason
from app.reviewing import desk_errors
from app.safety.signals import phrases, scan, urgency
from storage.curation_records import Candidate, Consent, DueCase, Erased, ErasureReason, Hold, Purpose
from storage.exports.forms import Form, Kind
from storage.exports.manifest import Filters
from storage.exports.write import EVERYTHING, ExportReport
from storage.exports.write import export as write
from storage.store import Store

MONTHS_A_YEAR = 12


def edition() -> str:
    """Of the phrases that posts are read with: the day on which somebody last read all of them."""
    return phrases().reviewed_on.isoformat()


def read_posts(store: Store) -> int:
    """Read every post with an approved text that was not read with these phrases; returns how many."""
    count = 0
    with desk_errors():
        while posts := store.curation.unread(edition()):
            found = {post.id: urgency(scan(post_text(post.title, post.description))) for post in posts}
            store.curation.note_read(edition(), found)
            count += len(found)
    return count


def grant(store: Store, post_id: int, purpose: Purpose, person_id: int) -> None:
    """Note that the help-seeker agrees to a use of the case. Raises DeskError post_unknown (post_id)."""
    with desk_errors():
        store.curation.consent(post_id, purpose, True, person_id)


def withdraw(store: Store, post_id: int, purpose: Purpose, person_id: int) -> None:
    """Note that the help-seeker no longer does. Files that were exported before hold the case still."""
    with desk_errors():
        store.curation.consent(post_id, purpose, False, person_id)


def consents(store: Store, post_id: int) -> list[Consent]:
    """All that was noted of a case, oldest first; of each purpose the latest counts."""
    with desk_errors():
        return store.curation.consents(post_id)


def confirm(store: Store, draft_id: int, version: int, text_sha256: str, person_id: int) -> None:
    """Note that a person read the post, this text and the model's draft, and found that they name nobody.

    Raises:
        DeskError: stale_revision (base, latest), if it is not the latest text; draft_unknown (draft_id).
    """
    with desk_errors():
        store.curation.confirm(draft_id, version, text_sha256, person_id)


def sign(store: Store, draft_id: int, version: int, text_sha256: str, person_id: int) -> None:
    """Stand for an approved text of an urgent post, as a second person beside its reviewer.

    Raises:
        DeskError: stale_revision (base, latest), wrong_state (state, action), own_review, not_a_reviewer,
            draft_unknown (draft_id).
    """
    with desk_errors():
        store.curation.sign(draft_id, version, text_sha256, person_id)


def candidates(store: Store, limit: int = 50, after: int = 0) -> list[Candidate]:
    """Approved texts of as many posts after one, by post, with what is missing before each may leave."""
    read_posts(store)
    with desk_errors():
        return store.curation.candidates(edition(), limit=limit, after=after)


def export(
    store: Store,
    kind: Kind,
    out: Path,
    *,
    form: Form = "jsonl",
    filters: Filters = EVERYTHING,
    licence: str | None = None,
) -> ExportReport:
    """Write what may leave as training data, and a manifest beside it; see `storage.exports.write.export`.

    Raises:
        DeskError: as it.
    """
    read_posts(store)
    with desk_errors():
        return write(store, kind, out, edition=edition(), form=form, filters=filters, licence=licence)


def reviewer_named(store: Store, name: str) -> int:
    """The id of somebody who has approved a text. Raises DeskError reviewer_unknown."""
    with desk_errors():
        known = store.curation.reviewers()
    for person in known:
        if person.name.casefold() == name.strip().casefold():
            return person.id
    raise DeskError("reviewer_unknown")


def hold(store: Store, post_id: int, reason: str, person_id: int) -> None:
    """Keep a case from being erased. Raises DeskError post_unknown (post_id), reason_missing, lead_needed."""
    with desk_errors():
        store.retention.hold(post_id, True, accept_reason(reason), person_id)


def release(store: Store, post_id: int, reason: str, person_id: int) -> None:
    """Let it be erased again. Raises as `hold`."""
    with desk_errors():
        store.retention.hold(post_id, False, accept_reason(reason), person_id)


def holds(store: Store, post_id: int) -> list[Hold]:
    """All that was noted of it, oldest first; the last one counts."""
    with desk_errors():
        return store.retention.holds(post_id)


def due(store: Store, months: int, now: datetime, limit: int = 50) -> list[DueCase]:
    """Cases on which nobody has written for as many months, oldest first. A person decides on each; none goes alone."""
    with desk_errors():
        return store.retention.due(months_before(now, months), limit)


def months_before(now: datetime, months: int) -> datetime:
    """The same day of an earlier month, or the last of that month where it has no such day."""
    year, month = divmod(now.year * MONTHS_A_YEAR + now.month - 1 - months, MONTHS_A_YEAR)
    _, days = monthrange(year, month + 1)
    return now.replace(year=year, month=month + 1, day=min(now.day, days))


def erase(store: Store, post_id: int, reason: ErasureReason, person_id: int) -> Erased:
    """End a case for good; the answer says what a person still has to do, with copies and exported files.

    Raises:
        DeskError: post_unknown (post_id), case_held, case_running, lead_needed, not_a_reviewer.
    """
    with desk_errors():
        return store.retention.erase(post_id, reason, person_id)
