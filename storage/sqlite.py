"""The SQLite file of a laptop: how it is opened, checked, copied and written to, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from sqlalchemy import Connection, create_engine, event, exc
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection

from storage.database import FILE_NAME, Database, make_folder
from storage.errors import StorageError, cannot_write

# WAL of SQLite before 3.51.3 can corrupt a file that several connections write and checkpoint.
_WAL = sqlite3.sqlite_version_info >= (3, 51, 3)

PRAGMAS = (
    "busy_timeout=5000",
    "foreign_keys=ON",
    "secure_delete=ON",
    "trusted_schema=OFF",
    # Without it INSERT OR REPLACE deletes rows past the triggers that guard the append-only tables.
    "recursive_triggers=ON",
    *(("journal_mode=WAL", "synchronous=FULL") if _WAL else ("journal_mode=DELETE", "synchronous=EXTRA")),
    # macOS: fsync alone leaves data in the drive's cache.
    "fullfsync=ON",
)

_CODES = {
    sqlite3.SQLITE_FULL: "disk_full",
    # What a quota or a failing disk looks like; a full disk too, where the file system reports it late.
    sqlite3.SQLITE_IOERR: "disk_full",
    sqlite3.SQLITE_BUSY: "database_locked",
    sqlite3.SQLITE_LOCKED: "database_locked",
    sqlite3.SQLITE_CORRUPT: "database_corrupt",
    sqlite3.SQLITE_NOTADB: "database_corrupt",
    sqlite3.SQLITE_READONLY: "folder_read_only",
    sqlite3.SQLITE_CANTOPEN: "folder_read_only",
    sqlite3.SQLITE_PERM: "folder_read_only",
}


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    # The driver must not begin transactions by itself; `_begin` does.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A read transaction that turns into a write fails at once under WAL, whatever the busy timeout.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


class Sqlite(Database):
    """One file in the data folder."""

    backup_suffix = ".sqlite3"

    def __init__(self, folder: Path):
        """Make the folder and the file, readable by their owner alone, where they are missing.

        Raises:
            StorageError: folder_read_only (folder), disk_full.
        """
        make_folder(folder)
        self._path = folder / FILE_NAME
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise cannot_write(folder, error) from error
        # hide_parameters: SQLAlchemy's messages would otherwise quote the post.
        super().__init__(folder, create_engine(URL.create("sqlite", database=str(self._path)), hide_parameters=True))
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Database`."""
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Database`."""
        with self._translated(), self.engine.connect().execution_options(writes=True) as connection:
            with connection.begin():
                yield connection

    def check(self) -> None:
        """Look for damage. Raises StorageError database_corrupt."""
        with self.read() as connection:
            if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
                raise StorageError("database_corrupt")

    def _copy(self, part: Path) -> None:
        try:
            with closing(sqlite3.connect(self._path)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                if not _whole(copy) or _row_counts(copy) != _row_counts(source):
                    raise StorageError("database_corrupt")
        except sqlite3.Error as error:
            raise StorageError(_CODES.get(error.sqlite_errorcode & 0xFF, "database_corrupt")) from error

    def _name(self, error: exc.StatementError) -> NoReturn:
        # The low byte is the primary code; the rest tells kinds of it apart.
        code = _CODES.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
        if code is None:
            raise error
        values = {"folder": str(self.folder)} if code == "folder_read_only" else {}
        raise StorageError(code, **values) from error


def _whole(copy: sqlite3.Connection) -> bool:
    integrity = copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return integrity and not copy.execute("PRAGMA foreign_key_check").fetchall()


def _row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    # A virtual table's rows are those of the tables behind it.
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'"
    names = [name for (name,) in connection.execute(tables)]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
