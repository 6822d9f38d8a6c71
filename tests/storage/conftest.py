"""A store in a temporary folder or on a server, and synthetic texts to put into it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, event, make_url

from app.chain import Response
from storage.database import FILE_NAME
from storage.records import Draft, Person
from storage.store import Store
from tests.drafts import start_draft
from tests.storage.postgres import Server, binaries, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own."""
    installed = binaries()
    if installed is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    # In memory a database is there ten times sooner. Not among pytest's folders: another account has to reach it, and
    # the path of a socket may have 107 bytes at most.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    with tempfile.TemporaryDirectory(prefix="desk-", dir=memory if roomy else None) as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "server", installed) as started:
            yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where the store of a test has its data: None for the file in its folder. Each such test runs on both."""
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("server")
    with server.database() as url:
        yield url


@pytest.fixture
def open_store(tmp_path: Path, database_url: str | None) -> Iterator[Callable[..., Store]]:
    """Opens the test's data, as often as it is called; the arguments are those of `Store.open`."""
    with ExitStack() as opened:

        def open_once(**options: object) -> Store:
            store = Store.open(tmp_path / "data", database_url, **options)
            opened.callback(store.close)
            return store

        yield open_once


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    return open_store()


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_url: str | None) -> Iterator[str | None]:
    """Where another store of the same kind can have its data, in another folder: nothing is there yet."""
    if database_url is None:
        yield None
        return
    server: Server = request.getfixturevalue("server")
    with server.database("template0") as url:
        yield url


@contextmanager
def past_the_store(folder: Path, url: str | None) -> Iterator[Connection]:
    """The database as somebody meets it who does not go through the store; every statement is a transaction."""
    if url is None:
        engine = create_engine(f"sqlite:///{folder / FILE_NAME}")
        event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys=ON"))
        event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA recursive_triggers=ON"))
    else:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def raw(tmp_path: Path, store: Store, database_url: str | None) -> Iterator[Connection]:
    """The store's data, past the store."""
    with past_the_store(tmp_path / "data", database_url) as connection:
        yield connection


@dataclass(frozen=True)
class People:
    author: Person
    reviewer: Person
    other: Person


@pytest.fixture
def people(store: Store) -> People:
    return People(store.person("作者"), store.person("审核"), store.person("第三人"))


@pytest.fixture
def text() -> Callable[[str], Response]:
    """A response whose answer is given."""
    return lambda answer: Response("累，因为加班", "怕让人失望", "想被听见", "先接住疲惫", answer)


@pytest.fixture
def new_draft(store: Store, people: People, text: Callable[[str], Response]) -> Callable[[], Draft]:
    """A finished draft by the author."""

    def make() -> Draft:
        post = store.add_post("最近很累", "每天加班到很晚，不知道为了什么。", people.author.id)
        draft = start_draft(store, post.id, people.author.id)
        return store.finish_draft(draft.id, "done", text("模型写的回信").parts(), timings={"decode_s": 1.5})

    return make
