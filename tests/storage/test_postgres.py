"""What a server adds: sessions that end, accounts that may not, other desks, and copies made by its own tools."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text

from app.chain import Response
from storage import postgres, postgres_dump
from storage.database import open_database
from storage.errors import StorageError
from storage.migrate import migrate
from storage.store import Store
from tests.drafts import start_draft
from tests.storage.conftest import past_the_store
from tests.storage.test_schema import with_next_migration

ROOT = Path(__file__).parents[2]
CANARY = "金丝雀"


@pytest.fixture
def database_url(server):
    with server.database() as url:
        yield url


def refusal(action) -> StorageError:
    with pytest.raises(StorageError) as refused:
        action()
    return refused.value


def end_sessions(raw) -> None:
    """As a server does that is shut down."""
    raw.exec_driver_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )


WRITER = """
import sys
from pathlib import Path
from app.chain import Response
from storage.store import Store
from tests.drafts import start_draft
store = Store.open(Path(sys.argv[1]), sys.argv[2])
author = store.person("writer")
draft = start_draft(store, store.add_post("", "post", author.id).id, author.id)
print(draft.id, flush=True)
for n in range(1, 100000):
    store.save_revision(draft.id, n - 1, author.id, Response("1", "2", "3", "4", f"answer {n} " + "x" * 3000))
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9_and_the_next_desk_finds_itself_alone(tmp_path, database_url):
    for kill in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), database_url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            draft_id = int(writer.stdout.readline())
            for _ in range(1 + 5 * kill):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        with past_the_store(tmp_path, database_url) as raw:
            sessions = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> :own")
            own = raw.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            # The server learns of the death when it next reads from the dead or writes to them.
            while raw.execute(sessions, {"own": own}).scalar():
                raw.exec_driver_sql("SELECT pg_sleep(0.05)")
        store = Store.open(tmp_path, database_url)
        answers = [revision.response.answer.split()[1] for revision in store.revisions(draft_id)]
        # One more may have been committed and not yet said.
        assert answers in ([str(n + 1) for n in range(acknowledged)], [str(n + 1) for n in range(acknowledged + 1)])
        assert store.draft(draft_id).status == "interrupted"
        store.close()


def test_a_session_that_is_ended_is_named_and_the_next_call_has_a_new_one(store, raw):
    first = store.person("先来的")
    with pytest.raises(StorageError) as refused:
        with store._database.write() as connection:
            end_sessions(raw)
            connection.exec_driver_sql("DELETE FROM people")
    assert refused.value.code == "database_unreachable"
    end_sessions(raw)
    assert store.person("先来的") == first


@pytest.mark.parametrize("change", [{"database": "nowhere"}, {"query": {"host": "/nowhere"}}, {"username": "nobody"}])
def test_a_server_that_does_not_let_the_desk_in_is_named_without_the_password(tmp_path, database_url, change):
    url = postgres._parsed(database_url).set(password=CANARY).set(**change)
    error = refusal(lambda: Store.open(tmp_path, url.render_as_string(hide_password=False)))
    assert error.code == "database_unreachable"
    assert error.values["server"].endswith(f"/{url.database}")
    assert CANARY not in "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize(
    "url", ["", "desk", "mysql://me@here/desk", "postgresql://me@here", "postgresql://me@here:x/y"]
)
def test_an_address_that_is_none_is_refused(tmp_path, url):
    assert refusal(lambda: Store.open(tmp_path, url)).code == "database_url_invalid"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "disk_full"),
        ("58030", "disk_full"),
        ("40P01", "database_locked"),
        ("XX001", "database_corrupt"),
        ("25006", "database_denied"),
        ("57P03", "database_unreachable"),
        ("53300", "database_unreachable"),
    ],
)
def test_what_a_server_reports_is_named_and_not_quoted(store, state, code):
    def fail() -> None:
        with store._database.write() as connection:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE '{CANARY}' USING ERRCODE = '{state}'; END $$")

    error = refusal(fail)
    assert error.code == code
    assert CANARY not in "".join(traceback.format_exception(error))


def test_another_error_keeps_its_kind_and_code_and_loses_the_text(store):
    with pytest.raises(Exception, match="DataException 22000") as raised:
        with store._database.write() as connection:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE '{CANARY}' USING ERRCODE = '22000'; END $$")
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_a_write_that_waits_too_long_is_named(tmp_path, database_url, raw, monkeypatch):
    monkeypatch.setattr(postgres, "SETTINGS", ("lock_timeout = '20ms'",))
    store = Store.open(tmp_path, database_url, beside_desk=True)
    raw.exec_driver_sql(f"SELECT pg_advisory_lock({postgres.WRITING})")
    assert refusal(lambda: store.person("人")).code == "database_locked"
    raw.exec_driver_sql(f"SELECT pg_advisory_unlock({postgres.WRITING})")
    assert store.person("人").name == "人"
    store.close()


def test_writes_of_two_stores_follow_each_other_and_a_read_stays_where_it_began(store, open_store, people):
    """The second write waits for the first and then sees what it left; a read that had begun does not."""
    other, waiting = open_store(beside_desk=True), threading.Event()
    names: list[str] = []

    def rename() -> None:
        waiting.set()
        with other._database.write() as connection:
            names.append(connection.execute(text("SELECT name FROM people WHERE id = 1")).scalar_one())

    second = threading.Thread(target=rename)
    with store._database.read() as before:
        assert before.execute(text("SELECT name FROM people WHERE id = 1")).scalar() == "作者"
        with store._database.write() as connection:
            second.start()
            waiting.wait()
            connection.execute(text("UPDATE people SET name = '新名' WHERE id = 1"))
        second.join()
        assert before.execute(text("SELECT name FROM people WHERE id = 1")).scalar() == "作者"
    assert names == ["新名"]


def test_a_read_cannot_write(store):
    def write() -> None:
        with store._database.read() as connection:
            connection.exec_driver_sql("DELETE FROM people")

    assert refusal(write).code == "database_denied"


def test_an_account_that_may_not_make_tables_is_told_so(tmp_path, server):
    with server.database("template0") as url:
        with past_the_store(tmp_path, url) as raw:
            raw.exec_driver_sql("DROP ROLE IF EXISTS guest")
            raw.exec_driver_sql("CREATE ROLE guest LOGIN")
        error = refusal(lambda: Store.open(tmp_path, url.replace("//desk@", "//guest@")))
    assert error.code == "database_denied"


def test_a_database_that_cannot_hold_every_character_is_refused(tmp_path, server):
    server.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert refusal(lambda: Store.open(tmp_path, server.url("latin"))).code == "database_not_utf8"
    server.execute("DROP DATABASE latin")


def test_the_tables_of_another_program_are_left_alone(tmp_path, server):
    with server.database("template0") as url:
        with past_the_store(tmp_path, url) as raw:
            raw.exec_driver_sql("CREATE TABLE somebody_elses (x integer)")
            assert refusal(lambda: Store.open(tmp_path, url)).code == "database_foreign"
            assert raw.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar() == 1


def test_only_a_desk_that_is_alone_calls_drafts_interrupted(open_store):
    first = open_store()
    author = first.person("作者")
    draft = start_draft(first, first.add_post("", "信", author.id).id, author.id)
    second = open_store()
    assert second.draft(draft.id).status == "running"
    first.close()
    # Its drafts go on nowhere, but the second is a desk as well and cannot tell.
    third = open_store()
    assert third.draft(draft.id).status == "running"
    second.close()
    third.close()
    assert open_store().draft(draft.id).status == "interrupted"


@pytest.fixture
def outdated(tmp_path, store, database_url):
    """Brings a database with something in it to a newer migration."""
    store.person("人")
    scripts = with_next_migration(tmp_path, "pass")
    database = open_database(tmp_path / "data", database_url)
    yield lambda: migrate(database, scripts, "next")
    database.close()


def test_without_the_tool_there_is_no_copy_and_without_a_copy_no_upgrade(tmp_path, outdated, raw, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(outdated)
    assert (error.code, error.values) == ("backup_tool_missing", {"tool": "pg_dump"})
    assert raw.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() != "next"
    assert list((tmp_path / "data" / "backups").iterdir()) == []


TOOL = """#!/bin/sh
echo "$@ password $PGPASSWORD" > "$(dirname "$0")/asked"
exit 3
"""


def test_a_copy_that_fails_leaves_nothing_and_its_password_is_on_no_command_line(tmp_path, server, monkeypatch):
    (tmp_path / "pg_dump").write_text(TOOL)
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with server.database() as url:
        database = open_database(tmp_path / "data", url.replace("//desk@", f"//desk:{CANARY}@"))
        error = refusal(lambda: database.backup("now"))
        database.close()
    assert (error.code, error.values) == ("backup_failed", {"tool": "pg_dump", "exit": 3})
    arguments, password = (tmp_path / "asked").read_text().strip().split(" password ")
    assert password == CANARY and CANARY not in arguments
    assert list((tmp_path / "data" / "backups").iterdir()) == []


def test_a_copy_that_is_cut_is_no_copy(tmp_path, store, people, new_draft):
    for _ in range(3):
        new_draft()
    backup = store._database.backup("now")
    assert postgres_dump._row_counts(backup)["drafts"] == 3
    backup.write_bytes(backup.read_bytes()[:-2000])
    assert refusal(lambda: postgres_dump._row_counts(backup)).code == "backup_failed"


def test_the_index_finds_terms_of_two_characters_without_reading_every_text(store, people, raw):
    """Hand-counted: which of the texts hold the term, however its letters are written."""
    for description in ("加班到很晚", "班加", "ΣΊΣΥΦΟΣ", "Straße"):
        start_draft(store, store.add_post(description, description, people.author.id).id, people.author.id)

    def found(words: str) -> list[str]:
        return [case.title for case in store.history.cases(words)]

    assert found("加班") == ["加班到很晚"] and found("班") == ["班加", "加班到很晚"]
    assert found("φος") == ["ΣΊΣΥΦΟΣ"] and found("strasse") == []
    plan = "\n".join(
        raw.exec_driver_sql("EXPLAIN SELECT post_id FROM search WHERE search_pairs(text) @> ARRAY['加班']").scalars()
    )
    assert "search_by_pair" in plan


def test_the_longest_texts_can_be_found(store, people):
    words = "".join(chr(0x4E00 + at % 5000) for at in range(20_000))
    draft = start_draft(store, store.add_post("长", words, people.author.id).id, people.author.id)
    store.finish_draft(draft.id, "done", Response("一", "二", "三", "四", words[::-1]).parts())
    assert [case.title for case in store.history.cases(words[7000:7100])] == ["长"]
    assert store.history.cases(words[7000:7100] + "。") == []
