"""The PostgreSQL server of a team: how it is reached and written to, and what its errors mean.

The database is the desk's alone, made beforehand and owned by who signs in. Its session and advisory locks need a
connection of their own: no pooler that hands one from transaction to transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from sqlalchemy import URL, Connection, create_engine, event, exc, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection

from storage import postgres_dump
from storage.database import Database
from storage.errors import StorageError

WRITING, DESK = 0x456D70617468, 0x456D70617469
"""Advisory locks: who writes holds the first, every desk shares the second."""

SETTINGS = (
    # As long as SQLite's busy timeout.
    "lock_timeout = '5s'",
    # A server may be told to answer before a commit is on disk.
    "synchronous_commit = on",
    # To compile one of these queries takes longer than to run it.
    "jit = off",
)

_SIGN_IN_SECONDS = "10"

_CODES = {
    "53100": "disk_full",
    "58030": "disk_full",
    "55P03": "database_locked",
    "40001": "database_locked",
    "40P01": "database_locked",
    "XX001": "database_corrupt",
    "XX002": "database_corrupt",
    "25006": "database_denied",
    "42501": "database_denied",
    "53300": "database_unreachable",
}
_UNREACHABLE = ("08", "28", "3D", "57P")
"""How the codes begin of a connection that failed, was refused or was ended."""


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    connection.autocommit = True
    with closing(connection.cursor()) as cursor:
        for setting in SETTINGS:
            cursor.execute(f"SET {setting}")
    connection.autocommit = False


class Postgres(Database):
    """One database of a server."""

    backup_suffix = ".pgdump"

    def __init__(self, folder: Path, url: str):
        """Connects only when it is asked something.

        Raises:
            StorageError: database_url_invalid, database_driver_missing.
        """
        self._url = _parsed(url)
        self._desk: Connection | None = None
        try:
            # pre_ping: a server that was restarted costs nobody an error.
            super().__init__(folder, create_engine(self._url, hide_parameters=True, pool_pre_ping=True))
        except ModuleNotFoundError:
            raise StorageError("database_driver_missing") from None
        event.listen(self.engine, "connect", _prepare)

    def close(self) -> None:
        """Close every connection, and so stop being one of the desks."""
        if self._desk is not None:
            self._desk.close()
        super().close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Database`."""
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._translated(), self.engine.connect().execution_options(**snapshot) as connection:
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Database`.

        One lock for all writes, and READ COMMITTED: each statement behind the lock sees what the last writer left, so
        nothing is decided on a state that is gone and nothing has to be repeated. A stricter level would take its
        snapshot before it waits. Writes are short, and those of a team few.
        """
        read_committed = {"isolation_level": "READ COMMITTED"}
        with self._translated(), self.engine.connect().execution_options(**read_committed) as connection:
            with connection.begin():
                connection.execute(select(func.pg_advisory_xact_lock(WRITING)))
                yield connection

    def check(self) -> None:
        """See that every character can be kept. Raises StorageError database_not_utf8."""
        with self.read() as connection:
            if connection.exec_driver_sql("SHOW server_encoding").scalar() != "UTF8":
                raise StorageError("database_not_utf8")

    @contextmanager
    def joining(self) -> Iterator[bool]:
        """See `Database`. The server frees the locks of a desk that dies with its connection."""
        with self._translated():
            self._desk = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            alone = bool(self._desk.scalar(select(func.pg_try_advisory_lock(DESK))))
        yield alone
        with self._translated():
            # Waits for another desk that is just joining.
            self._desk.execute(select(func.pg_advisory_lock_shared(DESK)))
            if alone:
                self._desk.execute(select(func.pg_advisory_unlock(DESK)))

    def _copy(self, part: Path) -> None:
        with self.read() as connection:
            postgres_dump.copy(connection, self._url, part)

    def _name(self, error: exc.StatementError) -> NoReturn:
        if not isinstance(error, exc.DBAPIError):
            raise error
        # The driver's message quotes the row; this one says what can be said without.
        unquoted = type(error)(None, None, _Unquoted(error.orig))
        code = _code(error)
        if code is None:
            raise unquoted from None
        values = {"server": _place(self._url)} if code in ("database_unreachable", "database_denied") else {}
        raise StorageError(code, **values) from unquoted


class _Unquoted(Exception):
    """What is left of a driver's error: its code and, of a broken rule, the sentence that our schema has for it."""

    def __init__(self, error: BaseException | None):
        state = getattr(error, "sqlstate", None)
        broken = isinstance(state, str) and state.startswith("23")
        rule = f": {error.diag.message_primary}" if broken else ""  # type: ignore[union-attr]
        super().__init__(f"{type(error).__name__} {state}{rule}")


def _code(error: exc.DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # Nobody was there to give a code.
        return "database_unreachable" if isinstance(error, exc.OperationalError) else None
    return "database_unreachable" if state.startswith(_UNREACHABLE) else _CODES.get(state)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise StorageError("database_url_invalid") from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg") or not parsed.database:
        raise StorageError("database_url_invalid")
    return parsed.set(drivername="postgresql+psycopg").update_query_dict(
        {"connect_timeout": _SIGN_IN_SECONDS, **parsed.query}
    )


def _place(url: URL) -> str:
    """Which database, without who signs in or how."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}/{url.database}"
