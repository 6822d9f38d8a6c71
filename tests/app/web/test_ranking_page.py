"""The ranking page in a real browser: a round from set-up to report, ranked by keys alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.chain import neutral
from app.web.words import WORDS
from storage.store import Store
from tests.app.web.visits import needs_chromium, sign

pytestmark = needs_chromium
ZH, EN = WORDS["zh"], WORDS["en"]
HOSTILE = '<script>window.__xss=1</script><img src=x onerror="window.__xss=1">'
PATIENCE_MS = 20_000
POSTS = "\n".join(
    json.dumps(
        {
            "title": f"信{number}",
            "description": f"第{number}封信。{HOSTILE}",
            "topic": ("工作", "学业")[number % 2],
            "answers": {"甲机": f"甲回{number}。{HOSTILE}", "乙机": f"乙回{number}。"},
        },
        ensure_ascii=False,
    )
    for number in range(10)
)


@pytest.fixture
def ranked_at(desk_of) -> tuple[str, Store]:
    """Where a desk is, and its store."""
    desk = desk_of()
    return desk.url, desk.store


def view(page: Page, name: str) -> None:
    page.get_by_role("radio", name=ZH(f"ranking_view_{name}"), exact=True).check()


def fill(page: Page, box: str, text: str) -> None:
    page.locator(f"#box-ranking-{box} textarea, #box-ranking-{box} input").fill(text)


def cards(page: Page):
    return page.locator(".answer-card")


def test_a_round_of_three_systems_ten_posts_and_four_people_from_set_up_to_report(ranked_at, visit_to) -> None:
    url, store = ranked_at
    people = ("王敏", "李婷", "陈舟", "周宁")
    page = visit_to(url).open("/zh/ranking/", "主管")
    expect(page.locator("#status")).to_contain_text(ZH("ranking_none_open"), timeout=PATIENCE_MS)
    view(page, "new")
    fill(page, "name", "一月")
    fill(page, "posts", POSTS)
    fill(page, "people", "\n".join(people))
    page.get_by_role("checkbox", name="丙机").check()
    page.locator("#ranking-set-up").click()
    expect(page.locator("#status")).to_have_text(ZH("ranking_made", id=1), timeout=PATIENCE_MS)
    view(page, "rounds")
    facts = page.locator("#box-ranking-facts textarea")
    expect(facts).to_have_value(re.compile("回信 20 / 30"), timeout=PATIENCE_MS)
    page.locator("#ranking-open").click()
    expect(page.locator("#status .alarm")).to_have_text(ZH.errors["round_incomplete"].format(missing=10))
    page.locator("#ranking-draft").click()
    expect(facts).to_have_value(re.compile("回信 30 / 30"), timeout=PATIENCE_MS)
    page.locator("#ranking-open").click()
    expect(page.locator("#ranking-lock")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
    chosen = store.ranking.round(1)
    _rank_by_keys(page, store, people[0])
    for name in people[1:]:
        _rank_quickly(store, chosen, name)
    view(page, "rounds")
    expect(facts).to_have_value(re.compile("王敏：10 / 10"), timeout=PATIENCE_MS)
    page.locator("#ranking-lock").click()
    expect(page.locator("#status .alarm")).to_have_text(ZH("ranking_lock_sure"))
    page.locator("#ranking-sure input").check()
    page.locator("#ranking-lock").click()
    report = page.frame_locator("#ranking-results iframe").locator("body")
    expect(report).to_contain_text(ZH("ranking_of", people=4, posts=10, rankings=40), timeout=PATIENCE_MS)
    expect(report.locator("tfoot td")).to_have_text([ZH("ranking_sum"), "100.0", "200.0", "6.00", "100.0"])
    with page.expect_download() as waiting:
        page.locator("#ranking-get-figures").click()
    assert waiting.value.suggested_filename == "ranking-1-figures.csv"
    assert "bradley_terry" in Path(waiting.value.path()).read_text("utf-8-sig")
    assert page.evaluate("window.__xss") is None
    assert [] == [found["id"] for found in Axe().run(page, "#columns").response["violations"]]


def _rank_by_keys(page: Page, store: Store, name: str) -> None:
    """The first post with a tie and by its answers, one found fitting for nobody, the others first to last."""
    view(page, "rank")
    sign(page, name)
    expect(page.locator("#ranking-done")).to_have_text(ZH("ranking_done", done=0, total=10), timeout=PATIENCE_MS)
    expect(cards(page)).to_have_count(3)
    # Text is text; and nothing on the page says whose it is.
    assert neutral(HOSTILE) in "".join(cards(page).locator(".answer-text").all_text_contents())
    for system in ("甲机", "乙机", "丙机"):
        assert system not in page.locator("#columns").inner_text() + page.locator("#ranking-task").inner_html()
    expect(cards(page).first.locator("input").first).to_be_focused()
    # Half a ranking is not sent; an input method's digits are not places.
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#ranking-said")).to_have_text(ZH("ranking_unplaced"))
    page.locator("#ranking-pause").click()
    expect(page.locator("#ranking-said")).to_have_text(ZH("ranking_paused"))
    expect(cards(page).first).to_be_hidden()
    page.locator("#ranking-pause").click()
    cards(page).nth(1).locator("input").first.focus()
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#ranking-save")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ranking-done")).to_have_text(ZH("ranking_done", done=1, total=10), timeout=PATIENCE_MS)
    page.keyboard.press("0")
    expect(page.locator("#ranking-none")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#ranking-done")).to_have_text(ZH("ranking_done", done=2, total=10), timeout=PATIENCE_MS)
    # A reload goes on where this person was.
    page.reload()
    for done in range(2, 10):
        expect(page.locator("#ranking-done")).to_have_text(ZH("ranking_done", done=done, total=10), timeout=PATIENCE_MS)
        expect(cards(page).first.locator("input").first).to_be_focused()
        for digit in "123":
            page.keyboard.press(digit)
        page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text(ZH("ranking_all_done"), timeout=PATIENCE_MS)
    expect(cards(page)).to_have_count(0)


def _rank_quickly(store: Store, chosen, name: str) -> None:
    from app.ranking.rounds import next_task, rank

    person = store.person(name)
    while (task := next_task(store, chosen, person)) is not None:
        rank(store, chosen, person, task.item_id, [1, 2, 3], none_fits=False, seconds=20)
