"""A server that speaks OpenAI's completions as llama-server does, with a function in the place of the model."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Request = dict[str, Any]
CUT = b""
"""In the place of a chunk: the connection ends here, without a word."""


@dataclass
class Refusal:
    """An answer that is no stream."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


Reply = Iterable[bytes] | Refusal


def event(message: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    """The event of a piece of text."""
    return event({"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": finish}]})


def streamed(request: Request, tokens: Iterable[str]) -> Iterator[bytes]:
    """What llama-server makes of a model's tokens: an event a token, up to a stop or the cap, then the counts."""
    assert request["stream"] is True and request["stop"] == ["<"]
    count, finish = 0, "stop"
    for token in tokens:
        count += 1
        text, stop, _ = token.partition("<")
        yield delta(text)
        if stop:
            break
        if count == request["max_tokens"]:
            finish = "length"
            break
    yield delta("", finish)
    counts = {"prompt_tokens": len(request["prompt"]), "completion_tokens": count}
    yield event({"object": "text_completion", "choices": [], "usage": counts})
    yield b"data: [DONE]\n\n"


class CompletionServer:
    """Listens on the loopback from its construction to `close`; asks `play` for the reply to every request."""

    def __init__(self, play: Callable[[Request], Reply], certificate: Path | None = None):
        self.play = play
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.held = threading.Event()
        """Set once a reply waits in `hold`."""
        self.released = threading.Event()
        self.left = threading.Event()
        """Set once a client was gone before its reply had ended."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake belongs to the thread of the request: a client that refuses must not end the server.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Called by a reply: wait until the test goes on."""
        self.held.set()
        assert self.released.wait(30)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # gone before it had asked
                    self.close_connection = True
                    return
                request = json.loads(body)
                server.requests.append(request | {"path": self.path})
                server.headers.append(dict(self.headers))
                reply = server.play(request)
                try:
                    self.refuse(reply) if isinstance(reply, Refusal) else self.stream(reply)
                except OSError:
                    self.close_connection = True
                    server.left.set()

            def refuse(self, refusal: Refusal) -> None:
                self.send_response(refusal.status)
                for name, value in refusal.headers.items():
                    self.send_header(name, value)
                body = json.dumps({"error": {"message": "quotes: " + server.requests[-1]["prompt"]}}).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, chunks: Iterable[bytes]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in chunks:
                    if chunk == CUT:
                        self.close_connection = True
                        return
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # a handshake that the client broke off
                    server.left.set()

        return Handler
