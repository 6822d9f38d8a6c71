"""Migrations lead to the declared tables, safely; and what is append-only stays so against raw SQL."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Inspector, inspect, text
from sqlalchemy.exc import IntegrityError

from storage.database import FILE_NAME, open_database
from storage.errors import StorageError
from storage.migrate import SCRIPTS, migrate
from storage.records import Assessment, Comment
from storage.schema import APPEND_ONLY, HEAD, metadata
from storage.store import Store
from tests.storage.conftest import past_the_store


def described(inspector: Inspector, table: str) -> dict[str, object]:
    def listed(found):
        return sorted(found, key=lambda item: str(item["name"]))

    return {
        "columns": [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)],
        "primary key": inspector.get_pk_constraint(table),
        "foreign keys": listed(inspector.get_foreign_keys(table)),
        "unique": listed(inspector.get_unique_constraints(table)),
        "checks": listed(inspector.get_check_constraints(table)),
        "indexes": listed(inspector.get_indexes(table)),
    }


def test_the_migrations_make_what_the_schema_declares(tmp_path, store, empty_url):
    with store._database.read() as migrated, past_the_store(tmp_path, empty_url) as made:
        metadata.create_all(made)
        left, right = inspect(migrated), inspect(made)
        # The index of texts has tables, functions and kinds of its own, which SQLAlchemy cannot declare.
        index = {name for name in left.get_table_names() if name.split("_")[0] == "search"}
        assert set(left.get_table_names()) - index == {*right.get_table_names(), "alembic_version"}
        for table in metadata.tables:
            assert described(left, table) == described(right, table)
        options = {"compare_type": True, "include_name": lambda name, *_: name not in index}
        assert compare_metadata(MigrationContext.configure(migrated, opts=options), metadata) == []


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.fixture
def filled(store, people, new_draft, text, raw):
    """A database with a row in every append-only table."""
    draft = new_draft()
    store.release(draft.post.id, people.author.id)
    store.reviewing.note_urgency(draft.post.id, "act_now")
    store.reviewing.submit(draft.id, 0, people.author.id, overridden=["blame"], reason="原话")
    with pytest.raises(StorageError):
        store.save_revision(draft.id, 0, people.other.id, text("迟到"))
    sha256 = store.latest_revision(draft.id).text_sha256
    store.reviewing.offer_reasons(["太长"])
    (reason,) = store.reviewing.reasons()
    found = Assessment({"L1": "keep"}, {"fluency": 4}, (Comment("L1", "好"),), (reason.id,))
    store.reviewing.decide(draft.id, 1, sha256, people.reviewer.id, "approve", "", found)
    store.reviewing.undo(draft.id, people.reviewer.id)
    store.reviewing.decide(draft.id, 1, sha256, people.reviewer.id, "approve", "")
    return raw


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only_tables_refuse_update_delete_and_replace(filled, table):
    before = filled.exec_driver_sql(f"SELECT * FROM {table}").fetchall()
    assert before
    column = next(iter(metadata.tables[table].columns)).name
    statements = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if filled.dialect.name == "sqlite":
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    else:
        statements.append(f"TRUNCATE {table} CASCADE")
    for statement in statements:
        with pytest.raises(IntegrityError, match="append-only|in review or approved"):
            filled.exec_driver_sql(statement)
    assert filled.exec_driver_sql(f"SELECT * FROM {table}").fetchall() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE drafts SET status = 'lost'",
        "UPDATE drafts SET state = 'blessed'",
        "UPDATE drafts SET cosine = 0.5",
        "UPDATE drafts SET version = 0",
        "UPDATE drafts SET candidate = 9",
        "INSERT INTO lint_overrides SELECT 9, draft_id, 1, text_sha256, 1, '[]', ' ', created_at FROM revisions",
        "UPDATE requests SET steer = 'louder'",
        "UPDATE requests SET aim = 'win'",
        "UPDATE requests SET from_section = 'L2'",
    ],
)
def test_checks_hold_against_raw_sql(filled, statement):
    with pytest.raises(IntegrityError, match="(?i)check constraint|no such change of state"):
        filled.exec_driver_sql(statement)


def test_the_audit_trail_holds_codes_and_numbers_alone(filled):
    events = filled.execute(text("SELECT * FROM audit_events ORDER BY id")).mappings().all()
    assert {event["code"] for event in events} >= {"draft_started", "lint_overridden", "save_refused", "review_approve"}
    for event in events:
        assert all(isinstance(value, int | None) for name, value in event.items() if name not in ("code", "created_at"))


NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"


def upgrade():
    op.add_column("people", sa.Column("colour", sa.Text))
    {then}
"""


def with_next_migration(folder: Path, then: str) -> Path:
    scripts = folder / "migrations"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "next_one.py").write_text(NEXT.format(head=HEAD, then=then))
    return scripts


@pytest.fixture
def migrate_on(tmp_path, database_url):
    """Brings the test's data to a migration after the newest, which ends with a statement."""

    def run(then: str) -> None:
        database = open_database(tmp_path / "data", database_url)
        try:
            migrate(database, with_next_migration(tmp_path, then), "next")
        finally:
            database.close()

    return run


def state(connection: Connection) -> tuple[object, bool]:
    """The migration, and whether the next one was here."""
    columns = {column["name"] for column in inspect(connection).get_columns("people")}
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar(), "colour" in columns


def restored(backup: Path, folder: Path, url: str | None) -> Store:
    """What a person does with a backup."""
    folder.mkdir()
    if url is None:
        shutil.copy(backup, folder / FILE_NAME)
    else:
        subprocess.run(["pg_restore", "--exit-on-error", f"--dbname={url}", str(backup)], check=True)
    return Store.open(folder, url)


def test_an_older_database_is_copied_and_then_upgraded(tmp_path, store, new_draft, raw, empty_url, migrate_on):
    draft = new_draft()
    store.close()
    migrate_on("pass")
    assert state(raw) == ("next", True)
    (backup,) = (tmp_path / "data" / "backups").iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600
    # The copy is a database that this release can work with.
    again = restored(backup, tmp_path / "restored", empty_url)
    with past_the_store(tmp_path / "restored", empty_url) as copy:
        assert state(copy) == (HEAD, False)
    assert again.draft(draft.id) == draft
    assert [case.draft_id for case in again.history.cases("加班")] == [draft.id]
    assert again.person("新来的").id not in (draft.author.id, 0)
    again.close()


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(open_store, store, people, raw, migrate_on):
    store.close()
    with pytest.raises(ZeroDivisionError):
        migrate_on("1 / 0")
    assert state(raw) == (HEAD, False)
    assert open_store().person("作者") == people.author
