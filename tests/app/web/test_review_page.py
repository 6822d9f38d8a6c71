"""What a reviewer sees beside the texts: marks, signals, and why a text was handed on against the lint."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from app import reviewing
from app.chain import Response
from app.engine.scripted import PARTS
from app.web.words import WORDS
from storage.store import Store
from tests.app.web.visits import ZH, box, needs_chromium
from tests.drafts import start_draft

pytestmark = needs_chromium
EN = WORDS["en"]
POST = "我住在城东的出租屋，夜里常常睡不着。有时想，要是睡着了就不用再醒来就好了。" + "婆婆总是说我矫情。" * 60
LETTER = Response(**{**PARTS, "L1": "她夜里常常睡不着。她讨厌下雨天。", "answer": "你这是抑郁症。先不急着做决定。"})
NAME = "<b>王敏</b> **王**"
REASON = '引的是医生的原话<img src=x onerror="window.__xss=1">\n\n**已与督导** 商量 [a](javascript:1) $&'


def hand_on(store: Store, title: str, response: Response, reason: str = "", post: str = POST) -> int:
    """A draft of NAME's, edited and submitted."""
    author = store.person(NAME)
    draft = start_draft(store, store.add_post(title, post, author.id).id, author.id)
    store.finish_draft(draft.id, "done", PARTS)
    store.save_revision(draft.id, 0, author.id, response)
    reviewing.submit(store, draft.id, 1, author.id, reason)
    return draft.id


def places(page: Page) -> list[dict[str, float]]:
    """Where things stand that no other draft should move."""
    kept = "#columns, #queue-pane, #post-pane, #chain-pane, #answer-pane, #box-reason, #approve, #return, #reject"
    return [part.bounding_box() for part in page.locator(kept).all()]


def test_a_reviewer_reads_why_a_text_was_let_stand_to_the_letter(desk_of, visit_to) -> None:
    desk = desk_of()
    first = hand_on(desk.store, "夜班", LETTER, REASON)
    hand_on(desk.store, "", Response(**{**PARTS, "answer": "好"}), post="夜班，不想再加班了。")
    page = visit_to(desk.url).open("/zh/review/", "李婷")
    said = page.locator("#let-stand")
    expect(box(page, "let-stand")).to_have_value(REASON, timeout=20_000)
    expect(said).to_contain_text(f"第 1 版　{ZH('today', time='')}"[:-1])
    expect(said).to_contain_text(NAME[:9])
    expect(said.locator("li").first).to_have_text(ZH("lint_diagnosis"))
    expect(page.locator("#notes")).to_contain_text(ZH("lint_diagnosis"))
    expect(page.locator("#signals")).to_contain_text(ZH("signals_assess_first"))
    expect(page.locator("#quotes")).to_contain_text("睡着了就不用再醒")
    assert page.evaluate("window.__xss") is None
    # One screen, and the decision stays where it is whatever the next draft brings.
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [1366, 768]
    before = places(page)
    page.locator("#queue label").nth(1).click()
    expect(box(page, "answer")).to_have_value("好", timeout=20_000)
    expect(said).to_be_hidden()
    expect(page.locator("#notes .notes")).to_be_hidden()
    expect(page.locator("#signals")).to_contain_text(ZH("signals_none"))
    assert places(page) == before
    # Returned, mended and handed on again: what was said of the old text is no matter of the new one.
    page.locator("#queue label").nth(0).click()
    expect(page.locator("#number")).to_contain_text(f"#{first}", timeout=20_000)
    box(page, "reason").fill("请改掉诊断")
    page.locator("#return").click()
    expect(page.locator("#status")).to_contain_text(ZH("decided_return", id=first), timeout=20_000)
    mended = Response(**{**LETTER.parts(), "answer": "你想过不再活下去吗？请拨打 12356。"})
    desk.store.save_revision(first, 1, desk.store.person(NAME).id, mended)
    reviewing.submit(desk.store, first, 2, desk.store.person(NAME).id)
    page.locator("#refresh").click()
    page.locator("#queue label", has_text=f"#{first}").click()
    expect(box(page, "answer")).to_have_value(mended.answer, timeout=20_000)
    expect(said).to_be_hidden()


def test_marks_are_met_by_keys_and_nothing_can_be_typed(desk_of, visit_to) -> None:
    desk = desk_of()
    hand_on(desk.store, "夜班", LETTER, REASON)
    page = visit_to(desk.url).open("/en/review/", "李婷")
    expect(box(page, "L1")).to_have_value(LETTER.parts()["L1"], timeout=20_000)
    expect(box(page, "L1")).to_be_enabled()
    # From sentence to sentence, each lights up its words in the post.
    page.keyboard.press("Alt+1")
    expect(box(page, "L1")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#evidence")).to_contain_text("夜里常常睡不着")
    expect(page.locator("#box-description .evidence")).to_have_text("夜里常常睡不着")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#evidence")).to_have_text(EN("evidence_none"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#evidence")).to_contain_text("夜里常常睡不着")
    # A note leads to its words.
    page.locator("#notes .quote").first.click()
    expect(box(page, "answer")).to_be_focused()
    page.keyboard.type("字")
    expect(box(page, "answer")).to_have_value(LETTER.answer)
    # A long post is scrolled by keys.
    box(page, "description").focus()
    page.keyboard.press("Control+End")
    assert box(page, "description").evaluate("part => part.scrollTop") > 0


def test_a_reason_that_is_too_long_is_answered_in_a_sentence(desk_of, visit_to) -> None:
    desk = desk_of()
    draft = hand_on(desk.store, "夜班", LETTER, REASON)
    page = visit_to(desk.url).open("/zh/review/", "李婷")
    expect(page.locator("#return")).to_be_enabled(timeout=20_000)
    box(page, "reason").evaluate("part => part.removeAttribute('maxlength')")
    box(page, "reason").fill("因" * 2001)
    page.locator("#return").click()
    sentence = ZH.errors["text_too_long"].format(section=ZH("reason"), chars=2001, limit=2000)
    expect(page.locator("#status .alarm")).to_have_text(sentence, timeout=20_000)
    assert desk.store.draft(draft).state == "submitted"


def test_what_a_reviewer_says_is_kept_over_a_reload_and_reaches_the_author(desk_of, visit_to) -> None:
    desk = desk_of()
    draft = hand_on(desk.store, "夜班", LETTER, REASON)
    hand_on(desk.store, "", Response(**{**PARTS, "answer": "好"}), post="夜班，不想再加班了。")
    visit = visit_to(desk.url)
    page = visit.open("/zh/review/", "李婷")
    expect(page.locator("#number")).to_contain_text(f"#{draft} ", timeout=20_000)
    expect(page.locator("#approve")).to_be_enabled()
    page.locator("#verdict-L4 label", has_text=ZH("verdict_change")).click()
    page.locator("#rating-comforting label").nth(1).click()
    page.locator("#reason-codes label").nth(2).click()
    # Words that are selected are what the comment is on.
    box(page, "answer").evaluate("part => { part.focus(); part.setSelectionRange(0, 7); }")
    page.keyboard.press("c")
    expect(page.locator("#comments-view q")).to_have_text("你这是抑郁症。")
    page.keyboard.type("不下诊断")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#comments-view li")).to_contain_text("不下诊断")
    box(page, "reason").fill("先接住情绪")
    page.locator("#queue label").nth(1).click()
    expect(page.locator("#number")).not_to_contain_text(f"#{draft} ", timeout=20_000)
    page.locator("#queue label").nth(0).click()
    expect(box(page, "reason")).to_have_value("先接住情绪", timeout=20_000)
    expect(page.locator("#verdict-L4 input:checked")).to_have_value("change")
    expect(page.locator("#comments-view li")).to_contain_text("不下诊断")
    # One key, where nothing is typed; ten seconds to think again.
    page.locator("#number").click()
    page.keyboard.press("r")
    expect(page.locator("#status")).to_contain_text(ZH("decided_return", id=draft), timeout=20_000)
    page.keyboard.press("u")
    expect(page.locator("#status")).to_contain_text(ZH("undone", id=draft), timeout=20_000)
    expect(page.locator("#number")).to_contain_text(f"#{draft} ")
    assert desk.store.draft(draft).state == "submitted"
    said = desk.store.reviewing.reasons()[2].label
    box(page, "reason").fill("先接住情绪")
    page.locator("#verdict-L4 label", has_text=ZH("verdict_change")).click()
    page.locator("#reason-codes label").nth(2).click()
    page.locator("#return").click()
    expect(page.locator("#status")).to_contain_text(ZH("decided_return", id=draft), timeout=20_000)
    (review,) = desk.store.reviewing.reviews(draft)
    assert review.assessment.verdicts == {"L4": "change"}
    author = visit_to(desk.url).open(f"/zh/draft/?draft={draft}", NAME)
    expect(box(author, "reason")).to_have_value(f"先接住情绪\n{said}\nL4 回应策略：需改", timeout=20_000)


def test_while_one_reviews_another_is_told_and_given_the_next(desk_of, visit_to) -> None:
    desk = desk_of()
    first = hand_on(desk.store, "夜班", LETTER, REASON)
    second = hand_on(desk.store, "", Response(**{**PARTS, "answer": "好"}), post="不想再加班了。")
    page = visit_to(desk.url).open("/zh/review/", "李婷")
    expect(page.locator("#number")).to_contain_text(f"#{first} ", timeout=20_000)
    other = visit_to(desk.url).open("/zh/review/", "王强")
    expect(other.locator("#number")).to_contain_text(f"#{second} ", timeout=20_000)
    other.locator("#queue label").nth(0).click()
    expect(other.locator("#status")).to_contain_text(ZH.errors["claimed"].format(minutes=15)[:12], timeout=20_000)
    expect(other.locator("#approve")).to_be_disabled()
    # R without a reason decides nothing: it asks for one.
    page.locator("#number").click()
    page.keyboard.press("r")
    expect(box(page, "reason")).to_be_focused()
    assert desk.store.draft(first).state == "submitted"
