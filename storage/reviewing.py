"""From a text that is handed on to a second person's decision, and the approved texts that leave.

Who may decide is settled inside the transaction that does it, and once more by the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from sqlalchemy import Connection, func, select, update

from app.chain import Response
from storage import rows, steps
from storage.database import Database
from storage.errors import StorageError
from storage.records import ApprovedItem, Decision, Draft, QueueItem, View, text_sha256
from storage.schema import drafts, lint_overrides, reviews
from storage.states import after


class Reviewing:
    """The lists of a review, and what moves a text along them. Raises what `Store` does."""

    def __init__(self, database: Database):
        self._database = database

    def handed_on(self, draft_id: int, version: int) -> tuple[Draft, Response]:
        """The draft and the text that `submit` would hand on; raises what it would."""
        with self._database.read() as connection:
            return _handed_on(connection, draft_id, version)

    def submit(
        self, draft_id: int, version: int, person_id: int, *, overridden: Sequence[str] = (), reason: str = ""
    ) -> Draft:
        """Hand the text to a second person. Version 0, the model's own text, becomes revision 1 by who submits it.

        Args:
            draft_id: the draft.
            version: its latest, as the person saw it.
            person_id: who submits.
            overridden: rules of the lint that the text breaks; kept with the reason.
            reason: why it is handed on all the same.

        Raises:
            StorageError: stale_revision (base, latest), wrong_state (state, action), draft_incomplete (draft_id).
        """
        with self._database.write() as connection:
            draft, text = _handed_on(connection, draft_id, version)
            if version == 0:
                version = steps.append_revision(connection, draft, person_id, text, draft.score).version
            if overridden:
                steps.add(
                    connection,
                    lint_overrides,
                    draft_id=draft_id,
                    version=version,
                    text_sha256=text_sha256(text),
                    person_id=person_id,
                    rules=list(overridden),
                    reason=reason,
                    created_at=steps.now(),
                )
                steps.log(connection, "lint_overridden", person_id, draft_id, version, count=len(overridden))
            state = after(draft.state, "submit")
            connection.execute(update(drafts).where(drafts.c.id == draft_id).values(state=state))
            steps.log(connection, "submitted", person_id, draft_id, version)
            return steps.find_draft(connection, draft_id)

    def queue(self, view: View, person_id: int, limit: int = 50, offset: int = 0) -> list[QueueItem]:
        """One list as this person sees it, oldest save first."""
        query = rows.select_queue(view, person_id).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [rows.to_queue_item(row) for row in connection.execute(query).mappings()]

    def counts(self, person_id: int) -> dict[View, int]:
        """How long each list of `queue` is."""
        views: tuple[View, ...] = get_args(View)
        with self._database.read() as connection:
            return {
                view: connection.execute(
                    select(func.count()).select_from(rows.select_queue(view, person_id).subquery())
                ).scalar_one()
                for view in views
            }

    def decide(
        self, draft_id: int, version: int, text_sha256: str, reviewer_id: int, decision: Decision, reason: str
    ) -> Draft:
        """Record a second person's decision on exactly this text.

        Raises:
            StorageError: stale_revision (base, latest), wrong_state (state, action), own_review (by the author or
                whoever saved a version of it), reason_missing (every decision but approve needs one).
        """
        with self._database.write() as connection:
            draft = steps.draft_at(connection, draft_id, version)
            text = steps.latest_revision(connection, draft)
            state = after(draft.state, decision)
            if text is None or text.text_sha256 != text_sha256:
                raise StorageError("stale_revision", base=version, latest=draft.version)
            if steps.is_own(connection, draft_id, reviewer_id):
                raise StorageError("own_review")
            if decision != "approve" and not reason.strip():
                raise StorageError("reason_missing")
            steps.add(
                connection,
                reviews,
                draft_id=draft_id,
                version=version,
                text_sha256=text_sha256,
                author_id=draft.author.id,
                editor_id=text.person.id,
                reviewer_id=reviewer_id,
                decision=decision,
                reason=reason.strip(),
                created_at=steps.now(),
            )
            connection.execute(update(drafts).where(drafts.c.id == draft_id).values(state=state))
            steps.log(connection, f"review_{decision}", reviewer_id, draft_id, version)
            return steps.find_draft(connection, draft_id)

    def approved_items(self) -> Iterator[ApprovedItem]:
        """Every approved text, by draft id, as they stand at one moment.

        Raises:
            StorageError: export_mismatch (draft_id), if a text is not, to the letter, the one that was approved.
        """
        with self._database.read() as connection:
            for row in connection.execute(rows.SELECT_APPROVED).mappings():
                item = rows.to_approved_item(row)
                if item is None:
                    raise StorageError("export_mismatch", draft_id=row["draft_id"])
                yield item

    def log_export(self, count: int) -> None:
        """Note that `count` approved texts are about to leave the database."""
        with self._database.write() as connection:
            steps.log(connection, "export", count=count)


def _handed_on(connection: Connection, draft_id: int, version: int) -> tuple[Draft, Response]:
    draft = steps.draft_at(connection, draft_id, version)
    after(draft.state, "submit")
    latest = steps.latest_revision(connection, draft)
    text = draft.response if latest is None else latest.response
    if text is None:
        raise StorageError("draft_incomplete", draft_id=draft_id)
    return draft, text
