"""A copy of a PostgreSQL database, made by PostgreSQL's own tools and read back to the last row."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from sqlalchemy import URL, Connection, func, inspect, select, table

from storage.errors import StorageError

_TABLE = re.compile(rb"COPY \S+\.(\w+) \(.*\) FROM stdin;\n")
_END = b"\\.\n"


def copy(connection: Connection, url: URL, part: Path) -> None:
    """Dump the state that a read transaction sees into a file, and count the rows that arrived there.

    Raises:
        StorageError: backup_tool_missing (tool), backup_failed (tool, exit), database_corrupt (rows are missing).
    """
    _dump(url, connection.execute(select(func.pg_export_snapshot())).scalar_one(), part)
    there = inspect(connection).get_table_names()
    counts = {name: connection.scalar(select(func.count()).select_from(table(name))) for name in there}
    dumped = _row_counts(part)
    if any(dumped.get(name) != count for name, count in counts.items()):
        raise StorageError("database_corrupt")


def _dump(url: URL, snapshot: str, part: Path) -> None:
    password = url.password or url.query.get("password")
    # Not on the command line, which every account of the machine can read.
    secret = {} if password is None else {"PGPASSWORD": str(password)}
    place = url.set(drivername="postgresql", password=None).difference_update_query(["password"])
    arguments = ("--format=custom", "--no-password", f"--snapshot={snapshot}", f"--file={part}")
    command = [*arguments, f"--dbname={place.render_as_string(hide_password=False)}"]
    with _tool("pg_dump", *command, **secret) as running:
        running.communicate()
    _ended(running, "pg_dump")


def _row_counts(part: Path) -> dict[str, int]:
    """The rows of each table in a dump, which is read to its end: one a line, as COPY writes them."""
    counts: dict[str, int] = {}
    name = None
    with _tool("pg_restore", "--data-only", "--file=-", str(part)) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if name is None:
                if begun := _TABLE.fullmatch(line):
                    name = begun[1].decode()
                    counts[name] = 0
            elif line == _END:
                name = None
            else:
                counts[name] += 1
    _ended(running, "pg_restore")
    return counts


def _tool(tool: str, *arguments: str, **secret: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [tool, *arguments],
            env={**os.environ, **secret},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # What it says may quote a row.
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise StorageError("backup_tool_missing", tool=tool) from None


def _ended(running: subprocess.Popen[bytes], tool: str) -> None:
    if running.returncode:
        raise StorageError("backup_failed", tool=tool, exit=running.returncode)
