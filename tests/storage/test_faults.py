"""kill -9, a full disk, a folder that cannot be written, a damaged or foreign file: nothing acknowledged is lost.

Of the file that SQLite writes; what a server adds is in test_postgres.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from storage import sqlite
from storage.database import FILE_NAME
from storage.errors import StorageError
from storage.store import Store
from tests.curated import let_leave

ROOT = Path(__file__).parents[2]

on_sqlite = pytest.mark.parametrize("database_url", [None], ids=["sqlite"])


def child(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def integrity(folder: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        return raw.execute("PRAGMA integrity_check").fetchall()


WRITER = """
import sys
from pathlib import Path
from app.chain import Response
from storage.store import Store
from tests.drafts import start_draft
store = Store.open(Path(sys.argv[1]))
author = store.person("writer")
post = store.add_post("", "post", author.id)
draft = start_draft(store, post.id, author.id)
print(draft.id, flush=True)
for n in range(1, 100000):
    store.save_revision(draft.id, n - 1, author.id, Response("1", "2", "3", "4", f"answer {n} " + "x" * 3000))
    store.save_progress({draft.id: {"L1": str(n)}})
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    for kill in range(10):
        with child(WRITER, tmp_path) as writer:
            draft_id = int(writer.stdout.readline())
            for _ in range(1 + 3 * kill):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            # Also what it said between the last line read here and its end.
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        assert writer.returncode == -9
        store = Store.open(tmp_path)
        answers = [revision.response.answer.split()[1] for revision in store.revisions(draft_id)]
        draft = store.draft(draft_id)
        store.close()
        # One more may have been committed and not yet said.
        assert answers in (
            [str(n) for n in range(1, acknowledged + 1)],
            [str(n) for n in range(1, acknowledged + 2)],
        )
        assert int(draft.sections["L1"]) in (acknowledged, acknowledged + 1)
        assert draft.status == "interrupted"
        assert integrity(tmp_path) == [("ok",)]


FILLER = """
import resource, sys
from pathlib import Path
from app.chain import Response
from storage.errors import StorageError
from storage.exports.write import export
from storage.store import Store
folder, out, draft_id, base = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
store = Store.open(folder)
author = store.person("作者")
limit = max(file.stat().st_size for file in folder.iterdir()) + 60_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
saved = base
try:
    while True:
        store.save_revision(draft_id, saved, author.id, Response("1", "2", "3", "4", f"{saved} " + "x" * 8000))
        saved += 1
except StorageError as error:
    print(error.code, saved, store.draft(draft_id).version, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit))
try:
    export(store, "sft", out, edition="1")
except StorageError as error:
    print(error.code, flush=True)
"""


@on_sqlite
def test_a_full_disk_is_named_and_costs_nothing_that_was_saved(tmp_path, store, people, new_draft, text):
    pytest.importorskip("resource")
    approved = store.reviewing.submit(new_draft().id, 0, people.author.id)
    sha256 = store.latest_revision(approved.id).text_sha256
    store.reviewing.decide(approved.id, 1, sha256, people.reviewer.id, "approve", "")
    let_leave(store, approved.id)
    draft = new_draft()
    out = tmp_path / "approved.jsonl"
    out.write_text("an earlier export\n")
    with child(FILLER, tmp_path / "data", out, draft.id, 0) as filler:
        first, second = filler.stdout.read().splitlines()
    code, saved, readable = first.split()
    assert code == second == "disk_full"
    assert int(saved) == int(readable) > 0
    assert len(store.revisions(draft.id)) == int(saved)
    assert integrity(tmp_path / "data") == [("ok",)]
    # Room again: the desk goes on.
    store.save_revision(draft.id, int(saved), people.author.id, text("之后"))
    assert out.read_text() == "an earlier export\n"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "approved.jsonl"}


EXPORT_ONLY = """
import resource, sys
from pathlib import Path
from storage.errors import StorageError
from storage.exports.files import Parts
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with Parts() as parts:
        with parts.file(Path(sys.argv[1])) as file:
            file.write(b"x" * 3000)
        parts.take_places()
except StorageError as error:
    print(error.code)
"""


def test_an_export_that_runs_out_of_disk_leaves_no_part_of_itself(tmp_path):
    pytest.importorskip("resource")
    with child(EXPORT_ONLY, tmp_path / "new.jsonl") as exporter:
        assert exporter.stdout.read().split() == ["disk_full"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError) as refused:
        Store.open(tmp_path / "data")
    assert refused.value.code == "folder_read_only"
    assert refused.value.values == {"folder": str(tmp_path / "data")}


READ_ONLY = """
import os, sys
from pathlib import Path
import storage.sqlite  # while it can still be read: the project may lie where only its owner looks
from storage.errors import StorageError
from storage.lock import DeskLock
from storage.store import Store
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65534)
for attempt in (lambda: Store.open(Path(".")), DeskLock(Path(".")).acquire):
    try:
        attempt()
    except StorageError as error:
        print(error.code)
"""


@pytest.mark.skipif(os.name != "posix", reason="folder permissions")
@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_that_cannot_be_written(tmp_path, filled):
    folder = tmp_path / "data"
    folder.mkdir()
    if filled:
        Store.open(folder).close()
        (folder / FILE_NAME).chmod(0o444)
    folder.chmod(0o555)
    with child(READ_ONLY, folder) as reader:
        assert reader.stdout.read().split() == ["folder_read_only", "folder_read_only"]
    folder.chmod(0o755)
    assert [path.name for path in folder.iterdir()] == ([FILE_NAME] if filled else [])


def test_a_folder_with_any_name(tmp_path):
    folder = tmp_path / "测试 目录%20?#&x" / "里面"
    store = Store.open(folder)
    person = store.person("人")
    store.close()
    assert folder.stat().st_mode & 0o777 == 0o700 or os.name != "posix"
    reopened = Store.open(folder)
    assert reopened.person("人") == person
    reopened.close()
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_a_database_of_a_newer_release_is_left_alone(tmp_path):
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    before = hashlib.sha256((tmp_path / FILE_NAME).read_bytes()).digest()
    with pytest.raises(StorageError) as refused:
        Store.open(tmp_path)
    assert refused.value.code == "newer_schema"
    assert refused.value.values["found"] == "9999"
    assert hashlib.sha256((tmp_path / FILE_NAME).read_bytes()).digest() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(("offset", "damage"), [(0, b"not a database " * 10), (2 * 4096, bytes(4096))])
def test_a_damaged_file_is_refused_and_kept(tmp_path, offset, damage):
    Store.open(tmp_path).close()
    with (tmp_path / FILE_NAME).open("r+b") as file:
        file.seek(offset)
        file.write(damage)
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(StorageError) as refused:
        Store.open(tmp_path)
    assert refused.value.code == "database_corrupt"
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_foreign_database_is_refused_and_kept(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw:
        raw.execute("CREATE TABLE somebody_elses (x)")
    with pytest.raises(StorageError) as refused:
        Store.open(tmp_path)
    assert refused.value.code == "database_foreign"


def test_a_database_that_lost_its_version_is_refused_and_kept(tmp_path):
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw, raw:
        raw.execute("DELETE FROM alembic_version")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(StorageError) as refused:
        Store.open(tmp_path)
    assert refused.value.code == "database_corrupt"
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_locked_database_is_named(tmp_path, monkeypatch):
    patient = sqlite.PRAGMAS
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=0", *patient[1:]))
    store = Store.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError) as refused:
            store.person("人")
        assert refused.value.code == "database_locked"
    assert store.person("人").id == 1
    store.close()


@on_sqlite
def test_every_connection_is_prepared(store):
    expected = {
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "secure_delete": 1,
        "trusted_schema": 0,
        "recursive_triggers": 1,
        "journal_mode": "wal" if sqlite3.sqlite_version_info >= (3, 51, 3) else "delete",
        "synchronous": 2 if sqlite3.sqlite_version_info >= (3, 51, 3) else 3,
    }
    seen = []

    def look() -> None:
        with store._database.read() as connection:
            barrier.wait()
            seen.append({name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected})

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 3


CANARY = "金丝" + "雀" * 3


def test_no_error_quotes_the_text(tmp_path, store, people, new_draft, text):
    draft = new_draft()
    store.save_revision(draft.id, 0, people.author.id, text("别人先存"))
    attempts = [
        lambda: store.add_post(CANARY, CANARY, author_id=404),
        lambda: store.add_post(CANARY, CANARY + "\ud800", people.author.id),
        lambda: store.save_revision(draft.id, 1, 404, text(CANARY)),
        lambda: store.save_revision(draft.id, 0, people.author.id, text(CANARY)),
        lambda: store.reviewing.decide(draft.id, 1, CANARY, people.reviewer.id, "return", CANARY),
        lambda: store.finish_draft(draft.id, CANARY, {"L1": CANARY}),
    ]
    for attempt in attempts:
        with pytest.raises(Exception) as raised:
            attempt()
        assert CANARY not in "".join(traceback.format_exception(raised.value))
        assert CANARY not in repr(raised.value)
