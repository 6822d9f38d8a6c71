"""People at a desk, each in a browser of their own; shared by the tests of the pages."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.web.words import WORDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path"),
    # Gradio calls what its pandas deprecates, on every event.
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
]
# What gradio and the browser say when a page is left, or the desk ends, while it listens.
ON_LEAVING = ("AbortError", "Unexpected error Connection errored out", "Failed to load resource: net::ERR_CONN")
ZH = WORDS["zh"]
POST = "上个月连着三周夜班，\n回家还要接孩子。我不知道还能撑多久。"


class Visit:
    """One person's browser, and every address it asked for."""

    def __init__(self, browser: Browser, url: str):
        self.url = url
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(locale="zh-CN", viewport={"width": 1366, "height": 768})
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    def open(self, path: str, name: str = "") -> Page:
        self.page.goto(self.url + path)
        expect(self.page.locator("#model .ready")).to_be_visible(timeout=20_000)
        if name:
            sign(self.page, name)
        return self.page

    def strangers(self) -> list[str]:
        return [url for url in self.asked if urlsplit(url).scheme == "http" and not url.startswith(self.url)]


def sign(page: Page, name: str) -> None:
    page.locator("#name input").fill(name)
    page.locator("#name input").press("Enter")


def box(page: Page, name: str):
    return page.locator(f"#box-{name} textarea, #box-{name} input")


def write_draft(page: Page, post: str = POST, title: str = "夜班") -> None:
    box(page, "title").fill(title)
    box(page, "description").fill(post)
    page.locator("#start").click()


def done(page: Page) -> None:
    expect(page.locator("#submit")).to_be_enabled(timeout=20_000)
