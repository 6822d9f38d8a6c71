"""The history of a desk: its cases, searched and filtered, and the versions of a draft with who wrote them and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from storage import rows, search
from storage.database import Database
from storage.records import Case, Override, Person, Revision, State, Version
from storage.schema import drafts, lint_overrides, people, posts, revisions, writers


class History:
    """Questions about what was done; changes nothing. Raises what `Store` does."""

    def __init__(self, database: Database):
        self._database = database

    def cases(
        self,
        words: str = "",
        *,
        state: State | None = None,
        author_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Case]:
        """Posts with the draft at which each was left, newest post first.

        Args:
            words: each term of it must occur in the post, in what models wrote for it, or in a latest revision.
            state: of that draft.
            author_id: who had that draft made.
            since: the first moment at which the post may have come.
            until: the first at which it may not any more.
            limit: as many as a page holds.
            before: the post of the last case on the page before.
        """
        conditions = search.matches(words)
        if state is not None:
            conditions += _left_with(drafts.c.state == state)
        if author_id is not None:
            conditions += _left_with(drafts.c.author_id == author_id)
        if since is not None:
            conditions.append(posts.c.created_at >= since)
        if until is not None:
            conditions.append(posts.c.created_at < until)
        if before is not None:
            conditions.append(posts.c.id < before)
        query = _select_cases(conditions).limit(limit)
        with self._database.read() as connection:
            return [_case(row) for row in connection.execute(query).mappings()]

    def versions(self, draft_id: int) -> list[Version]:
        """Who saved a draft and when, newest first."""
        query = (
            select(revisions.c.version, revisions.c.created_at, people.c.id, people.c.name)
            .join(people, people.c.id == revisions.c.person_id)
            .where(revisions.c.draft_id == draft_id)
            .order_by(revisions.c.version.desc())
        )
        with self._database.read() as connection:
            return [Version(row.version, Person(row.id, row.name), row.created_at) for row in connection.execute(query)]

    def revision(self, draft_id: int, version: int) -> Revision | None:
        """The text of one version, to be looked at or to be saved once more; None if there is no such version."""
        query = rows.SELECT_REVISION.where(revisions.c.draft_id == draft_id, revisions.c.version == version)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else rows.to_revision(row)

    def writers(self, draft_id: int) -> frozenset[int]:
        """The ids of all with a part in its text, also by what it was redrafted from: none of them may review it."""
        query = select(writers.c.person_id).where(writers.c.draft_id == draft_id)
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def overrides(self, draft_id: int) -> list[Override]:
        """Why versions of it were handed on against the lint, oldest first."""
        query = rows.SELECT_OVERRIDE.where(lint_overrides.c.draft_id == draft_id).order_by(lint_overrides.c.id)
        with self._database.read() as connection:
            return [rows.to_override(row) for row in connection.execute(query).mappings()]


def _left_with(condition: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """A condition on the draft at which a case was left; which that is need not be found out where none fulfils it."""
    return [condition, posts.c.id.in_(select(drafts.c.post_id).where(condition))]


def _select_cases(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    other, saved = drafts.alias("other"), revisions.alias("saved")
    # Where a case was left: the draft that was saved or begun last; of candidates begun together, the best.
    left_at = (
        select(other.c.id)
        .outerjoin(saved, and_(saved.c.draft_id == other.c.id, saved.c.version == other.c.version))
        .where(other.c.post_id == posts.c.id)
        .order_by(
            func.coalesce(saved.c.created_at, other.c.created_at).desc(),
            other.c.cosine.desc().nulls_last(),
            other.c.candidate,
        )
        .limit(1)
        .correlate(posts)
        .scalar_subquery()
    )
    count = select(func.count()).where(other.c.post_id == posts.c.id).correlate(posts).scalar_subquery()
    return (
        select(
            posts.c.id.label("post_id"),
            posts.c.title,
            func.substr(posts.c.description, 1, rows.EXCERPT_CHARS).label("excerpt"),
            posts.c.created_at,
            drafts.c.id.label("draft_id"),
            drafts.c.status,
            drafts.c.state,
            drafts.c.version,
            people.c.id.label("author_id"),
            people.c.name,
            count.label("drafts"),
        )
        .select_from(posts)
        .join(drafts, drafts.c.id == left_at)
        .join(people, people.c.id == drafts.c.author_id)
        .where(*conditions)
        .order_by(posts.c.id.desc())
    )


def _case(row: Any) -> Case:
    return Case(
        post_id=row["post_id"],
        title=row["title"],
        excerpt=row["excerpt"],
        created_at=row["created_at"],
        draft_id=row["draft_id"],
        author=Person(row["author_id"], row["name"]),
        status=row["status"],
        state=row["state"],
        version=row["version"],
        drafts=row["drafts"],
    )
