"""The gate in front of every page: who may ask, for what, how much, and what a browser may do with the reply.

Gradio checks neither the Host header nor, on a plain form post, the Origin, serves files, and can fetch remote ones; a
loopback server that does so can be read by any web site open in the same browser. So here stands an allow-list:
whatever is not named is 404, also in the next version of gradio.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.words import WORDS

MAX_BODY_BYTES = 1_000_000
_HOSTS = ("127.0.0.1", "localhost", "[::1]")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio writes its configuration into inline scripts. No 'unsafe-eval': nothing here needs it.
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

# What one gradio page asks for, below its mount path. Found by watching a browser; held by a test.
_PAGE_GET = r"/?|/config/?|/theme\.css|/(?:assets|static|svelte)/[\w./-]+"
_PAGE_GET += r"|/gradio_api/(?:startup-events|queue/data|heartbeat/\w+)"
_PAGE_POST = r"/gradio_api/(?:queue/join|run/predict|cancel|reset)/?"
_STATIC = re.compile(r".*/(?:assets|static|svelte)/.*")


class Gate:
    """ASGI middleware around the whole application.

    Args:
        app: what lies behind the gate.
        pages: mount paths of the gradio pages.
        files: further exact paths that may be fetched.
    """

    def __init__(self, app: ASGIApp, pages: Sequence[str], files: Sequence[str]):
        self._app = app
        mounts = "(?:" + "|".join(re.escape(page) for page in pages) + ")"
        exact = "|".join(re.escape(path) for path in files)
        self._allowed = {
            "GET": re.compile(f"{mounts}(?:{_PAGE_GET})|{exact}"),
            "POST": re.compile(f"{mounts}(?:{_PAGE_POST})"),
        }
        self._allowed["HEAD"] = self._allowed["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, _dressed(scope, send))
            else:
                await self._app(_direct(scope), receive, _dressed(scope, send))
        # A websocket is asked for by no page of ours; it gets no answer.

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not _same_host(headers.getlist("host"), scope):
            return PlainTextResponse("unknown host", 400)
        if scope["method"] not in ("GET", "HEAD") and not _same_origin(headers):
            return PlainTextResponse("cross-site request", 403)
        allowed = self._allowed.get(scope["method"])
        if allowed is None or ".." in scope["path"] or not allowed.fullmatch(scope["path"]):
            return PlainTextResponse("not found", 404)
        return _body_refusal(headers, scope["path"]) if scope["method"] == "POST" else None


def _body_refusal(headers: Headers, path: str) -> Response | None:
    """The server holds a body to its announced length, so that is enough to judge; browsers always announce it."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or "transfer-encoding" in headers:
        return PlainTextResponse("length required", 411)
    if int(length[:12]) <= MAX_BODY_BYTES:
        return None
    # In the shape, and the language, of the page that asked.
    words = WORDS["en" if path.startswith("/en/") else "zh"]
    return JSONResponse({"detail": words("too_large"), "error": words("too_large")}, 413)


def _direct(scope: Scope) -> Scope:
    """Without the headers of a proxy: none stands before this desk, and gradio would build addresses from them."""
    proxied = (b"x-forwarded", b"forwarded")
    return {**scope, "headers": [pair for pair in scope["headers"] if not pair[0].lower().startswith(proxied)]}


def _same_host(hosts: list[str], scope: Scope) -> bool:
    """Exactly one Host header, naming this machine and the port the request came in on."""
    if len(hosts) != 1:
        return False
    port = scope["server"][1] if scope.get("server") else None
    return hosts[0] in {f"{name}:{port}" for name in _HOSTS} or (port == 80 and hosts[0] in _HOSTS)


def _same_origin(headers: Headers) -> bool:
    """A browser says where a request comes from in one of two headers; one that says neither is no page of ours."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return False
    if site is not None and site != "same-origin":
        return False
    return origin is None or origin == f"http://{headers['host']}"


def _dressed(scope: Scope, send: Send) -> Send:
    """Add the security headers to whatever reply comes, and take away what gradio would allow to strangers."""

    async def dress(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-") or name == "server"]:
                del headers[name]
            headers.update(_HEADERS)
            if not _STATIC.fullmatch(scope["path"]):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return dress
