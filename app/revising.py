"""A person's edits: from five text boxes to a stored revision. A save waits for the disk alone, never for a model."""

from __future__ import annotations

from collections.abc import Mapping

from app.chain import SECTIONS, Response
from app.intake import accept_section
from app.reviewing import desk_errors
from storage.records import Draft, Person, Revision, StoredScore
from storage.store import Store


def revise(store: Store, draft_id: int, base_version: int, person: Person, texts: Mapping[str, str]) -> Revision:
    """Save what stands in the boxes as the next version of a draft; it has a score if its answer had one before.

    Args:
        store: where to.
        draft_id: of which draft.
        base_version: the version that the boxes were filled from; 0 is the model's text.
        person: who edited.
        texts: by section name, as typed.

    Raises:
        DeskError: section_empty (section), text_too_long (section, chars, limit), draft_unknown, wrong_state, or
            stale_revision (base, latest), if a different text was saved meanwhile; the store then keeps both.
    """
    response = Response(**{name: accept_section(name, texts[name]) for name in SECTIONS})
    with desk_errors():
        draft = store.draft(draft_id)
        latest = store.latest_revision(draft_id)
        # The store refuses what a reviewer holds, and takes two saves of one text that crossed for one.
        return store.save_revision(draft_id, base_version, person.id, response, _known_score(draft, latest, response))


def _known_score(draft: Draft, latest: Revision | None, response: Response) -> StoredScore | None:
    """The score of the same answer, from before the edit."""
    if latest is not None and latest.response.answer == response.answer:
        return latest.score
    return draft.score if draft.sections.get("answer") == response.answer else None
