"""How long a case is kept: holds, what is due to go, and its erasure."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, case, exists, func, select

from storage import curation_rows, erasing, parts, rows, steps
from storage.curation import find_post
from storage.curation_records import DueCase, Erased, ErasureReason, Hold
from storage.curation_tables import holds
from storage.database import Database
from storage.errors import StorageError
from storage.records import Post
from storage.schema import audit_events, drafts, posts, revisions


class Retention:
    """What stays, and what ends. Raises what `Store` does."""

    def __init__(self, database: Database):
        self._database = database

    def hold(self, post_id: int, held: bool, reason: str, person_id: int) -> None:
        """Keep a case from being erased, or let it go again.

        Raises:
            StorageError: post_unknown (post_id), reason_missing, lead_needed, not_a_reviewer.
        """
        if not reason.strip():
            raise StorageError("reason_missing")
        with self._database.write() as connection:
            find_post(connection, post_id)
            _require_lead(connection, person_id)
            steps.add(
                connection,
                holds,
                post_id=post_id,
                held=held,
                reason=reason.strip(),
                person_id=person_id,
                created_at=steps.now(),
            )
            steps.log(connection, "hold" if held else "hold_released", person_id, post_id=post_id)

    def holds(self, post_id: int) -> list[Hold]:
        """All that was noted of it, oldest first; the last one counts."""
        query = curation_rows.SELECT_HOLD.where(holds.c.post_id == post_id).order_by(holds.c.id)
        with self._database.read() as connection:
            return [_hold(row) for row in connection.execute(query).mappings()]

    def due(self, before: datetime, limit: int = 50) -> list[DueCase]:
        """Cases on which nothing was written since before a moment, oldest first. None is erased by itself."""
        last_at = _last_at()
        query = select(posts, last_at.label("last_at")).where(last_at < before).order_by(posts.c.id).limit(limit)
        with self._database.read() as connection:
            found = list(connection.execute(query).mappings())
            query = curation_rows.SELECT_HOLD.where(holds.c.post_id.in_([row["id"] for row in found]))
            latest = {row["post_id"]: _hold(row) for row in connection.execute(query.order_by(holds.c.id)).mappings()}
        return [
            DueCase(
                Post(row["id"], row["title"], row["description"], row["created_at"]),
                row["last_at"],
                latest[row["id"]] if row["id"] in latest and latest[row["id"]].held else None,
            )
            for row in found
        ]

    def erase(self, post_id: int, reason: ErasureReason, person_id: int) -> Erased:
        """End a case: the post and all that hangs on it leave the database, and the file and its log hold none of it.

        Raises:
            StorageError: post_unknown (post_id), case_held, case_running (a model is writing for it), lead_needed,
                not_a_reviewer.
        """
        with self._database.write() as connection:
            post = find_post(connection, post_id)
            _require_lead(connection, person_id)
            _refuse_kept(connection, post_id)
            number, count = erasing.erase(connection, post_id, reason, person_id)
            exports = select(func.count()).where(audit_events.c.post_id == post_id, audit_events.c.code == "exported")
            left = connection.execute(exports).scalar_one()
        return Erased(number, count, left, self._backups(post.created_at), erasing.clear_log(self._database))

    def clear_log(self) -> bool:
        """Empty the file's log of what was erased; False while somebody is reading."""
        return erasing.clear_log(self._database) != "log"

    def _backups(self, since: datetime) -> tuple[Path, ...]:
        folder = self._database.folder / "backups"
        if not folder.is_dir():
            return ()
        files = [path for path in folder.iterdir() if path.is_file()]
        return tuple(sorted(path for path in files if path.stat().st_mtime >= since.timestamp()))


def _require_lead(connection: Connection, person_id: int) -> None:
    if parts.role_of(connection, person_id) != "lead":
        raise StorageError("lead_needed")


def _refuse_kept(connection: Connection, post_id: int) -> None:
    latest = select(holds.c.held).where(holds.c.post_id == post_id).order_by(holds.c.id.desc()).limit(1)
    if connection.execute(latest).scalar():
        raise StorageError("case_held")
    running = exists().where(drafts.c.post_id == post_id, drafts.c.status == "running")
    if connection.execute(select(running)).scalar():
        raise StorageError("case_running")


def _hold(row: Any) -> Hold:
    return Hold(row["held"], row["reason"], rows.person(row), row["created_at"])


def _last_at() -> Any:
    """When a post, a draft of it or a version of one was last written."""
    saved = (
        select(func.max(revisions.c.created_at))
        .join(drafts, drafts.c.id == revisions.c.draft_id)
        .where(drafts.c.post_id == posts.c.id)
        .correlate(posts)
        .scalar_subquery()
    )
    begun = (
        select(func.max(drafts.c.created_at)).where(drafts.c.post_id == posts.c.id).correlate(posts).scalar_subquery()
    )
    return case((saved > begun, saved), else_=func.coalesce(begun, posts.c.created_at))
