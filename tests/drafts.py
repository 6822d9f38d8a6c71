"""A draft to begin a test with."""

from __future__ import annotations

from storage.records import Draft
from storage.store import Store


def start_draft(store: Store, post_id: int, author_id: int) -> Draft:
    """A request of one candidate, by a model of no meaning."""
    (draft,) = store.start_drafts(post_id, author_id, model_name="m", model_sha256="0" * 64, samplings=[{"seed": 0}])
    return draft
