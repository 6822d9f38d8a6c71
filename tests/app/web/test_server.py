"""Starting: ports, the second desk, and the page that waits for the real one."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from app.errors import DeskError
from app.settings import Settings
from app.web import server
from app.web.door import Door
from app.web.gate import Gate
from app.web.paths import FILES, MOUNTS
from app.web.words import WORDS
from storage.lock import DeskLock
from tests.app.web.conftest import Served, free_port


def test_a_port_that_was_asked_for_and_is_taken_is_an_error() -> None:
    with server.listen("127.0.0.1", free_port()) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeskError) as refused:
            server.listen("127.0.0.1", port)
    assert (refused.value.code, refused.value.values) == ("port_in_use", {"port": port})


def test_without_a_wish_the_next_free_port_is_taken_and_none_left_is_said(monkeypatch) -> None:
    with server.listen("127.0.0.1", free_port()) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORTS", range(first, first + 1))
        with pytest.raises(DeskError) as refused:
            server.listen("127.0.0.1", None)
        assert refused.value.code == "no_free_port"
        monkeypatch.setattr(server, "PORTS", range(first, first + 20))
        with server.listen("127.0.0.1", None) as next_one:
            assert first < next_one.getsockname()[1] < first + 20


def test_a_second_desk_says_where_the_first_one_is_and_ends_well(tmp_path, capsys) -> None:
    lock = DeskLock(tmp_path)
    lock.acquire()
    lock.publish("http://127.0.0.1:7860/")
    server.serve(Settings(data_dir=tmp_path, open_browser=False))
    lock.release()
    assert "http://127.0.0.1:7860/" in capsys.readouterr().err


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as early:
        return early.code, early.read().decode()


def test_the_waiting_page_stands_until_the_desk_is_built() -> None:
    built, lived = threading.Event(), []
    desk = FastAPI()
    desk.add_api_route("/", lambda: PlainTextResponse("the desk"))
    desk.router.on_startup.append(lambda: lived.append("began"))

    def build() -> FastAPI:
        built.wait()
        return desk

    served = Served(Gate(Door(build, lived.append), MOUNTS, FILES), server.listen("127.0.0.1", free_port()))
    status, body = get(served.url)
    assert status == 503 and WORDS["zh"]("splash") in body
    built.set()
    for _ in range(10_000):
        if (answer := get(served.url))[0] == 200:
            break
    assert answer == (200, "the desk")
    assert lived == ["began"]
    served.close()


def test_what_keeps_the_desk_from_being_built_is_reported() -> None:
    reported = threading.Event()
    said: list[BaseException] = []

    def failed(error: BaseException) -> None:
        said.append(error)
        reported.set()

    def build() -> FastAPI:
        raise DeskError("newer_schema", found=9, known=1)

    served = Served(Gate(Door(build, failed), MOUNTS, FILES), server.listen("127.0.0.1", free_port()))
    assert reported.wait(20)
    assert said[0].code == "newer_schema"
    served.close()
