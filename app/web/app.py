"""All pages behind the gate, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse

from app.catalog import Card
from app.drafting import Drafter
from app.engine.protocol import Engine
from app.ranking.answering import Answerer
from app.web import contained as contained
from app.web import shell
from app.web.data_page import DataPage
from app.web.draft_page import DraftPage
from app.web.history_page import HistoryPage
from app.web.paths import STATIC, path
from app.web.ranking_page import RankingPage
from app.web.review_page import ReviewPage
from app.web.words import WORDS, Language
from storage.ranking_records import NewSystem
from storage.store import Store


def build_app(
    store: Store,
    engine: Engine,
    drafter: Drafter,
    card: Card,
    answerer: Answerer,
    systems: Sequence[NewSystem],
    language: Language = "zh",
) -> FastAPI:
    """Mount every page in every language.

    Args:
        store: where drafts are.
        engine: asked for its state only; drafts go through `drafter`.
        drafter: runs the drafts.
        card: the policy that writes them.
        answerer: drafts what is to be ranked.
        systems: what can be ranked without importing its answers.
        language: for a browser that asks for neither Chinese nor English.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/")
    def start(request: Request) -> RedirectResponse:
        wanted = request.headers.get("accept-language", "").lower()
        chosen = "en" if wanted.startswith("en") else "zh" if wanted.startswith("zh") else language
        return RedirectResponse(path(chosen, "draft") + "/", 307)

    @app.get("/favicon.ico")
    def icon() -> FileResponse:
        return FileResponse(STATIC / "desk.svg", media_type="image/svg+xml")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    async def furnish() -> None:
        for words in WORDS.values():
            title = card.title_zh if words.language == "zh" else card.title_en
            draft = DraftPage(words, store, drafter, engine, title)
            history = HistoryPage(words, store, engine, title)
            review = ReviewPage(words, store, drafter, engine, title)
            ranking = RankingPage(words, store, engine, title, answerer, systems)
            shell.mount(app, draft.blocks, words, path(words.language, "draft"))
            shell.mount(app, history.blocks, words, path(words.language, "history"))
            shell.mount(app, review.blocks, words, path(words.language, "review"))
            data = DataPage(words, store, engine, title)
            shell.mount(app, data.blocks, words, path(words.language, "data"))
            shell.mount(app, ranking.blocks, words, path(words.language, "ranking"))

    # Outside a running event loop gradio makes one for every lock it wants, and closes none of them.
    asyncio.run(furnish())
    return app
