"""Migrations lead to the declared tables, safely; and what is append-only stays so against raw SQL."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Inspector, create_engine, inspect

from storage.database import FILE_NAME, Database
from storage.errors import StorageError
from storage.migrate import SCRIPTS, migrate
from storage.schema import APPEND_ONLY, HEAD, metadata
from storage.store import Store


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


def test_the_migrations_make_what_the_schema_declares(tmp_path, store):
    declared = create_engine(f"sqlite:///{tmp_path / 'declared.sqlite3'}")
    metadata.create_all(declared)
    with store._database.read() as migrated, declared.connect() as made:
        left, right = inspect(migrated), inspect(made)
        # The index of texts is a virtual table with tables of its own, which SQLAlchemy cannot declare.
        index = {name for name in left.get_table_names() if name.split("_")[0] == "search"}
        assert set(left.get_table_names()) - index == {*right.get_table_names(), "alembic_version"}
        for table in metadata.tables:
            assert described(left, table) == described(right, table)
        options = {"compare_type": True, "include_name": lambda name, *_: name not in index}
        assert compare_metadata(MigrationContext.configure(migrated, opts=options), metadata) == []
    declared.dispose()


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.fixture
def filled(tmp_path, store, people, new_draft, text):
    """A database with a row in every append-only table."""
    draft = new_draft()
    store.release(draft.post.id, people.author.id)
    store.reviewing.submit(draft.id, 0, people.author.id, overridden=["blame"], reason="原话")
    with pytest.raises(StorageError):
        store.save_revision(draft.id, 0, people.other.id, text("迟到"))
    sha256 = store.latest_revision(draft.id).text_sha256
    store.reviewing.decide(draft.id, 1, sha256, people.reviewer.id, "approve", "")
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as raw:
        yield raw


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only_tables_refuse_update_delete_and_replace(filled, table):
    filled.execute("PRAGMA recursive_triggers=ON")
    before = filled.execute(f"SELECT * FROM {table}").fetchall()
    assert before
    for statement in (
        f"UPDATE {table} SET rowid = rowid",
        f"DELETE FROM {table}",
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            filled.execute(statement)
    assert filled.execute(f"SELECT * FROM {table}").fetchall() == before


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
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        filled.execute(statement)


def test_the_audit_trail_holds_codes_and_numbers_alone(filled):
    filled.row_factory = sqlite3.Row
    events = [dict(row) for row in filled.execute("SELECT * FROM audit_events ORDER BY id")]
    assert [event["code"] for event in events] == [
        "draft_started",
        "draft_done",
        "checklist_done",
        "lint_overridden",
        "submitted",
        "save_refused",
        "review_approve",
    ]
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


def colours(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as raw:
        return "colour" in [row[1] for row in raw.execute("PRAGMA table_info(people)")]


def test_an_older_database_is_copied_and_then_upgraded(tmp_path):
    store = Store.open(tmp_path / "data")
    person = store.person("人")
    store.close()
    database = Database(tmp_path / "data")
    migrate(database, with_next_migration(tmp_path, "pass"), "next")
    database.close()
    assert colours(tmp_path / "data" / FILE_NAME)
    (backup,) = (tmp_path / "data" / "backups").iterdir()
    assert backup.suffix == ".sqlite3" and not colours(backup)
    # The copy is a database that this release can work with.
    (tmp_path / "restored").mkdir()
    shutil.copy(backup, tmp_path / "restored" / FILE_NAME)
    restored = Store.open(tmp_path / "restored")
    assert restored.person("人") == person
    restored.close()


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(tmp_path):
    Store.open(tmp_path / "data").close()
    before = (tmp_path / "data" / FILE_NAME).read_bytes()
    database = Database(tmp_path / "data")
    with pytest.raises(ZeroDivisionError):
        migrate(database, with_next_migration(tmp_path, "1 / 0"), "next")
    database.close()
    assert (tmp_path / "data" / FILE_NAME).read_bytes() == before
    Store.open(tmp_path / "data").close()
