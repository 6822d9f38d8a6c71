"""What answers while gradio is still being imported: a page that waits and then becomes the desk."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.words import WORDS

_SPLASH = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{desk}</title>
<meta name="color-scheme" content="light"><link rel="icon" href="data:,">
<style>body{{margin:0;height:100vh;display:grid;place-items:center;background:#f6f2ea;color:#6b665c;text-align:center;
font:15px/1.9 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}}</style>
<p>{zh}<br>{en}</p>
<script>(function look(){{fetch(location.href,{{cache:"no-store"}}).then(function(reply){{
if(reply.ok)location.reload();else setTimeout(look,150)}},function(){{setTimeout(look,500)}})}})()</script></html>"""


class Door:
    """ASGI application in front of the desk.

    Answers 503 with the waiting page until the desk is built: a browser shows it, a program sees that it is early.

    Args:
        build: makes the desk, in a thread of its own.
        failed: told what kept it from being made.
    """

    def __init__(self, build: Callable[[], Starlette], failed: Callable[[BaseException], None]):
        self._build = build
        self._failed = failed
        self._inside: ASGIApp | None = None
        zh, en = WORDS["zh"], WORDS["en"]
        splash = _SPLASH.format(desk=zh("desk"), zh=zh("splash"), en=en("splash"))
        self._splash = HTMLResponse(splash, 503, {"Retry-After": "1"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await (self._inside or self._splash)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as running:
            building = asyncio.create_task(self._furnish(running))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await building
        await send({"type": "lifespan.shutdown.complete"})

    async def _furnish(self, running: AsyncExitStack) -> None:
        # Nothing that importing and building makes is garbage; looking for some takes a quarter of their time.
        gc.disable()
        try:
            inside = await asyncio.to_thread(self._build)
            await running.enter_async_context(inside.router.lifespan_context(inside))
            self._inside = inside
        except Exception as error:  # whatever it was, the person at the command line has to hear of it
            self._failed(error)
        finally:
            gc.enable()
