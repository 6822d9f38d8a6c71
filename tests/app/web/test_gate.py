"""The gate lets through what the pages ask for, from this machine's own pages, and nothing else."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.web.gate import MAX_BODY_BYTES, Gate
from app.web.paths import FILES, MOUNTS
from app.web.words import WORDS

HERE = "http://127.0.0.1:7860"
OPEN = [
    ("GET", "/"),
    ("GET", "/static/desk.css"),
    ("GET", "/zh/draft/"),
    ("GET", "/en/review/config"),
    ("GET", "/zh/review/theme.css"),
    ("GET", "/zh/draft/assets/index-Ab_1.js"),
    ("GET", "/zh/draft/gradio_api/queue/data"),
    ("POST", "/zh/draft/gradio_api/queue/join"),
    ("POST", "/zh/draft/gradio_api/run/predict"),
]
SHUT = [
    ("GET", "/zh/draft/gradio_api/file=/etc/passwd"),
    ("GET", "/zh/draft/gradio_api/file=https://evil.example/x"),
    ("GET", "/zh/draft/gradio_api/file/x"),
    ("GET", "/zh/draft/gradio_api/proxy=https://evil.example/x"),
    ("POST", "/zh/draft/gradio_api/upload"),
    ("GET", "/zh/draft/gradio_api/upload_progress"),
    ("GET", "/zh/draft/gradio_api/deep_link"),
    ("GET", "/zh/draft/gradio_api/runs"),
    ("POST", "/zh/draft/gradio_api/run-history/connect"),
    ("GET", "/zh/draft/gradio_api/run-history/records"),
    ("GET", "/zh/draft/gradio_api/info"),
    ("GET", "/zh/draft/gradio_api/openapi.json"),
    ("POST", "/zh/draft/gradio_api/vibe-edit/"),
    ("GET", "/zh/draft/gradio_api/dev/reload"),
    ("POST", "/zh/draft/gradio_api/component_server"),
    ("POST", "/zh/draft/gradio_api/call/save"),
    ("POST", "/zh/draft/gradio_api/process_recording"),
    ("POST", "/zh/draft/gradio_api/run/save"),
    ("GET", "/zh/draft/monitoring"),
    ("GET", "/zh/draft/monitoring/summary"),
    ("GET", "/zh/draft/openapi.json"),
    ("POST", "/zh/draft/login"),
    ("GET", "/zh/draft/manifest.json"),
    ("GET", "/zh/draft/assets/../../../etc/passwd"),
    ("GET", "/zh/draft/static/..%2f..%2fetc/passwd"),
    ("GET", "/zh/models/"),
    ("GET", "/docs"),
    ("GET", "/static/../app.py"),
    ("DELETE", "/zh/draft/"),
    ("OPTIONS", "/zh/draft/gradio_api/queue/join"),
]


async def _answer(request):
    headers = {"Access-Control-Allow-Origin": "http://evil.example", "Access-Control-Allow-Credentials": "true"}
    return PlainTextResponse("inside", headers=headers)


METHODS = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"]
INSIDE = Starlette(routes=[Route("/{path:path}", _answer, methods=METHODS)])


class Served:
    """Requests as a server would hand them to the gate."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        await self._app({**scope, "server": ("127.0.0.1", 7860)}, receive, send)


async def ask(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"{}") -> httpx.Response:
    transport = httpx.ASGITransport(app=Served(Gate(INSIDE, MOUNTS, FILES)))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        sent = {"Origin": HERE, **(headers or {})} if method not in ("GET", "HEAD") else headers
        content = None if method in ("GET", "HEAD") else body
        return await client.request(method, path, headers=sent, content=content)


def answer(*arguments, **named) -> httpx.Response:
    return asyncio.run(ask(*arguments, **named))


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_what_the_pages_ask_for_passes(method: str, path: str) -> None:
    reply = answer(method, path)
    assert (reply.status_code, reply.text) == (200, "inside")


@pytest.mark.parametrize(("method", "path"), SHUT)
def test_everything_else_is_not_found(method: str, path: str) -> None:
    reply = answer(method, path)
    assert reply.status_code == 404 and "inside" not in reply.text


@pytest.mark.parametrize("method_path", OPEN)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "192.168.1.5:7860", "127.0.0.1:1", "127.0.0.1", "0.0.0.0:7860", ""]
)
def test_a_foreign_host_name_is_refused_on_every_path(method_path: tuple[str, str], host: str) -> None:
    method, path = method_path
    assert answer(method, path, {"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860"])
def test_the_names_of_this_machine_pass(host: str) -> None:
    assert answer("GET", "/", {"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:7860"},
        {"Origin": "https://127.0.0.1:7860"},
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": HERE, "Sec-Fetch-Site": "same-site"},
        {"Origin": HERE, "Sec-Fetch-Site": "none"},
    ],
)
@pytest.mark.parametrize("path", [path for method, path in OPEN if method == "POST"])
def test_a_request_from_another_site_is_refused(path: str, headers: dict[str, str]) -> None:
    assert answer("POST", path, headers).status_code == 403


def test_a_post_that_says_not_where_it_comes_from_is_refused() -> None:
    assert answer("POST", "/zh/draft/gradio_api/queue/join", {"Origin": ""}).status_code == 403


def test_a_body_has_a_limit() -> None:
    path = "/zh/draft/gradio_api/queue/join"
    assert answer("POST", path, body=b"x" * MAX_BODY_BYTES).status_code == 200
    for language, page in (("zh", path), ("en", path.replace("/zh/", "/en/"))):
        refused = answer("POST", page, body=b"x" * (MAX_BODY_BYTES + 1))
        assert refused.status_code == 413 and refused.json()["error"] == WORDS[language]("too_large")


def test_a_body_without_an_announced_end_is_refused() -> None:
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "2"}
    assert answer("POST", "/zh/draft/gradio_api/queue/join", headers).status_code == 411


def test_headers_of_a_proxy_do_not_come_in() -> None:
    seen: list[str] = []

    async def inside(scope, receive, send):
        seen.extend(name.decode() for name, _ in scope["headers"])
        await PlainTextResponse("inside")(scope, receive, send)

    async def knock() -> None:
        transport = httpx.ASGITransport(app=Served(Gate(inside, MOUNTS, FILES)))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            await client.get("/zh/draft/", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"})

    asyncio.run(knock())
    assert "host" in seen and not [name for name in seen if "forwarded" in name]


@pytest.mark.parametrize(("method", "path"), [*OPEN, SHUT[0]])
def test_every_reply_is_dressed_and_opens_nothing_to_strangers(method: str, path: str) -> None:
    headers = answer(method, path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe-eval" not in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"https?:|\*", policy)
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control-")]
    if "/assets/" not in path and "/static/" not in path:
        assert headers["cache-control"] == "no-store"
