"""Steps inside a transaction that the store has opened: what several of its methods are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.chain import FORMAT_VERSION, PROMPT_VERSION, Response
from storage import rows, search
from storage.errors import StorageError
from storage.records import Draft, Origin, Post, Revision, StoredScore, text_sha256
from storage.review_tables import submissions
from storage.schema import audit_events, drafts, posts, requests, reviews, revisions
from storage.states import after

LAST_ID = 2**31 - 1
"""PostgreSQL's integers end here; for a larger one the database raises an error of its own."""


def now() -> datetime:
    """For created_at and finished_at."""
    return datetime.now(UTC)


def add(connection: Connection, table: Table, **values: object) -> int:
    """Insert one row and return its id."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def add_new(connection: Connection, table: Table, **values: object) -> bool:
    """Insert one row, unless one like it, by a unique constraint, is there already; returns whether it did."""
    either: sqlite.Insert | postgresql.Insert = (
        sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    )
    statement = either.values(values).on_conflict_do_nothing()
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def add_post(connection: Connection, title: str, description: str, author_id: int) -> Post:
    """Insert a post, and let it be found."""
    moment = now()
    post_id = add(connection, posts, title=title, description=description, author_id=author_id, created_at=moment)
    search.index(connection, post_id)
    return Post(post_id, title, description, moment)


def add_request(
    connection: Connection,
    post_id: int,
    author_id: int,
    origin: Origin,
    samplings: Sequence[Mapping[str, int | float]],
    **values: object,
) -> list[int]:
    """Insert a draft a sampling, unedited, under this process's prompt and format versions; returns their ids."""
    request_id = add(connection, requests, **asdict(origin))
    moment = now()
    return [
        add(
            connection,
            drafts,
            request_id=request_id,
            candidate=candidate,
            post_id=post_id,
            author_id=author_id,
            sampling=dict(sampling),
            seed=sampling["seed"],
            prompt_version=PROMPT_VERSION,
            format_version=FORMAT_VERSION,
            state="open",
            version=0,
            created_at=moment,
            **values,
        )
        for candidate, sampling in enumerate(samplings, start=1)
    ]


def add_submitted(
    connection: Connection, title: str, description: str, response: Response, author_id: int, **model: str
) -> None:
    """Insert a post with a whole response that somebody wrote elsewhere and hands to a second person."""
    post = add_post(connection, title, description, author_id)
    (draft_id,) = add_request(
        connection,
        post.id,
        author_id,
        Origin(),
        [{"seed": 0}],
        status="done",
        timings={},
        finished_at=now(),
        **model,
        **response.parts(),
    )
    append_revision(connection, find_draft(connection, draft_id), author_id, response, None)
    hand_on(connection, find_draft(connection, draft_id), author_id)
    log(connection, "imported", author_id, draft_id, 1)


def hand_on(connection: Connection, draft: Draft, person_id: int) -> None:
    """Submit a draft's latest revision."""
    state = after(draft.state, "submit").to
    last_review = select(func.coalesce(func.max(reviews.c.id), 0)).where(reviews.c.draft_id == draft.id)
    add(
        connection,
        submissions,
        draft_id=draft.id,
        version=draft.version,
        person_id=person_id,
        after_review=connection.execute(last_review).scalar_one(),
        created_at=now(),
    )
    connection.execute(update(drafts).where(drafts.c.id == draft.id).values(state=state))


def interrupt_running(connection: Connection) -> None:
    """Call every running draft interrupted; what it has can be found from now on."""
    running = drafts.c.status == "running"
    post_ids = set(connection.execute(select(drafts.c.post_id).where(running)).scalars())
    connection.execute(update(drafts).where(running).values(status="interrupted", finished_at=now()))
    for post_id in post_ids:
        search.index(connection, post_id)


def log(
    connection: Connection,
    code: str,
    person_id: int | None = None,
    draft_id: int | None = None,
    version: int | None = None,
    *,
    post_id: int | None = None,
    count: int | None = None,
) -> None:
    """Add to the audit trail, which holds a code and numbers and has no room for text."""
    add(
        connection,
        audit_events,
        code=code,
        person_id=person_id,
        post_id=post_id,
        draft_id=draft_id,
        version=version,
        count=count,
        created_at=now(),
    )


def find_draft(connection: Connection, draft_id: int) -> Draft:
    """One draft. Raises StorageError draft_unknown (draft_id)."""
    row = None
    if 0 < draft_id <= LAST_ID:
        row = connection.execute(rows.SELECT_DRAFT.where(drafts.c.id == draft_id)).mappings().first()
    if row is None:
        raise StorageError("draft_unknown", draft_id=draft_id)
    return rows.to_draft(row)


def is_own(connection: Connection, draft_id: int, person_id: int) -> bool:
    """See `rows.is_own`."""
    return connection.execute(select(rows.is_own(person_id)).where(drafts.c.id == draft_id)).scalar_one()


def draft_at(connection: Connection, draft_id: int, version: int) -> Draft:
    """The draft, if `version` is its latest. Raises StorageError stale_revision (base, latest)."""
    draft = find_draft(connection, draft_id)
    if draft.version != version:
        raise StorageError("stale_revision", base=version, latest=draft.version)
    return draft


def latest_revision(connection: Connection, draft: Draft) -> Revision | None:
    """The text that counts, or None while only the model has written."""
    query = rows.SELECT_REVISION.where(revisions.c.draft_id == draft.id, revisions.c.version == draft.version)
    row = connection.execute(query).mappings().first()
    return None if row is None else rows.to_revision(row)


def append_revision(
    connection: Connection, draft: Draft, person_id: int, response: Response, score: StoredScore | None
) -> Revision:
    """Add the next version and let the draft's state follow."""
    version = draft.version + 1
    add(
        connection,
        revisions,
        draft_id=draft.id,
        version=version,
        person_id=person_id,
        **response.parts(),
        text_sha256=text_sha256(response),
        **rows.score_values(score),
        created_at=now(),
    )
    state = after(draft.state, "save").to
    connection.execute(update(drafts).where(drafts.c.id == draft.id).values(version=version, state=state))
    search.index(connection, draft.post.id)
    query = rows.SELECT_REVISION.where(revisions.c.draft_id == draft.id, revisions.c.version == version)
    return rows.to_revision(connection.execute(query).mappings().one())
