"""Where a desk keeps its data: a file in its folder (`storage.sqlite`) or a team's server (`storage.postgres`)."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, NoReturn

from sqlalchemy import Connection, Engine, exc

from storage.errors import StorageError, cannot_write

FILE_NAME = "desk.sqlite3"
"""What the file is called, where there is one."""


def make_folder(folder: Path) -> None:
    """Make a folder that its owner alone can read. Raises StorageError folder_read_only (folder), disk_full."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def open_database(folder: Path, url: str | None = None) -> Database:
    """The file of a data folder, made where it is missing; or the database at `url`, which somebody has made.

    Raises:
        StorageError: folder_read_only (folder), disk_full, database_url_invalid, database_driver_missing.
    """
    # Each loads its own driver, and a laptop none of a server.
    if url is None:
        from storage.sqlite import Sqlite

        return Sqlite(folder)
    from storage.postgres import Postgres

    return Postgres(folder, url)


class Database(ABC):
    """A pool of prepared connections, and a folder for what stands beside the data.

    Every block may raise what `Store` names for every method. What both kinds promise: a write is alone and decides on
    what the last one left, whatever process it is in; a read sees one state; what was committed is on disk.
    """

    backup_suffix: ClassVar[str]

    def __init__(self, folder: Path, engine: Engine):
        self.folder = folder
        self.engine = engine

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """A read transaction: everything in it sees the same state."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Connection]:
        """A write transaction: committed and synced when the block ends, rolled back when it raises."""

    @abstractmethod
    def check(self) -> None:
        """Look for what would spoil texts. Raises StorageError database_corrupt or database_not_utf8."""

    def joining(self) -> AbstractContextManager[bool]:
        """Become a desk of this database: yields whether it is the only one, and none can join meanwhile."""
        # That of a folder is alone: it holds the folder's lock (`storage.lock`).
        return nullcontext(True)

    def backup(self, label: str) -> Path:
        """Copy the database into `backups/`, and only name the copy a backup once it is found whole.

        Raises:
            StorageError: disk_full, folder_read_only, database_corrupt (the copy differs from its source),
                backup_tool_missing (tool), backup_failed (tool, exit).
        """
        folder = self.folder / "backups"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        part, backup = folder / f"{label}-{stamp}.part", folder / f"{label}-{stamp}{self.backup_suffix}"
        make_folder(self.folder)
        make_folder(folder)
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._copy(part)
            os.replace(part, backup)
        except OSError as error:
            raise cannot_write(folder, error) from error
        finally:
            part.unlink(missing_ok=True)
        return backup

    @abstractmethod
    def _copy(self, part: Path) -> None:
        """Write everything as it is at one moment into an empty file, and see that it arrived."""

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.StatementError as error:
            if isinstance(error.orig, StorageError):
                raise error.orig from None
            self._name(error)

    @abstractmethod
    def _name(self, error: exc.StatementError) -> NoReturn:
        """Raise a StorageError for what a person can act on, and otherwise an error that quotes no text."""
