"""The road over llama-server, with a server that speaks its protocol in the place of one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.bench.peers import card_of
from app.bench.server import LlamaServer
from app.engine.protocol import Sampling
from app.errors import DeskError
from tests.tiny_gguf import write_model

Asked = list[dict[str, Any]]


@contextmanager
def llama_server(model: Path, status: int = 200) -> Iterator[tuple[str, Asked]]:
    """Its /props and /completion: each candidate ends a second after the one before it."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"model_path": str(model), "build_info": "b1-test"} if self.path == "/props" else {})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(request | {"path": self.path})
            done = [
                {"timings": {"predicted_n": request["n_predict"], "predicted_ms": 1000.0 * (number + 1)}}
                for number in range(request["n_cmpl"])
            ]
            self.answer(done if len(done) > 1 else done[0], status)

        def answer(self, message: object, status: int = 200) -> None:
            body = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.gguf")


def test_the_rate_is_all_tokens_over_the_time_of_the_slowest(model: Path) -> None:
    with llama_server(model) as (url, asked):
        server = LlamaServer(f"{url}/v1/", card_of(model))
        assert server.build == "b1-test"
        assert server.tokens_a_second([1, 2, 3], 50, Sampling(7)) == pytest.approx(50)
        assert server.tokens_a_second([1, 2, 3], 50, Sampling(7), completions=4) == pytest.approx(4 * 50 / 4)
    one, four = asked
    assert one["path"] == "/completion" and one["prompt"] == [1, 2, 3] and one["ignore_eos"] is True
    assert (one["n_cmpl"], four["n_cmpl"]) == (1, 4)
    draw = Sampling(7)
    assert [one[name] for name in ("seed", "temperature", "top_k", "top_p", "min_p", "repeat_penalty")] == [
        draw.seed,
        draw.temperature,
        draw.top_k,
        draw.top_p,
        0,
        draw.repeat_penalty,
    ]


def test_a_server_of_another_file_is_no_peer(model: Path, tmp_path: Path) -> None:
    for other in (write_model(tmp_path / "other.gguf", seed=1), tmp_path / "gone.gguf"):
        with llama_server(other) as (url, _), pytest.raises(DeskError, match="bench_server_model"):
            LlamaServer(url, card_of(model))


def test_what_the_server_refuses_is_said(model: Path) -> None:
    with llama_server(model, status=400) as (url, _):
        server = LlamaServer(url, card_of(model))
        with pytest.raises(DeskError, match="remote_refused"):
            server.tokens_a_second([1], 2, Sampling(0))
    with pytest.raises(DeskError, match="remote_unreachable"):
        LlamaServer(url, card_of(model))
