"""The erasure of a case: which rows are its, and how no trace of them stays in the file.

Rows are found along the foreign keys, so that a table which is made later goes along. SQLite overwrites what is deleted
(secure_delete); its full text index, which only marks texts as deleted, is written anew; its log is emptied. Not within
reach are blocks of the disk that a file no longer uses, copies, files that were exported, and models trained on them.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select, update

from storage import search, steps
from storage.curation_records import ErasureReason
from storage.curation_tables import erasures
from storage.database import Database
from storage.schema import drafts, metadata, posts, requests


def erase(connection: Connection, post_id: int, reason: ErasureReason, person_id: int) -> tuple[int, int]:
    """Delete a post and all that hangs on it.

    Returns:
        The number of the erasure, and how many rows went.
    """
    number = steps.add(
        connection, erasures, post_id=post_id, reason=reason, person_id=person_id, created_at=steps.now()
    )
    request_ids = list(connection.execute(select(drafts.c.request_id).where(drafts.c.post_id == post_id)).scalars())
    # Requests and drafts name each other: what a redraft came from is forgotten first.
    of_case = requests.c.id.in_(request_ids)
    connection.execute(update(requests).where(of_case).values(parent_id=None, from_section=None))
    search.remove(connection, post_id)
    count = 0
    for table in reversed(metadata.sorted_tables):
        belongs = of_case if table is requests else _belongs(table, post_id)
        if belongs is not None:
            count += connection.execute(delete(table).where(belongs)).rowcount
    steps.log(connection, "case_erased", person_id, post_id=post_id, count=count)
    return number, count


def of_cases() -> list[Table]:
    """Every table that holds rows of cases, what others hang on first."""
    return [table for table in metadata.sorted_tables if table is requests or _belongs(table, 0) is not None]


def _belongs(table: Table, post_id: int) -> ColumnElement[bool] | None:
    """Which rows of a table are of a post; None if none can be."""
    if table is posts:
        return posts.c.id == post_id
    ways = []
    for key in table.foreign_key_constraints:
        # A request is its drafts', which name it: `erase` knows them.
        if requests in (table, key.referred_table):
            continue
        condition = _belongs(key.referred_table, post_id)
        if condition is not None:
            same = [element.parent == element.column for element in key.elements]
            ways.append(exists().where(*same, condition).correlate(table))
    return or_(*ways) if ways else None


def clear_log(database: Database) -> Literal["server", "log"] | None:
    """Empty the file's log, where it has one.

    Returns:
        What could not be done: on a server vacuum and log are the server's; `log` while somebody is reading.
    """
    with database.engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            return "server"
        # Outside of any transaction: the driver's own cursor.
        busy = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return "log" if busy else None
