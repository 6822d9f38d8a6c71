"""Bring a database's schema to the newest migration, in one transaction, after a verified copy."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from storage.database import Database
from storage.errors import StorageError
from storage.schema import HEAD

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(database: Database, scripts: Path = SCRIPTS, head: str = HEAD) -> None:
    """Do nothing if the schema is `head`; make it anew where there is nothing; else copy the database and upgrade it.

    Raises:
        StorageError: as `known_version` and `Database.backup`: without a copy there is no upgrade.
    """
    found = known_version(database, scripts, head)
    if found == head:
        return
    if found is not None:
        database.backup(f"before-{head}-was-{found}")
    _upgrade(database, scripts)


def known_version(database: Database, scripts: Path = SCRIPTS, head: str = HEAD) -> str | None:
    """The migration that a database stands at; None for an empty one.

    Raises:
        StorageError: newer_schema (found, known), if a later release wrote it; database_foreign, if it holds tables of
            something else; database_corrupt, if it has lost its version.
    """
    with database.read() as connection:
        found = _version(connection)
    if found is not None and not any(file.name.startswith(f"{found}_") for file in (scripts / "versions").iterdir()):
        raise StorageError("newer_schema", found=found, known=head)
    return found


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StorageError("database_foreign")
    version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version is None:
        raise StorageError("database_corrupt")
    return version


def _upgrade(database: Database, scripts: Path) -> None:
    # Only here, because an up-to-date database opens without it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        # Where a migration copies a table, SQLite asks no row whether what it names is still there.
        copied = connection.dialect.name == "sqlite"
        if copied and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise StorageError("database_corrupt")
