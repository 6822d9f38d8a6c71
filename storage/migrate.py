"""Bring a database's schema to the newest migration, in one transaction, after a verified copy."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from storage.database import Database
from storage.errors import StorageError
from storage.schema import HEAD

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(database: Database, scripts: Path = SCRIPTS, head: str = HEAD) -> None:
    """Do nothing if the schema is `head`; make it anew in an empty file; else copy the file and upgrade it.

    Raises:
        StorageError: newer_schema (found, known), if a later release wrote the file; database_corrupt, if the
            file holds tables of something else.
    """
    with database.read() as connection:
        found = _version(connection)
    if found == head:
        return
    if found is not None:
        if not any(file.name.startswith(f"{found}_") for file in (scripts / "versions").iterdir()):
            raise StorageError("newer_schema", found=found, known=head)
        database.backup(f"before-{head}-was-{found}")
    _upgrade(database, scripts)


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StorageError("database_corrupt")
    version: str = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
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
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise StorageError("database_corrupt")
