"""The list and the legend in a real browser, on a page of their own; what a handler gets is what the browser holds."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from playwright.sync_api import Page, expect, sync_playwright

from app.web import contained as contained
from app.web import shell
from app.web.draft_layout import text_box
from app.web.masking import Masking
from app.web.paths import STATIC
from app.web.server import listen
from app.web.words import WORDS
from tests.app.web.conftest import Served, free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ZH = WORDS["zh"]
POST = "我叫王小明，我老公叫何大川，电话13800138000。何大川打人。"
LIST = ["王小明 → [姓名1]", "何大川 → [姓名2]", "13800138000 → [电话1]"]


async def build() -> Masking:
    with gr.Blocks():
        part = Masking(ZH)
        part.placed()
    return part


@pytest.fixture
def part() -> Masking:
    """The component outside any page, for its answers alone. In an event loop, as gradio would leave one open."""
    return asyncio.run(build())


def offered(part: Masking, title: str, description: str, kept: str = "{}") -> tuple[list[str], str, dict[Any, Any]]:
    """Ticks and list as they stand after the first look."""
    changes = part.shown(title, description, [], "{}", kept)
    return changes[part.choices]["value"], changes[part.offered], changes


def test_everything_is_ticked_at_first_and_what_was_unticked_stays_so(part: Masking) -> None:
    ticked, pairs, _ = offered(part, "", POST)
    assert ticked == ["[姓名1]", "[姓名2]", "[电话1]"]
    more = part.shown("赵丽华来信", POST, ["[姓名1]", "[电话1]"], pairs, "{}")
    assert more[part.choices]["choices"][0] == ("赵丽华 → [姓名1]", "[姓名1]")
    assert more[part.choices]["value"] == ["[姓名1]", "[姓名2]", "[电话1]"]  # not [姓名3], which is 何大川 now


def test_what_is_replaced_is_what_the_list_said_although_the_post_has_changed_since(part: Masking) -> None:
    _, pairs, _ = offered(part, "", POST)
    title, description, changes = part.applied("赵丽华来信", POST, ["[姓名1]"], pairs, "{}")
    assert (title, description) == ("赵丽华来信", POST.replace("王小明", "[姓名1]"))
    assert changes[part.legend_text] == "[姓名1] 王小明"
    assert changes[part.choices]["choices"][0][0] == "赵丽华 → [姓名2]"


def test_the_legend_names_only_who_stands_in_the_post_and_ends_with_it(part: Masking) -> None:
    kept = json.dumps({"王小明": "[姓名1]", "何大川": "[姓名2]"})
    changes = part.shown("", "[姓名2]又打人", [], "{}", kept)
    assert changes[part.legend_text] == "[姓名2] 何大川"
    assert changes[part.kept] == kept
    assert part.frozen().keys().isdisjoint({part.legend, part.legend_text, part.kept})
    assert part.emptied()[part.kept] == "{}" and not part.emptied()[part.legend]["visible"]


@pytest.mark.parametrize("held", ["", "null", "[1]", "{", None])
def test_a_box_that_holds_something_else_holds_nothing(part: Masking, held: Any) -> None:
    title, description, _ = part.applied("", POST, ["[姓名1]"], held, held)
    assert (title, description) == ("", POST)


def test_a_post_over_the_limit_is_not_searched(part: Masking) -> None:
    assert offered(part, "", POST + "长" * 100_000)[0] == []


async def furnish() -> FastAPI:
    """A post and its list; the two buttons stand for what the drafting page does by itself."""
    with gr.Blocks(analytics_enabled=False, fill_width=True) as blocks:
        with gr.Row(elem_id="columns"), gr.Column(elem_classes="pane", elem_id="post-pane"):
            title = text_box("title", ZH("post_title"), lines=1, interactive=True)
            description = text_box("description", ZH("post"), classes="box grow", interactive=True)
            part = Masking(ZH)
            part.placed()
            look, other = gr.Button("?", elem_id="look"), gr.Button("!", elem_id="other")
        asks = [title, description, *part.memory()]
        quiet: dict[str, Any] = {"queue": False, "preprocess": False, "show_progress": "hidden"}

        def replace(*asked: Any) -> dict[Any, Any]:
            new_title, new_description, changes = part.applied(*asked)
            return {title: new_title, description: new_description, **changes}

        look.click(part.shown, asks, part.parts(), **quiet)
        other.click(part.emptied, None, part.parts(), **quiet)
        part.replace.click(replace, asks, [title, description, *part.parts()], **quiet)
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=STATIC))
    shell.mount(app, blocks, ZH, "/page")
    return app


@pytest.fixture
def page() -> Iterator[Page]:
    served = Served(asyncio.run(furnish()), listen("127.0.0.1", free_port()))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 480, "height": 768})
        page.goto(f"{served.url}/page/")
        expect(page.locator("#look")).to_be_visible(timeout=20_000)
        yield page
        browser.close()
    served.close()


@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # Gradio calls what its pandas deprecates.
def test_found_confirmed_replaced_and_read_again_on_the_screen_only(page: Page) -> None:
    text = page.locator("#box-description textarea")
    expect(page.locator("#masking")).to_be_hidden()
    expect(page.locator("#originals")).to_be_hidden()
    text.fill(POST)
    page.locator("#look").click()
    head = page.get_by_role("button", name=ZH("masking", count=3))
    expect(head).to_be_visible()
    expect(page.locator("#masking-choices")).to_be_hidden()
    head.press("Enter")
    expect(page.locator("#masking-choices")).to_contain_text(ZH("masking_note"))
    expect(page.locator("#masking-choices label")).to_have_text(LIST)
    page.get_by_label(LIST[2]).uncheck()
    page.get_by_role("button", name=ZH("masking_replace")).click()
    expect(text).to_have_value("我叫[姓名1]，我老公叫[姓名2]，电话13800138000。[姓名2]打人。")
    expect(page.locator("#masking-choices label")).to_have_text([LIST[2]])
    expect(page.get_by_label(LIST[2])).not_to_be_checked()
    expect(page.locator("#originals")).to_contain_text(ZH("legend_note", count=2))
    originals = page.get_by_label(ZH("legend"), exact=True)
    expect(originals).to_be_hidden()
    page.get_by_label(ZH("legend_show")).check()
    expect(originals).to_have_value("[姓名1] 王小明\n[姓名2] 何大川")
    # A second paste: a known person keeps the placeholder, also where nothing says that it is a name.
    text.fill(text.input_value() + "何大川的哥哥叫何大海。")
    page.locator("#look").click()
    expect(page.locator("#masking-choices label")).to_have_text([LIST[2], "何大海 → [姓名3]", LIST[1]])
    page.get_by_role("button", name=ZH("masking_replace")).click()
    expect(text).to_have_value("我叫[姓名1]，我老公叫[姓名2]，电话13800138000。[姓名2]打人。[姓名2]的哥哥叫[姓名3]。")
    page.locator("#other").click()
    expect(page.locator("#masking, #originals")).to_have_count(0)
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "王小明" not in kept and "何大川" not in kept


@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_a_text_of_people_is_an_entry_of_the_list_to_the_letter(page: Page) -> None:
    address = "http://example.com/<img/src=x/onerror=window.__xss=1>**b**_i_$x$"
    page.locator("#box-description textarea").fill(f"看 {address} 这里")
    page.locator("#look").click()
    page.get_by_role("button", name=ZH("masking", count=1)).click()
    expect(page.locator("#masking-choices label")).to_have_text(f"{address} → [网址1]")
    page.get_by_role("button", name=ZH("masking_replace")).click()
    page.get_by_label(ZH("legend_show")).check()
    expect(page.get_by_label(ZH("legend"), exact=True)).to_have_value(f"[网址1] {address}")
    assert page.evaluate("window.__xss") is None
