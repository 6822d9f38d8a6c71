"""The wire to an OpenAI-compatible server: where text may go, one streamed completion, and its end at any moment.

The standard library's client on purpose: it follows no redirect, asks no proxy, keeps no log, and the socket it reads
can be shut from another thread. What a server says in an error is never read: it may quote the post.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from app.errors import DeskError

CONNECT_S = 5.0
MAX_LINE_BYTES = 1 << 20
"""No server streams its text in lines of that length; one that does is not read on."""


@dataclass(frozen=True)
class Server:
    """Where completions are asked for."""

    host: str
    port: int | None
    path: str
    encrypted: bool
    here: bool
    """On this computer, by its address; every connection is held to it."""


def read_server(url: str) -> Server:
    """The server of a base address such as `http://127.0.0.1:8080/v1`; without a path, `/v1` is meant.

    Raises:
        DeskError: engine_url_refused, for anything but https, or http to this computer, and for an address that holds
            a password, which would end up where addresses are shown.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise DeskError("engine_url_refused") from None
    here = host == "localhost" or _is_loopback(host)
    allowed = ("https", "http") if here else ("https",)
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\")  # what programs read differently
    if not host or not plain or parts.scheme not in allowed or "@" in parts.netloc or parts.query or parts.fragment:
        raise DeskError("engine_url_refused")
    path = (parts.path.rstrip("/") or "/v1") + "/completions"
    return Server(host, port, path, parts.scheme == "https", here)


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


@dataclass(frozen=True)
class Chunk:
    """A piece of a streamed completion."""

    text: str = ""
    finish: str = ""
    """Why the text has ended, if it has."""
    prompt_tokens: int = 0
    tokens: int = 0
    """Sampled for the whole completion; like `prompt_tokens` told once, behind the text, and not by every server."""


class Line:
    """Asks for one completion after the other, each on a connection of its own; one thread asks, any may close."""

    def __init__(self, server: Server, key: str | None):
        self._server = server
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Connection": "close"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._lock = threading.Lock()  # guards both below
        self._closed = False
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """End what is being read or sent, at once and for good; the server sees that nobody listens any more."""
        with self._lock:
            self._closed = True
            if self._socket:
                with suppress(OSError):  # the asking thread may have closed it already
                    # Below TLS, whose own farewell another thread must not write.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def ask(self, request: Mapping[str, object]) -> Generator[Chunk, None, None]:
        """The chunks of a streamed completion, to its end; one without text is a sign of life.

        Raises:
            DeskError: remote_unreachable, remote_denied, remote_busy, remote_refused (status), remote_broken; all with
                the host.
        """
        connection = self._connection()
        try:
            self._connect(connection)
            connection.request("POST", self._server.path, json.dumps(request).encode(), self._headers)
            with connection.getresponse() as response:
                self._check(response.status)
                yield from _chunks(response)
        except (OSError, HTTPException, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            # The message of a parser quotes what it read.
            raise DeskError("remote_broken", host=self._server.host) from None
        finally:
            with self._lock:
                self._socket = None
            connection.close()

    def _connection(self) -> HTTPConnection:
        server = self._server
        if server.encrypted:
            context = ssl.create_default_context()
            return HTTPSConnection(server.host, server.port, timeout=CONNECT_S, context=context)
        return HTTPConnection(server.host, server.port, timeout=CONNECT_S)

    def _connect(self, connection: HTTPConnection) -> None:
        unreachable = DeskError("remote_unreachable", host=self._server.host)
        try:
            connection.connect()
        except (OSError, UnicodeError):  # also a name that nobody knows, and a certificate that does not hold
            raise unreachable from None
        connected: socket.socket = connection.sock
        if self._server.here and not _is_loopback(connected.getpeername()[0]):
            raise unreachable  # somebody taught this computer another meaning of "localhost"
        # From here on whoever waits for the text decides how long, and closes.
        connected.settimeout(None)
        with self._lock:
            if self._closed:
                raise unreachable
            self._socket = connected

    def _check(self, status: int) -> None:
        host = self._server.host
        if status in (401, 403):
            raise DeskError("remote_denied", host=host)
        if status in (429, 503):
            raise DeskError("remote_busy", host=host)
        if status != 200:  # a redirect too: it could lead anywhere
            raise DeskError("remote_refused", host=host, status=status)


def _chunks(response: HTTPResponse) -> Iterator[Chunk]:
    """What a stream of server-sent events holds, up to its [DONE].

    Raises:
        ValueError: if it ends before its text has; and whatever a reader of JSON raises at something else.
    """
    finished = False
    while line := response.readline(MAX_LINE_BYTES):
        name, _, data = line.strip().partition(b":")
        if name != b"data":
            yield Chunk()  # a comment, sent to keep the connection; or the empty line between two events
        elif data.strip() == b"[DONE]":
            break
        else:
            chunk = _chunk(json.loads(data))
            finished = finished or bool(chunk.finish)
            yield chunk
    if not finished:
        raise ValueError


def _chunk(message: Any) -> Chunk:
    if "error" in message:
        raise ValueError
    choice = (message.get("choices") or [{}])[0]  # the chunk that counts tokens has none
    usage = message.get("usage") or {}
    text = choice.get("text") or ""
    if not isinstance(text, str):
        raise TypeError
    return Chunk(
        text=text,
        finish=str(choice.get("finish_reason") or ""),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        tokens=int(usage.get("completion_tokens") or 0),
    )
