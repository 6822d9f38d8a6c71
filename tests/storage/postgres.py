"""A PostgreSQL server that lives as long as the tests, and a fresh database in it for each."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url

from storage.store import Store

TEMPLATE = "desk_template"


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    # Debian keeps them off the path, a folder a version.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return versions[-1].parent if versions else None


class Server:
    """Answers on a socket in its own folder alone."""

    def __init__(self, folder: Path):
        self.folder = folder

    def url(self, name: str) -> str:
        """Where a database of it is."""
        return f"postgresql://desk@/{name}?host={self.folder}"

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The address of a fresh database, migrated unless another template is named."""
        name = f"desk_{uuid4().hex}"
        self.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run a statement outside any database of a test."""
        engine = create_engine(make_url(self.url("postgres")).set(drivername="postgresql+psycopg"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def running(folder: Path, installed: Path) -> Iterator[Server]:
    """A new server in a folder, with the template of the tests in it."""
    folder.mkdir()
    # initdb refuses to be run by root.
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = folder / "data"

    def run(tool: str, *arguments: object) -> None:
        command = [str(installed / tool), "-D", str(data), *map(str, arguments)]
        ended = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **account
        )
        assert ended.returncode == 0, ended.stderr.decode()

    run("initdb", "--auth=trust", "--username=desk", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    options = f"-k '{folder}' -h '' -F -c full_page_writes=off -c max_wal_size=64MB"
    run("pg_ctl", "start", "--wait", "-l", folder / "log", "-o", options)
    try:
        server = Server(folder)
        server.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        Store.open(folder / "template", server.url(TEMPLATE)).close()
        yield server
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
