"""Start the desk: lock, port, engine, store, then the page; and end it in the opposite order."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import webbrowser
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from app.catalog import Card
from app.engine.protocol import Engine
from app.errors import DeskError
from app.models import choose, start
from app.reviewing import desk_errors
from app.settings import Settings
from app.web import environment
from app.web.door import Door
from app.web.gate import Gate
from app.web.paths import FILES, MOUNTS, path
from app.web.words import WORDS
from storage.lock import DeskLock

if TYPE_CHECKING:
    from fastapi import FastAPI

PORTS = range(7860, 7870)


def serve(settings: Settings) -> None:
    """Run the desk until it is interrupted. A second desk on the same data folder only says where the first one is.

    Raises:
        DeskError: port_in_use (port), no_free_port (first, last), or what keeps the model or the store from opening.
    """
    words = WORDS[settings.language]
    signal.signal(signal.SIGTERM, _end)
    with ExitStack() as open_things:
        lock = DeskLock(settings.data_dir)
        try:
            with desk_errors():
                lock.acquire()
        except DeskError as error:
            if error.code != "already_running":
                raise
            _say(words.error(error))
            return
        open_things.callback(lock.release)
        environment.keep_files_in(settings.data_dir)
        listener = open_things.enter_context(listen(settings.host, settings.port))
        # The engine loads on the other core while this process imports the page.
        models = choose(settings)
        engine = start(settings, *models)
        open_things.callback(engine.close)
        url = f"http://{settings.host}:{listener.getsockname()[1]}/"
        lock.publish(url)
        _say(words("serving", url=url))
        _run(settings, listener, url, engine, models, open_things)


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on the port asked for, or on the first free one of `PORTS`.

    Raises:
        DeskError: port_in_use (port) or no_free_port (first, last).
    """
    for candidate in PORTS if port is None else (port,):
        listener = socket.socket()
        if sys.platform != "win32":
            # Elsewhere the option means: also a port that somebody listens on.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
        except OSError:
            listener.close()
        else:
            return listener
    if port is not None:
        raise DeskError("port_in_use", port=port)
    raise DeskError("no_free_port", first=PORTS[0], last=PORTS[-1])


def _run(
    settings: Settings,
    listener: socket.socket,
    url: str,
    engine: Engine,
    models: tuple[Card, Card | None],
    open_things: ExitStack,
) -> None:
    """Serve the waiting page at once and the desk as soon as it is built."""
    failures: list[BaseException] = []

    def build() -> FastAPI:
        return _desk(settings, engine, *models, open_things)

    def failed(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        Gate(Door(build, failed), MOUNTS, FILES),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    if settings.open_browser:
        start = url if settings.language == "zh" else url.rstrip("/") + path(settings.language, "draft") + "/"
        threading.Thread(target=webbrowser.open, args=(start,), daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def _desk(settings: Settings, engine: Engine, policy: Card, reward: Card | None, open_things: ExitStack) -> FastAPI:
    """Everything that takes its time: gradio, the database, the pages."""
    from app.drafting import Drafter
    from app.ranking.answering import Answerer
    from app.scoring import Scorer
    from app.systems import Systems
    from app.web.app import build_app
    from storage.store import Store

    with desk_errors():
        store = Store.open(settings.data_dir, settings.database, reviewers=settings.reviewers)
    open_things.callback(store.close)
    drafter = Drafter(store, engine, policy, Scorer(engine, reward) if reward else None)
    open_things.callback(drafter.close)
    systems = Systems(settings, engine, policy)
    answerer = Answerer(store, systems.open)
    open_things.callback(answerer.close)
    return build_app(store, engine, drafter, policy, answerer, systems.choices(), settings.language)


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
