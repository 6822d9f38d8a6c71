"""The whole page over a real server, a real database and a scripted engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.types import ASGIApp

from app.catalog import Card
from app.drafting import Drafter
from app.engine.scripted import Gate as Hold
from app.engine.scripted import ScriptedEngine
from app.ranking.answering import Answerer
from app.scoring import Scorer
from app.web.gate import Gate
from app.web.paths import FILES, MOUNTS
from app.web.server import listen
from storage.ranking_records import NewSystem
from storage.store import Store
from tests.app.web.visits import CHROMIUM, ON_LEAVING, Visit

QUANTILES = tuple(percent / 100 for percent in range(101))
POLICY = Card("policy", "policy", Path("p.gguf"), "a" * 64, 1, 1, 4096, "测试模型", "test model", "reward")
REWARD = Card("reward", "reward", Path("r.gguf"), "b" * 64, 1, 1, 512, "评", "scores", None, 0.2, QUANTILES)
SYSTEMS = [NewSystem("丙机", "model", "a" * 64)]


class Served:
    """An application on a port of its own, in a thread."""

    def __init__(self, app: ASGIApp, listener: socket.socket):
        self._listener = listener
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, log_level="error", server_header=False, ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self._listener.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Desk:
    """A running desk and what it is made of."""

    url: str
    store: Store
    drafter: Drafter
    data_dir: Path
    close: Callable[[], None]
    """End the server alone; the browser's pages stay."""


@pytest.fixture
def desk_of(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Start a desk whose model writes the given parts, held back by `hold` if there is one."""
    with ExitStack() as running:

        def start(
            parts: dict[str, str] | None = None,
            hold: Hold | None = None,
            engine: ScriptedEngine | None = None,
            candidates: int = 1,
        ) -> Desk:
            from app.web.app import build_app

            store = Store.open(tmp_path / "data")
            running.callback(store.close)
            engine = engine or ScriptedEngine(parts, gate=hold, candidates=candidates)
            drafter = Drafter(store, engine, POLICY, Scorer(engine, REWARD))
            running.callback(drafter.close)
            answerer = Answerer(store, lambda system: nullcontext(engine))
            running.callback(answerer.close)
            # In a thread of its own, as the desk does it: the browser driver runs an event loop in this one.
            with ThreadPoolExecutor(1) as thread:
                app = thread.submit(build_app, store, engine, drafter, POLICY, answerer, SYSTEMS).result()
            served = Served(Gate(app, MOUNTS, FILES), listen("127.0.0.1", free_port()))
            running.callback(served.close)
            return Desk(served.url, store, drafter, tmp_path / "data", served.close)

        yield start


# By the module: as long as the driver runs, its event loop is that of the whole process.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit_to(browser: Browser) -> Iterator[object]:
    visits: list[Visit] = []

    def visit(url: str) -> Visit:
        visits.append(Visit(browser, url))
        return visits[-1]

    yield visit
    for each in visits:
        each.context.close()
    assert [each.strangers() for each in visits] == [[] for _ in visits]
    complaints = [line for each in visits for line in each.complaints if not line.startswith(ON_LEAVING)]
    assert complaints == []
