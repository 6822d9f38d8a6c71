"""Every page, in the states that a person meets: what axe finds, what Tab reaches, and what a tablet shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app import reviewing
from app.chain import Response
from app.engine.scripted import PARTS
from app.web.words import WORDS, Language
from tests.app.web.visits import box, done, needs_chromium, sign, write_draft
from tests.drafts import start_draft

pytestmark = needs_chromium
WORRYING = "我把遗书写好了，药也攒够了，就等这个周末。"
POST = "我叫王小明，电话13812345678。夜里常常睡不着。有时想，要是睡着了就不用再醒来就好了。"
MARKED = "你这是抑郁症。先不急着做决定，一切都会好起来的。"
SCREEN, TABLET = {"width": 1366, "height": 768}, {"width": 820, "height": 1180}

# A stop of the Tab key: its name for a message, whether it stands behind the stop before, and whether it can be seen
# that it is one. Nothing at the end of the page, where Tab leaves it or begins anew.
STOP = """() => {
    const part = document.activeElement;
    const before = window.stops.at(-1);
    if (!part || part === document.body || part === window.stops[0]) return null;
    window.stops.push(part);
    const drawn = (each) => {
        const style = each && getComputedStyle(each);
        return Boolean(style && ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth)) ||
            style.boxShadow !== "none"));
    };
    const group = part.type === "radio" ? part.closest("[id]").id : "";
    const behind = !before || Boolean(before.compareDocumentPosition(part) & Node.DOCUMENT_POSITION_FOLLOWING);
    const name = (part.closest("[id]")?.id ?? "") + " " + part.tagName + " " + (part.ariaLabel ?? part.innerText ?? "");
    return { name: group || name, behind, seen: drawn(part) || drawn(part.closest("label")) };
}"""
CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, textarea, summary, [tabindex='0']")]
    .filter((part) => !part.disabled && part.tabIndex >= 0 && part.checkVisibility({ visibilityProperty: true }))
    .map((part) => part.type === "radio" ? part.closest("[id]").id :
        (part.closest("[id]")?.id ?? "") + " " + part.tagName + " " + (part.ariaLabel ?? part.innerText ?? ""))"""
SIDEWAYS = """() => [...document.querySelectorAll("body *")]
    .filter((part) => part.checkVisibility() && part.getBoundingClientRect().right > innerWidth + 1)
    .map((part) => `${part.tagName} ${part.id} ${part.className}`)"""


def states(desk, visit, language: Language) -> Iterator[tuple[str, Page]]:
    """The pages as they stand one after the other, and what to call them."""
    words = WORDS[language]
    page = visit.open(f"/{language}/draft/", "王敏")
    yield "empty", page
    box(page, "title").fill("夜班")
    box(page, "description").fill(POST)
    expect(page.locator("#masking")).to_be_visible(timeout=20_000)
    page.locator("#masking > button").click()
    expect(page.locator("#masking > button")).to_have_attribute("aria-expanded", "true")
    yield "masking", page
    page.locator("#start").click()
    done(page)
    box(page, "answer").fill(MARKED)
    expect(page.locator("#stamp .saved")).to_be_visible(timeout=20_000)
    expect(page.locator("#notes .notes")).to_be_visible(timeout=20_000)
    page.locator("#past").click()
    expect(page.locator("#versions")).to_be_visible(timeout=20_000)
    yield "written", page
    page.locator("#submit").click()
    expect(page.locator("#box-override")).to_be_visible(timeout=20_000)
    yield "override", page
    box(page, "override").fill("引的是医生的原话")
    page.locator("#submit").click()
    expect(page.locator("#status")).to_have_text(words("submitted"), timeout=20_000)
    yield "submitted", page
    page.locator("#new").click()
    expect(page.locator("#number")).to_have_text("", timeout=20_000)
    write_draft(page, WORRYING)
    expect(page.locator("#held")).to_be_visible(timeout=20_000)
    expect(page.locator("#recent")).to_contain_text(words("status_done"), timeout=20_000)
    yield "held", page
    page.keyboard.press("F1")
    expect(page.locator("#key-sheet")).to_be_visible()
    yield "keys", page
    page.keyboard.press("Escape")
    page = visit.open(f"/{language}/history/")
    expect(page.locator("#case-list a").first).to_be_visible(timeout=20_000)
    yield "history", page
    box(page, "search").fill("没有这个词")
    expect(page.locator("#cases-note")).to_have_text(words("cases_none"), timeout=20_000)
    yield "nothing found", page
    page = visit.open(f"/{language}/review/", "李婷")
    expect(page.locator("#let-stand")).to_be_visible(timeout=20_000)
    expect(page.locator("#notes .notes")).to_be_visible(timeout=20_000)
    yield "review", page
    page.locator("#view label").nth(1).click()
    yield "difference", page


def faults_of(page: Page) -> list[str]:
    """What shuts somebody out of the page as it stands, on a small laptop and on a tablet."""
    found = []
    for fault in Axe().run(page).response["violations"]:
        if fault["impact"] in ("serious", "critical"):
            found += [f"{fault['id']} {node['target']}" for node in fault["nodes"]]
    page.set_viewport_size(TABLET)
    found += [f"tablet: {part}" for part in page.evaluate(SIDEWAYS)]
    panes = [pane.bounding_box() for pane in page.locator(".pane:visible").all()]
    found += ["tablet: panes beside each other" for pane in panes if pane and pane["width"] < 700]
    page.set_viewport_size(SCREEN)
    if page.evaluate("document.documentElement.scrollHeight") > SCREEN["height"]:
        found.append("higher than a small laptop")
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_state_of_a_page_shuts_anybody_out(desk_of, visit_to, language: Language) -> None:
    desk = desk_of(candidates=2)
    faults: list[str] = []
    for state, page in states(desk, visit_to(desk.url), language):
        # A part that gradio has just put in the place of another is named within half a second.
        for _ in range(5):
            found = faults_of(page)
            if not found:
                break
            page.wait_for_timeout(300)
        faults += [f"{state}: {fault}" for fault in found]
    assert faults == []


def tabbed(page: Page) -> list[dict]:
    """Where Tab leads, from the top of the page to its end."""
    page.evaluate("window.stops = []; document.activeElement.blur()")
    page.locator("#brand h1").click()
    stops: list[dict] = []
    while len(stops) < 120:
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError("Tab does not come to an end")


def test_tab_reaches_every_control_in_reading_order_and_shows_where_it_is(desk_of, visit_to) -> None:
    desk = desk_of(candidates=2)
    author = desk.store.person("王敏")
    draft = start_draft(desk.store, desk.store.add_post("夜班", POST, author.id).id, author.id)
    desk.store.finish_draft(draft.id, "done", PARTS)
    desk.store.save_revision(draft.id, 0, author.id, Response(**{**PARTS, "answer": MARKED}))
    reviewing.submit(desk.store, draft.id, 1, author.id, "引的是医生的原话")
    visit = visit_to(desk.url)
    page = visit.open("/zh/review/", "李婷")
    expect(page.locator("#let-stand")).to_be_visible(timeout=20_000)
    expect(box(page, "let-stand")).to_be_enabled()
    expect(page.locator("#notes .notes")).to_be_visible()
    expect(page.locator("#queue input[name=queue]:checked")).to_have_count(1)
    reached(page)
    page = visit.open("/zh/history/")
    expect(page.locator("#case-list a")).to_have_count(1, timeout=20_000)
    reached(page)
    page.locator("#filter-state input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#cases-note")).to_have_text(WORDS["zh"]("cases_none"), timeout=20_000)
    page = visit.open("/zh/draft/")
    box(page, "description").fill(POST)
    expect(page.locator("#masking")).to_be_visible(timeout=20_000)
    page.locator("#masking > button").click()
    reached(page)
    page.locator("#start").click()
    done(page)
    box(page, "answer").fill(MARKED)
    expect(page.locator("#notes .notes")).to_be_visible(timeout=20_000)
    expect(page.locator("#stamp .saved")).to_be_visible(timeout=20_000)
    reached(page)
    page.locator("#new").click()
    expect(page.locator("#number")).to_have_text("", timeout=20_000)
    sign(page, "王敏")
    write_draft(page, WORRYING)
    expect(page.locator("#held")).to_be_visible(timeout=20_000)
    reached(page)


def reached(page: Page) -> None:
    """Tab comes to every control once, from the first to the last, and each can be seen to be where it is."""
    # A group of choices is one stop; between them go the arrow keys.
    expect(page.locator("fieldset [type=radio][name^=radio-]")).to_have_count(0)
    stops = tabbed(page)
    assert [stop["name"] for stop in stops if not stop["behind"]] == []
    assert set(page.evaluate(CONTROLS)) - {stop["name"] for stop in stops} == set()
    assert [stop["name"] for stop in stops if not stop["seen"]] == []
