"""A desk under many people, and pages that are left at bad moments: everybody's turn comes, and no text is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.engine.scripted import PARTS, Gate
from tests.app.web.visits import ZH, box, done, needs_chromium, write_draft

pytestmark = needs_chromium
SESSIONS = 20


def test_twenty_people_stand_in_one_queue_and_each_is_told_their_place(desk_of, visit_to) -> None:
    hold = Gate()
    desk = desk_of(hold=hold)
    pages = []
    for number in range(SESSIONS):
        page = visit_to(desk.url).open("/zh/draft/", f"咨询师{number}")
        write_draft(page, f"第 {number} 封信。", "")
        expect(page.locator("#number")).to_contain_text(f"#{number + 1}", timeout=20_000)
        pages.append(page)
    for ahead, page in enumerate(pages[1:], start=1):
        expect(page.locator("#status")).to_have_text(ZH("queued", ahead=ahead), timeout=20_000)
    # Nobody who waits keeps the other pages from answering.
    pages[-1].goto(f"{desk.url}/zh/history/")
    expect(pages[-1].locator("#case-list a")).to_have_count(SESSIONS, timeout=20_000)
    pages[5].locator("#stop").click()
    expect(pages[5].locator("#status")).to_have_text(ZH("stopped"), timeout=20_000)
    expect(pages[6].locator("#status")).to_have_text(ZH("queued", ahead=5), timeout=20_000)
    hold.open()
    for number, page in enumerate(pages[:-1]):
        if number != 5:
            done(page)
            expect(box(page, "answer")).to_have_value(PARTS["answer"])
    texts = [desk.store.draft(number + 1) for number in range(SESSIONS)]
    assert [draft.status for draft in texts] == ["done"] * 5 + ["stopped"] + ["done"] * 14
    assert [draft.post.description for draft in texts] == [f"第 {number} 封信。" for number in range(SESSIONS)]


@pytest.fixture
def leaving(visit_to):
    """A page that is left without hesitation."""

    def visit(url: str) -> Page:
        page = visit_to(url).open("/zh/draft/", "王敏")
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    return visit


def test_a_reload_while_typing_saves_what_was_typed(desk_of, leaving) -> None:
    desk = desk_of()
    page = leaving(desk.url)
    write_draft(page)
    done(page)
    box(page, "answer").click()
    page.keyboard.press("End")
    page.keyboard.type("最后打的半句")
    page.reload()
    expect(box(page, "answer")).to_have_value(re.compile("最后打的半句"), timeout=20_000)
    assert desk.store.latest_revision(1).response.answer == PARTS["answer"] + "最后打的半句"


def test_a_reload_after_a_stop_finds_the_written_part_and_what_was_added_to_it(desk_of, leaving) -> None:
    hold = Gate()
    desk = desk_of(hold=hold)
    page = leaving(desk.url)
    write_draft(page)
    hold.step(2 + -(-len(PARTS["L1"]) // 4) + 1 + 2)
    expect(box(page, "L2")).to_have_value(PARTS["L2"][:8], timeout=20_000)
    page.locator("#stop").click()
    expect(page.locator("#status")).to_have_text(ZH("stopped"), timeout=20_000)
    page.reload()
    expect(box(page, "L2")).to_have_value(PARTS["L2"][:8], timeout=20_000)
    for name in ("L3", "L4", "answer"):
        box(page, name).fill(f"补写的 {name}")
    expect(page.locator("#stamp .saved")).to_be_visible(timeout=20_000)
    page.reload()
    expect(box(page, "answer")).to_have_value("补写的 answer", timeout=20_000)
    expect(box(page, "L1")).to_have_value(PARTS["L1"])


def test_a_reload_while_a_save_is_under_way_and_one_after_submission_lose_nothing(desk_of, leaving) -> None:
    desk = desk_of()
    page = leaving(desk.url)
    write_draft(page)
    done(page)
    box(page, "answer").fill("保存途中。")
    page.locator("#save").click()
    page.reload()
    expect(box(page, "answer")).to_have_value("保存途中。", timeout=20_000)
    page.locator("#submit").click()
    expect(page.locator("#status")).to_have_text(ZH("submitted"), timeout=20_000)
    page.reload()
    expect(page.locator("#status")).to_have_text(ZH("submitted"), timeout=20_000)
    expect(box(page, "answer")).to_have_value("保存途中。")
    assert [text.response.answer for text in desk.store.revisions(1)] == ["保存途中。"]
