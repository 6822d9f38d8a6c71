"""The history page in a real browser: search, filters, page by page, and every case opens where it was left."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from app.chain import Response
from app.web.words import WORDS
from storage.database import FILE_NAME
from storage.store import Store
from tests.app.web.test_app import call
from tests.app.web.visits import box, needs_chromium, sign
from tests.drafts import start_draft

pytestmark = needs_chromium
ZH, EN = WORDS["zh"], WORDS["en"]
LETTER = Response("她累", "也许怕让人失望", "想被听见", "先说夜班", "你辛苦了。")
HOSTILE = '<script>window.__xss=1</script><img src=x onerror="window.__xss=1"> **粗** [a](javascript:1) $&'


def add(store: Store, title: str, description: str, author: str = "王敏") -> int:
    """A case whose draft is written and not submitted."""
    person = store.person(author)
    post = store.add_post(title, description, person.id)
    draft = start_draft(store, post.id, person.id)
    store.finish_draft(draft.id, "done", LETTER.parts())
    return draft.id


def submit(store: Store, title: str, author: str = "王敏") -> None:
    """A case that waits for review."""
    store.add_submitted(title, "夜班。", LETTER, store.person(author).id, model_name="m", model_sha256="0" * 64)


def cards(page: Page):
    return page.locator("#case-list a")


def titles(page: Page):
    return page.locator("#case-list .case-title")


def look_for(page: Page, words: str) -> None:
    page.locator("#box-search input").fill(words)


def test_two_characters_find_a_case_and_its_card_opens_where_it_was_left(desk_of, visit_to) -> None:
    desk = desk_of()
    wanted = add(desk.store, "", "连着三周\n夜班，不想再加班了。")
    add(desk.store, "考研", "第二次没有考上。")
    desk.store.save_revision(wanted, 0, desk.store.person("王敏").id, LETTER)
    visit = visit_to(desk.url)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.post_data or ""))
    page = visit.open("/zh/history/")
    expect(cards(page)).to_have_count(2)
    expect(page.locator("#cases-note")).to_have_text(ZH("cases_count", count=2))
    # What an input method is still composing is not looked for; its Enter is not ours.
    page.locator("#box-search input").focus()
    typing = visit.context.new_cdp_session(page)
    typing.send("Input.imeSetComposition", {"text": "jiaban", "selectionStart": 6, "selectionEnd": 6})
    page.keyboard.press("Enter")
    typing.send("Input.insertText", {"text": "加班"})
    expect(cards(page)).to_have_count(1)
    expect(titles(page)).to_have_text("连着三周 夜班，不想再加班了。")
    expect(page.locator("#case-list mark")).to_have_text("加班")
    assert [body for body in asked if "jiaban" in body] == []
    # By keys alone, from the search box to the text as it was saved.
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(cards(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/zh/draft/\?draft={wanted}$"), timeout=20_000)
    expect(box(page, "answer")).to_have_value(LETTER.answer, timeout=20_000)
    expect(page.locator("#stamp .saved")).to_contain_text("第 1 版", timeout=20_000)


def test_filters_narrow_the_list_and_say_what_is_missing(desk_of, visit_to) -> None:
    desk = desk_of()
    old = add(desk.store, "旧信", "很久以前。")
    submit(desk.store, "递交的", author="李婷")
    add(desk.store, "新的", "夜班。")
    long_ago, yesterday = (datetime.now(UTC) - timedelta(days=days) for days in (800, 1))
    with sqlite3.connect(desk.data_dir / FILE_NAME) as database:
        for moment, title in ((long_ago, "旧信"), (yesterday, "递交的")):
            database.execute("UPDATE posts SET created_at = ? WHERE title = ?", (moment.isoformat(), title))
    database.close()
    page = visit_to(desk.url).open("/zh/history/")
    expect(titles(page)).to_have_text(["新的", "递交的", "旧信"])
    expect(cards(page).last).to_contain_text(f"#{old}　{long_ago.astimezone():%Y-%m-%d}　王敏　{ZH('status_done')}")
    page.get_by_role("group", name=ZH("filter_state")).get_by_role("radio", name=ZH("state_submitted")).check()
    expect(titles(page)).to_have_text(["递交的"])
    page.get_by_role("radio", name=ZH("when_today")).check()
    expect(page.locator("#cases-note")).to_have_text(ZH("cases_none"))
    expect(cards(page)).to_have_count(0)
    page.get_by_role("radio", name=ZH("when_week")).check()
    page.get_by_role("radio", name=ZH("state_any")).check()
    expect(titles(page)).to_have_text(["新的", "递交的"])
    # Whose they are is known by the signature: without one the list stays and the reason is said.
    page.get_by_role("radio", name=ZH("whose_mine")).check()
    expect(page.locator("#status .alarm")).to_have_text(ZH.errors["name_missing"])
    expect(cards(page)).to_have_count(2)
    sign(page, "李婷")
    expect(titles(page)).to_have_text(["递交的"])
    expect(page.locator("#status")).to_have_text(ZH("history_hint"))


def test_a_long_history_comes_page_by_page(desk_of, visit_to) -> None:
    desk = desk_of()
    for place in range(101):
        submit(desk.store, f"信 {place}")
    page = visit_to(desk.url).open("/en/history/")
    expect(cards(page)).to_have_count(50)
    expect(page.locator("#cases-note")).to_have_text(EN("cases_more", count=50))
    older = page.get_by_role("button", name=EN("cases_older"))
    older.click()
    expect(cards(page)).to_have_count(100)
    expect(cards(page).nth(50)).to_be_focused()
    older.click()
    expect(titles(page)).to_have_text([f"信 {place}" for place in reversed(range(101))])
    expect(older).to_be_hidden()
    expect(page.locator("#cases-note")).to_have_text(EN("cases_count", count=101))
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
    look_for(page, "信 10")
    expect(titles(page)).to_have_text(["信 100", "信 10"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_text_is_shown_to_the_letter_and_stays_on_the_page(desk_of, visit_to, language) -> None:
    desk = desk_of()
    words = WORDS[language]
    page = visit_to(desk.url).open(f"/{language}/history/")
    expect(page.locator("#cases-note")).to_have_text(words("cases_empty"))
    add(desk.store, HOSTILE, f"{HOSTILE} 正文", author="<b>甲</b>")
    look_for(page, "**粗** $& <SCRIPT>")
    expect(titles(page)).to_have_text(HOSTILE)
    expect(page.locator("#case-list .facts")).to_contain_text("<b>甲</b>")
    expect(page.locator("#case-list .excerpt mark").first).to_have_text("<script>")
    assert page.evaluate("window.__xss") is None
    assert "SCRIPT" not in page.url + page.evaluate("JSON.stringify([localStorage, sessionStorage, history.state])")


def test_more_words_than_a_search_takes_are_refused_in_a_sentence(desk_of) -> None:
    said = call(desk_of(), "/zh/history", "look", ["累 " * 60, "any", "whose_everyone", "when_any", "", ""])
    assert "“查找”有 120 字" in said
