"""The data page: what keeps an approved text from leaving, said and met by people; and the end of a case."""

from __future__ import annotations

from playwright.sync_api import expect

from app import reviewing
from app.chain import Response
from app.curating import candidates
from app.engine.scripted import PARTS
from storage.store import Store
from tests.app.web.visits import ZH, box, needs_chromium
from tests.drafts import start_draft

pytestmark = needs_chromium
PATIENCE_MS = 20_000


def approved(store: Store, post: str) -> int:
    """A draft of one person that another has approved."""
    author, reviewer = store.person("林医生"), store.person("陈督导")
    draft = start_draft(store, store.add_post("夜班", post, author.id).id, author.id)
    store.finish_draft(draft.id, "done", PARTS)
    store.save_revision(draft.id, 0, author.id, Response(**{**PARTS, "answer": "想过不再活下去吗？请拨打 12356。"}))
    reviewing.submit(store, draft.id, 1, author.id)
    text = reviewing.item(store, draft.id).text
    reviewing.decide(store, draft.id, 1, text.text_sha256, reviewer.id, "approve", "")
    return draft.id


def test_a_text_may_leave_once_every_condition_is_met_and_a_case_can_end(desk_of, visit_to) -> None:
    desk = desk_of()
    draft = approved(desk.store, "我想过死，药已经攒够了，就在今晚。")
    page = visit_to(desk.url).open("/zh/data/", "王主任")
    status, line = page.locator("#status"), page.locator("#queue label")
    expect(line).to_contain_text(ZH("data_lacks_consent"), timeout=PATIENCE_MS)
    expect(line).to_contain_text(ZH("data_lacks_deidentified"))
    expect(line).to_contain_text(ZH("data_lacks_second_signature"))
    expect(box(page, "description")).to_have_value("夜班\n我想过死，药已经攒够了，就在今晚。")
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [1366, 768]
    page.locator("#consent label").first.click()
    expect(line).not_to_contain_text(ZH("data_lacks_consent"), timeout=PATIENCE_MS)
    page.locator("#confirm").click()
    expect(line).not_to_contain_text(ZH("data_lacks_deidentified"), timeout=PATIENCE_MS)
    page.locator("#sign").click()
    expect(line).to_contain_text(ZH("data_free"), timeout=PATIENCE_MS)
    (one,) = candidates(desk.store)
    assert (one.draft_id, one.missing) == (draft, ())
    # Consent can be withdrawn, and the case be held and ended.
    page.locator("#consent label").nth(1).click()
    expect(line).to_contain_text(ZH("data_lacks_consent"), timeout=PATIENCE_MS)
    page.locator("#case > button").click()
    box(page, "hold").fill("投诉处理中")
    page.locator("#hold").click()
    expect(box(page, "held")).to_have_value(ZH("data_held", reason="投诉处理中"), timeout=PATIENCE_MS)
    page.locator("#erase-sure input").check()
    page.locator("#erase").click()
    expect(status.locator(".alarm")).to_be_visible(timeout=PATIENCE_MS)
    assert candidates(desk.store)
    box(page, "hold").fill("已结案")
    page.locator("#release-hold").click()
    expect(status).to_have_text(ZH("data_done"), timeout=PATIENCE_MS)
    page.locator("#erase-sure input").check()
    page.locator("#erase").click()
    expect(status).to_contain_text(ZH("data_erased", number=1), timeout=PATIENCE_MS)
    expect(page.locator("#queue-note")).to_have_text(ZH("data_none"))
    assert candidates(desk.store) == []


def test_whoever_wrote_it_does_not_sign_for_it(desk_of, visit_to) -> None:
    desk = desk_of()
    approved(desk.store, "我想过死，药已经攒够了，就在今晚。")
    page = visit_to(desk.url).open("/zh/data/", "林医生")
    page.locator("#sign").click(timeout=PATIENCE_MS)
    expect(page.locator("#status .alarm")).to_be_visible(timeout=PATIENCE_MS)
    assert "second_signature" in candidates(desk.store)[0].missing
