"""Marks: the message for the page, place by place; and the page's script on boxes of its own, measured in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from string import Formatter
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from app.safety.lint import SEVERITY
from app.score_reasons import Flag, Part, ScoreReasons
from app.scoring import Score
from app.web.marks import draft_marks, reason_marks
from app.web.paths import STATIC
from app.web.words import WORDS, en_notes, zh_notes

ZH = WORDS["zh"]
TITLE = "夜班😮‍💨以后"
POST = "上个月连着三周夜班，\n回家还要接孩子😢。我不知道还能撑多久。"
L1 = "她连着三周夜班。也许她小时候总被比较。她说“谁都不帮我”。"
ANSWER = "😀你写到夜班。你一定会好起来的。你这是得了抑郁症。"


def units(text: str, mark: dict[str, Any]) -> str:
    """What stands between two places as a browser counts them."""
    return text.encode("utf-16-le")[2 * mark["start"] : 2 * mark["end"]].decode("utf-16-le")


def drafted(title: str = TITLE, description: str = POST, signals: tuple[str, ...] = (), **texts: str) -> dict[str, Any]:
    return json.loads(draft_marks(ZH, title, description, {"L1": L1, "answer": ANSWER, **texts}, signals))


def test_claims_stand_at_their_words_and_lead_to_those_of_the_post() -> None:
    said = drafted()
    claims = [mark for mark in said["boxes"]["L1"] if "post" in mark]
    assert [(units(L1, mark), mark["kind"]) for mark in claims] == [
        ("她连着三周夜班。", "supported"),
        ("也许她小时候总被比较。", "unsupported"),
        ("她说“谁都不帮我”。", "unsupported"),
    ]
    assert [units(POST, span) for span in claims[0]["post"]["description"]] == ["连着三周夜班"]
    assert "“连着三周夜班”" in claims[0]["note"]
    assert claims[1]["note"] == ZH("evidence_none")
    assert claims[2]["note"] == ZH("evidence_misquoted")
    (misquoted,) = [mark for mark in said["boxes"]["L1"] if mark["kind"] == "misquoted"]
    assert units(L1, misquoted) == "“谁都不帮我”"


def test_words_of_the_title_and_behind_an_emoji_are_found_in_their_own_box() -> None:
    said = drafted(title="😀搬去了陌生城市", description="😢😢凌晨反复惊醒。", L1="搬去了陌生城市，凌晨反复惊醒。")
    (claim,) = said["boxes"]["L1"]
    assert [units("😀搬去了陌生城市", span) for span in claim["post"]["title"]] == ["搬去了陌生城市"]
    assert [units("😢😢凌晨反复惊醒。", span) for span in claim["post"]["description"]] == ["凌晨反复惊醒"]
    untitled = drafted(title="", description="凌晨反复惊醒。", L1="凌晨反复惊醒。")["boxes"]["L1"][0]["post"]
    assert untitled == {"title": [], "description": [{"start": 0, "end": 6}]}


def test_findings_stand_at_their_words_and_what_is_missing_apart() -> None:
    said = drafted(signals=("plan",))
    found = {mark["rule"]: mark for mark in said["boxes"]["answer"]}
    assert units(ANSWER, found["promise"]) == found["promise"]["quote"] == "一定会好起来"
    assert (found["promise"]["kind"], found["diagnosis"]["kind"]) == ("warn", "block")
    assert [(note["rule"], note["kind"]) for note in said["notes"]] == [
        ("missing_question", "block"),
        ("missing_line", "block"),
    ]
    assert drafted(answer=" \n", signals=("plan",))["notes"] == [], "nothing is missing from what is not yet written"


SENTENCES = ("😀先听着。", "再说别的！", "中间的一句。", "收个尾。")
REASONS = ScoreReasons(
    Score(0.5, True, 60.0),
    tuple(
        Part(start, start + len(text), points, points / 100)
        for text, start, points in zip(SENTENCES, (0, 5, 10, 16), (9.4, -3.6, 1.0, -2.5), strict=True)
    ),
    0.31,
    ("echo", "short"),
)


def test_reasons_name_the_strongest_sentence_of_each_kind_and_what_a_score_does_not_say() -> None:
    answer = "".join(SENTENCES)
    said = json.loads(reason_marks(ZH, answer, REASONS))
    assert [(units(answer, mark), mark["kind"]) for mark in said["boxes"]["answer"]] == [
        ("😀先听着。", "raises"),
        ("再说别的！", "lowers"),
    ]
    assert [" 9 " in said["boxes"]["answer"][0]["note"], " 4 " in said["boxes"]["answer"][1]["note"]] == [True, True]
    assert "31 %" in said["notes"][0]["note"]
    assert said["notes"][-1]["note"] == ZH("reason_about")
    even = replace(REASONS, flags=(), parts=tuple(replace(part, percentile=1.0) for part in REASONS.parts))
    said = json.loads(reason_marks(ZH, answer, even))
    assert [note["note"] for note in said["notes"]] == [ZH("reason_even"), ZH("reason_about")]
    assert said["boxes"]["answer"] == []


def test_every_rule_and_flag_has_a_sentence_of_its_own_in_both_languages() -> None:
    keys = {f"lint_{rule}" for rule in SEVERITY} | {f"flag_{flag}" for flag in get_args(Flag)}
    rest = {
        f"{group}_{name}"
        for group, names in {
            "evidence": ("found", "none", "misquoted"),
            "notes": ("label", "must", "drop", "reasons"),
            "reason": ("about", "raises", "lowers", "even"),
        }.items()
        for name in names
    }
    assert list(zh_notes.TEXT) == list(en_notes.TEXT)
    assert set(zh_notes.TEXT) == keys | rest
    for key, zh in zh_notes.TEXT.items():
        places = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (zh, en_notes.TEXT[key])]
        assert places[0] == places[1], key
        assert len(zh) <= 60, key
    assert all(len(set(words.TEXT.values())) == len(words.TEXT) for words in (zh_notes, en_notes))
    assert not set(zh_notes.TEXT) & set(ZH.text) - set(zh_notes.TEXT)


# The script, on a page with boxes of the desk's shape and the desk's own style.
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
ADDRESS = "http://desk.test"
BOXES = ("description", "L1", "L2", "answer")
PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
  <link rel="stylesheet" href="/desk.css"><link rel="stylesheet" href="/marks.css"><style>
  body {{ margin: 20px; font-family: system-ui, "Noto Sans CJK SC", sans-serif; }}
  .box {{ width: 301.4px; margin-bottom: 8px; }} .input-container {{ display: flex; }}
  .box textarea, .box input {{ width: 100%; box-sizing: border-box; resize: none; }} textarea {{ height: 110px; }}
  textarea {{ position: relative; z-index: 1; }} /* as gradio's */
  #marks, #reasons {{ display: none; }}
</style></head><body class="gradio-container">
  <div class="box" id="box-title"><div class="input-container"><input aria-label="title"></div></div>
  {boxes}<div id="evidence"></div><div id="notes"></div>
  <div id="marks"><textarea></textarea></div><div id="reasons"><textarea></textarea></div>
  <script type="module" src="/marks.js"></script></body></html>"""
# The rectangles of the characters [start, end) of a box, measured on a copy of it that nobody painted.
MEASURE = """([name, start, end]) => {
  const field = document.querySelector(`#box-${name} textarea, #box-${name} input`);
  const copy = document.createElement("div");
  const style = getComputedStyle(field);
  for (const property of style) copy.style.setProperty(property, style.getPropertyValue(property));
  const outer = field.getBoundingClientRect();
  copy.style.cssText += ";position:fixed;overflow:hidden;z-index:-1;scrollbar-width:none;margin:0;display:block";
  const bar = field.offsetWidth - field.clientWidth - parseFloat(style.borderLeftWidth) * 2;
  copy.style.setProperty("padding-right", `${parseFloat(style.paddingRight) + (bar > 2 ? bar : 0)}px`);
  Object.assign(copy.style, { left: `${outer.left}px`, top: `${outer.top}px` });
  copy.style.width = `${outer.width}px`;
  copy.style.height = `${outer.height}px`;
  if (field.tagName === "INPUT") copy.style.whiteSpace = "pre";
  copy.append(document.createTextNode(field.value + "\\n"));
  document.body.append(copy);
  const whole = copy.scrollHeight;
  copy.scrollTop = field.scrollTop;
  copy.scrollLeft = field.scrollLeft;
  const range = document.createRange();
  range.setStart(copy.firstChild, start);
  range.setEnd(copy.firstChild, end);
  const found = [...range.getClientRects()].filter((rect) => rect.width).map((rect) => [rect.x, rect.y, rect.width]);
  copy.remove();
  return [found, whole === field.scrollHeight];
}"""
PAINTED = """([name, kind]) => [...document.querySelectorAll(`#box-${name} .cover .${kind}`)]
  .flatMap((mark) => [...mark.getClientRects()])
  .filter((rect) => rect.width).map((rect) => [rect.x, rect.y, rect.width])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # With scroll bars that take their width from the text, as most people have them.
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu"],
            ignore_default_args=["--hide-scrollbars"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 700, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    boxes = "".join(
        f'<div class="box edit" id="box-{name}"><div class="input-container"><textarea aria-label="{name}"></textarea>'
        "</div></div>"
        for name in BOXES
    )
    page.route("**/*", lambda route: route.fulfill(path=STATIC / urlsplit(route.request.url).path[1:]))
    page.route(f"{ADDRESS}/", lambda route: route.fulfill(body=PAGE.format(boxes=boxes), content_type="text/html"))
    page.goto(f"{ADDRESS}/")
    yield page
    context.close()
    assert complaints == []


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#box-{name} textarea, #box-{name} input")


def put(page: Page, **values: str) -> None:
    """Set boxes as the desk's replies do: by their value, without an event."""
    for name, text in values.items():
        place = f"#{name}" if name in ("marks", "reasons") else f"#box-{name}"
        page.locator(f"{place} textarea, {place} input").evaluate("(field, text) => { field.value = text; }", text)


def marked(page: Page, name: str, kind: str) -> list[str]:
    return page.locator(f"#box-{name} .cover .{kind}").all_text_contents()


def assert_over(page: Page, name: str, kind: str, start: int, end: int) -> None:
    """The marks of a kind lie over exactly these characters."""
    expected, alike = page.evaluate(MEASURE, [name, start, end])
    painted = page.evaluate(PAINTED, [name, kind])
    assert alike or name == "title", "the copy that is measured has the height of the box's text"
    assert len(painted) == len(expected) > 0
    for got, wanted in zip(painted, expected, strict=True):
        assert got == pytest.approx(wanted, abs=0.6)


PARAGRAPH = "😀连着三周 night shifts，😮\u200d💨回家还要接孩子，unbelievablyLongWordWithoutAnyBreak写不完。\n\n"
LONG = PARAGRAPH * 9 + "末尾一句。\n"


@in_a_browser
@pytest.mark.parametrize(("name", "disabled"), [("L1", False), ("L1", True), ("answer", False), ("answer", True)])
def test_a_mark_lies_over_its_characters_in_long_mixed_text(page: Page, name: str, disabled: bool) -> None:
    places = (14, 44), (len(LONG.encode("utf-16-le")) // 2 - 6, len(LONG.encode("utf-16-le")) // 2 - 1)
    marks = [{"start": start, "end": end, "kind": "warn", "note": "n", "quote": "q"} for start, end in places]
    put(page, **{name: LONG})
    put(page, marks=json.dumps({"texts": {name: LONG}, "boxes": {name: marks}, "notes": [], "words": {}}))
    expect(page.locator(f"#box-{name} .cover .warn")).to_have_count(2)
    field(page, name).evaluate("(field, off) => { field.disabled = off; }", disabled)
    page.locator(f"#box-{name} .cover .warn").nth(1).evaluate("mark => { mark.className = 'last'; }")
    assert_over(page, name, "warn", *places[0])
    assert_over(page, name, "last", *places[1])
    # To the end of the text, and in a box of another width.
    field(page, name).evaluate("field => field.scrollTo(0, field.scrollHeight)")
    page.locator(f"#box-{name}").evaluate("box => { box.style.width = '233.7px'; }")
    page.evaluate("() => new Promise((next) => requestAnimationFrame(() => setTimeout(next)))")
    assert field(page, name).evaluate("field => field.scrollTop") > 100
    assert_over(page, name, "warn", *places[0])
    assert_over(page, name, "last", *places[1])


@in_a_browser
def test_marks_come_with_their_text_go_with_it_and_follow_what_is_typed(page: Page) -> None:
    put(page, marks=json.dumps(drafted(signals=("plan",))))
    put(page, title=TITLE, description=POST, L1=L1, answer=ANSWER)
    expect(page.locator("#box-answer .cover .block")).to_have_text(["你这是得了抑郁症"])
    expect(page.locator("#box-L1 .cover .misquoted")).to_have_text(["“谁都不帮我”"])
    notes = page.locator("#notes li")
    expect(notes.locator(".must")).to_have_count(3)
    expect(notes.nth(0)).to_contain_text(ZH("lint_diagnosis"))
    there = page.locator("#box-answer").screenshot()
    page.locator("#box-answer .cover").evaluate("cover => { cover.style.visibility = 'hidden'; }")
    assert page.locator("#box-answer").screenshot() != there, "marks are seen, also over an opaque box"
    # Typed before the promise: it moves; inside of it: it goes, the note stays but faint.
    answer = field(page, "answer")
    answer.evaluate("field => { field.focus(); field.setSelectionRange(2, 2); }")
    page.keyboard.insert_text("您好，")
    assert marked(page, "answer", "warn") == ["一定会好起来"]
    assert_over(page, "answer", "warn", ANSWER.index("一定") + 1 + 3, ANSWER.index("一定") + 7 + 3)
    height = page.locator("#notes").bounding_box()
    place = ANSWER.index("一定") + 1 + 3
    answer.evaluate("(field, place) => field.setSelectionRange(place + 2, place + 6)", place)
    page.keyboard.insert_text("不只一个人")
    assert marked(page, "answer", "warn") == []
    assert marked(page, "answer", "block") == ["你这是得了抑郁症"]
    expect(page.locator("#notes li.stale")).to_contain_text(ZH("lint_promise"))
    assert page.locator("#notes").bounding_box() == height, "nothing jumps under a person who types"
    # Looked at again while the person typed on: what still stands is marked in its new place.
    text = answer.input_value()
    answer.evaluate("(field, end) => field.setSelectionRange(end, end)", len(text) + 1)
    page.keyboard.insert_text("再说。")
    put(page, marks=json.dumps(drafted(answer=text)))
    expect(page.locator("#notes li")).to_have_count(1)
    assert marked(page, "answer", "block") == ["你这是得了抑郁症"]
    # Another draft in the boxes: nothing of this one.
    put(page, L1="另一份", answer="另一封回信。")
    expect(page.locator(".cover mark")).to_have_count(0)
    expect(page.locator("#notes li")).to_have_count(0)
    expect(page.locator("#notes")).to_be_hidden()


@in_a_browser
def test_the_claim_at_the_caret_or_under_the_mouse_lights_its_words_and_says_so(page: Page) -> None:
    post = "说不清的一段。\n" * 12 + POST
    title = "😀搬去了陌生城市，从头开始找房子找工作，也没有认识的人"
    texts = {"title": title, "description": post, "L1": L1, "L2": "没有认识的人。", "answer": ""}
    put(page, **texts, marks=draft_marks(ZH, title, post, texts))
    expect(page.locator("#box-L1 .cover .unsupported")).not_to_have_count(0)
    assert marked(page, "description", "evidence") == []
    line = page.get_by_role("status")
    tall = page.locator("#evidence").bounding_box()
    layer = field(page, "L1")
    layer.focus()
    layer.evaluate("field => field.setSelectionRange(3, 3)")
    expect(line).to_have_text(ZH("evidence_found", quotes="“连着三周夜班”"))
    assert marked(page, "description", "evidence") == ["连着三周夜班"]
    assert field(page, "description").evaluate("field => field.scrollTop") > 0
    page.evaluate("() => new Promise((next) => requestAnimationFrame(() => setTimeout(next)))")
    start = post.index("连着三周夜班")
    assert_over(page, "description", "evidence", start, start + 6)
    field(page, "L2").focus()
    expect(line).to_have_text(ZH("evidence_found", quotes="“没有认识的人”"))
    field(page, "title").evaluate("field => { field.scrollLeft = 60; }")
    page.evaluate("() => new Promise((next) => requestAnimationFrame(() => setTimeout(next)))")
    length = len(title) + 1
    assert_over(page, "title", "evidence", length - 6, length)
    layer.evaluate("field => { field.focus(); field.setSelectionRange(3, 3); }")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(line).to_have_text(ZH("evidence_none"))
    assert marked(page, "description", "evidence") == []
    assert page.locator("#evidence").bounding_box() == tall
    layer.blur()
    expect(line).to_have_text("")
    # A box that cannot be edited has no caret.
    layer.evaluate("field => { field.disabled = true; }")
    (spot, *_), _ = page.evaluate(MEASURE, ["L1", 2, 6])
    page.mouse.move(spot[0] + 4, spot[1] + 4)
    expect(line).to_have_text(ZH("evidence_found", quotes="“连着三周夜班”"))
    page.mouse.move(5, 5)
    expect(line).to_have_text("")


@in_a_browser
def test_a_note_leads_to_its_words_and_only_what_does_not_block_can_be_put_away(page: Page) -> None:
    answer = "开头几句平常的话。\n" * 12 + ANSWER + '<img src=x onerror="window.__xss=1">一定会好起来'
    texts = {"title": TITLE, "description": POST, "answer": answer}
    put(page, **texts, marks=draft_marks(ZH, TITLE, POST, texts, ("plan",)))
    promise = page.locator("#notes li", has_text=ZH("lint_promise"))
    promise.get_by_role("button", name="一定会好起来").first.click()
    box = field(page, "answer")
    expect(box).to_be_focused()
    chosen = box.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert chosen == "一定会好起来"
    assert box.evaluate("field => field.scrollTop") > 0
    assert page.locator("#notes li.block").get_by_role("button", name=ZH("notes_drop")).count() == 0
    expect(page.locator("#notes li.block .must")).to_have_count(3)
    promise.get_by_role("button", name=re.compile(ZH("notes_drop"))).click()
    expect(promise).to_have_count(0)
    assert "一定会好起来" not in marked(page, "answer", "warn")
    # Still away after the next look at the same post, back for another one.
    put(page, answer=answer + "好。", marks=draft_marks(ZH, TITLE, POST, {**texts, "answer": answer + "好。"}))
    expect(page.locator("#notes li.block")).to_have_count(1)
    expect(promise).to_have_count(0)
    put(page, description="另一封来信。", marks=draft_marks(ZH, TITLE, "另一封来信。", {"answer": answer + "好。"}))
    expect(promise).not_to_have_count(0)
    assert page.evaluate("window.__xss") is None


@in_a_browser
def test_reasons_of_a_score_stand_below_and_pale_when_the_answer_is_typed_in(page: Page) -> None:
    answer = "".join(SENTENCES)
    put(page, answer=answer, reasons=reason_marks(ZH, answer, REASONS))
    expect(page.locator("#notes ul.reasons li")).to_have_count(5)
    assert marked(page, "answer", "raises") == ["😀先听着。"]
    assert_over(page, "answer", "lowers", 6, 11)
    field(page, "answer").press("End")
    page.keyboard.insert_text("还有。")
    assert marked(page, "answer", "raises") == []
    expect(page.locator("#notes li.stale")).to_have_count(5)
