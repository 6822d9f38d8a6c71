"""Candidates, layers and answers written anew, earlier versions: in a real browser, over a real database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playwright.sync_api import Page, expect

from app.chain import Piece
from app.chain.steer import AIMS, STEERS
from app.engine.protocol import Event, Sampling, Script
from app.engine.scripted import PARTS, Gate, ScriptedEngine
from app.errors import DeskError
from tests.app.web.visits import ZH, box, done, needs_chromium, write_draft

pytestmark = needs_chromium


def candidate(page: Page, number: int):
    return page.locator("#candidates label", has_text=f"{number} ·")


def test_candidates_are_ranked_and_each_can_be_looked_at_and_taken_from(desk_of, visit_to) -> None:
    desk = desk_of(candidates=3)
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    scores = [desk.store.draft(number).score.cosine for number in (1, 2, 3)]
    best_first = sorted((1, 2, 3), key=lambda number: -scores[number - 1])
    shown = page.locator("#candidates label").all_inner_texts()
    assert [int(line.split(" ")[0]) for line in shown] == best_first
    candidate(page, 3).click()
    expect(page.locator("#number")).to_contain_text("#3", timeout=20_000)
    expect(box(page, "answer")).to_have_value("（3）" + PARTS["answer"])
    # A layer of the second beside the answer of the third, kept like anything that was typed.
    page.locator("#source-L2 label", has_text="2").click()
    expect(box(page, "L2")).to_have_value("（2）" + PARTS["L2"], timeout=20_000)
    expect(page.locator("#stamp .saved")).to_contain_text("第 1 版", timeout=20_000)
    expect(page.locator(".layer", has_text="L2").locator(".mark")).to_have_text(ZH("layer_edited"))
    page.locator("#source-L2 label", has_text="3").click()
    expect(page.locator("#stamp .saved")).to_contain_text("第 2 版", timeout=20_000)
    saved = [text.response for text in desk.store.revisions(3)]
    assert [text.parts()["L2"] for text in saved] == ["（2）" + PARTS["L2"], "（3）" + PARTS["L2"]]
    assert {text.answer for text in saved} == {"（3）" + PARTS["answer"]}


def test_an_edited_layer_is_kept_and_what_follows_is_written_anew(desk_of, visit_to) -> None:
    desk = desk_of()
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    box(page, "L2").fill("她也许怕停下来就被丢下。")
    page.locator("#onward-L3").click()
    expect(page.locator("#number")).to_contain_text("#2", timeout=20_000)
    done(page)
    expect(box(page, "L2")).to_have_value("她也许怕停下来就被丢下。")
    expect(page.locator(".layer", has_text="L2").locator(".mark")).to_have_text(ZH("layer_edited"))
    redraft = desk.store.draft(2)
    assert (redraft.origin.parent_id, redraft.origin.from_section, redraft.origin.edited) == (1, "L3", ("L2",))
    # The first draft has the edit as its own version; it was saved before anything else happened.
    assert desk.store.latest_revision(1).response.parts()["L2"] == "她也许怕停下来就被丢下。"
    box(page, "L4").fill("只听，不给办法。")
    page.locator("#alone-L3").click()
    expect(page.locator("#number")).to_contain_text("#3", timeout=20_000)
    done(page)
    expect(box(page, "L4")).to_have_value("只听，不给办法。")
    assert desk.store.draft(3).origin.only


def test_one_click_steers_the_answer_and_an_aim_takes_the_place_of_the_intent(desk_of, visit_to) -> None:
    desk = desk_of()
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    page.locator("#steer-warmer").click()
    expect(page.locator("#number")).to_contain_text("#2", timeout=20_000)
    done(page)
    expect(box(page, "L4")).to_have_value(f"{PARTS['L4']}\n{STEERS['warmer']['zh']}")
    page.locator("#aim label", has_text=ZH("aim_listen")).click()
    expect(page.locator("#number")).to_contain_text("#3", timeout=20_000)
    done(page)
    expect(box(page, "L3")).to_have_value(AIMS["listen"]["zh"])
    assert desk.store.draft(3).origin.aim == "listen"
    # Given back to the model, the intent is written anew.
    page.locator("#aim label", has_text=ZH("aim_by_the_model")).click()
    expect(page.locator("#number")).to_contain_text("#4", timeout=20_000)
    done(page)
    expect(box(page, "L3")).to_have_value(PARTS["L3"])


def test_an_aim_chosen_before_the_draft_is_kept_for_it(desk_of, visit_to) -> None:
    page = visit_to(desk_of().url).open("/zh/draft/", "王敏")
    page.locator("#aim label", has_text=ZH("aim_advise")).click()
    write_draft(page)
    done(page)
    expect(box(page, "L3")).to_have_value(AIMS["advise"]["zh"])


def test_an_earlier_version_comes_back_as_the_newest(desk_of, visit_to) -> None:
    desk = desk_of()
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    for version, text in enumerate(("第一稿。", "第二稿。"), start=1):
        box(page, "answer").fill(text)
        expect(page.locator("#stamp .saved")).to_contain_text(f"第 {version} 版", timeout=20_000)
    page.locator("#past").click()
    expect(page.locator("#versions label")).to_have_count(3, timeout=20_000)
    page.locator("#versions label", has_text="第 1 版").click()
    expect(box(page, "answer")).to_have_value("第一稿。", timeout=20_000)
    expect(page.locator("#stamp .saved")).to_contain_text("第 3 版", timeout=20_000)
    expect(page.locator("#versions")).to_be_hidden()
    page.locator("#past").click()
    page.locator("#versions label", has_text=ZH("version_of_model")).click()
    expect(page.locator("#stamp .saved")).to_contain_text("第 4 版", timeout=20_000)
    kept = [text.response.answer for text in desk.store.revisions(1)]
    assert kept == ["第一稿。", "第二稿。", "第一稿。", PARTS["answer"]]


class Short(ScriptedEngine):
    """Reads posts of at most so many characters."""

    limit = 60

    def generate(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        chars = sum(len(piece.text) for piece in prompt if not piece.special)
        if chars > self.limit:
            raise DeskError("post_too_long", tokens=chars, limit=self.limit)
        yield from super().generate(prompt, script, samplings)


def test_a_post_too_long_for_the_model_is_drafted_from_a_part_and_its_signals_stand(desk_of, visit_to) -> None:
    desk = desk_of(engine=Short(candidates=1))
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    post = "第一段说的是夜班和孩子，说了很久，谁都不听。" * 3 + "\n" + "离婚以后我常想，要是睡着了就不用再醒来就好了。"
    write_draft(page, post, "")
    parts = page.locator("#parts label")
    expect(parts).to_have_count(2, timeout=20_000)
    expect(page.locator("#status")).to_contain_text(str(Short.limit))
    assert box(page, "description").input_value() == post
    parts.last.click()
    expect(page.locator("#number")).to_contain_text("#2", timeout=20_000)
    done(page)
    draft = desk.store.draft(2)
    assert draft.post == desk.store.draft(1).post
    assert 0 < draft.origin.part_start and draft.origin.read(post) == post[draft.origin.part_start :]
    expect(page.locator("#number")).to_contain_text(ZH("draft_part", first=draft.origin.part_start + 1, last=len(post)))
    page.locator("#onward-L4").click()
    expect(page.locator("#number")).to_contain_text("#3", timeout=20_000)
    done(page)
    assert desk.store.draft(3).origin.part_start == draft.origin.part_start
    page.locator("#new").click()
    write_draft(page, post, "")
    expect(parts).to_have_count(2, timeout=20_000)
    parts.first.click()
    expect(page.locator("#number")).to_contain_text("#5", timeout=20_000)
    done(page)
    expect(page.locator("#signals")).to_contain_text(ZH("signals_assess_first"))


def test_what_names_a_person_is_replaced_before_anything_is_drafted(desk_of, visit_to) -> None:
    desk = desk_of()
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    box(page, "description").fill("我叫王小明，连着三周夜班，同事也叫我王小明。")
    page.locator("#masking button").first.click(timeout=20_000)
    page.locator("#masking-replace").click()
    expect(box(page, "description")).to_have_value("我叫[姓名1]，连着三周夜班，同事也叫我[姓名1]。", timeout=20_000)
    page.locator("#start").click()
    done(page)
    page.locator("#originals-show").get_by_role("checkbox").check()
    expect(page.locator("#originals-text textarea")).to_have_value("[姓名1] 王小明")
    assert b"\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e" not in b"".join(
        file.read_bytes() for file in desk.data_dir.iterdir() if file.is_file()
    )
    page.locator("#new").click()
    expect(page.locator("#originals")).to_be_hidden(timeout=20_000)


def test_what_must_be_mended_holds_the_submission_until_a_reason_is_written(desk_of, visit_to) -> None:
    desk = desk_of({"answer": "读到你说的夜班，我想你累了很久。你这是抑郁症，要不要先和家人说一说？"})
    page = visit_to(desk.url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    expect(page.locator("#notes li.block")).to_contain_text(ZH("lint_diagnosis"))
    page.locator("#submit").click()
    expect(page.locator("#status .alarm")).to_have_text(ZH.error(DeskError("lint_stands", count=1)), timeout=20_000)
    assert desk.store.draft(1).state == "open"
    box(page, "override").fill("来信人转述的是医生的诊断。")
    page.locator("#submit").click()
    expect(page.locator("#status")).to_have_text(ZH("submitted"), timeout=20_000)
    (kept,) = desk.store.history.overrides(1)
    assert (kept.rules, kept.reason, kept.person.name) == (("diagnosis",), "来信人转述的是医生的诊断。", "王敏")


def test_a_score_is_explained_when_asked_and_the_reasons_go_when_the_answer_changes(desk_of, visit_to) -> None:
    page = visit_to(desk_of().url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    page.locator("#why").click()
    expect(page.locator("#notes")).to_contain_text(ZH("reason_about"), timeout=20_000)
    box(page, "answer").fill("改过的回信。")
    expect(page.locator("#notes")).not_to_contain_text(ZH("reason_about"), timeout=20_000)


def test_signals_are_shown_when_somebody_pauses_over_a_pasted_post(desk_of, visit_to) -> None:
    hold = Gate()
    page = visit_to(desk_of(hold=hold).url).open("/zh/draft/")
    box(page, "description").fill("离婚以后我常想，要是睡着了就不用再醒来就好了。")
    expect(page.locator("#signals")).to_contain_text(ZH("signals_assess_first"), timeout=20_000)
    expect(page.locator("#number")).to_have_text("")


def test_the_keys_go_between_layers_and_candidates_and_are_listed(desk_of, visit_to) -> None:
    page = visit_to(desk_of(candidates=2).url).open("/zh/draft/", "王敏")
    write_draft(page)
    done(page)
    page.keyboard.press("Alt+3")
    expect(box(page, "L3")).to_be_focused()
    page.keyboard.press("Alt+0")
    expect(box(page, "answer")).to_be_focused()
    first = page.locator("#number").inner_text()
    page.keyboard.press("Alt+ArrowDown" if page.locator("#candidates input").first.is_checked() else "Alt+ArrowUp")
    expect(page.locator("#number")).not_to_have_text(first, timeout=20_000)
    page.keyboard.press("F1")
    expect(page.locator("#key-sheet")).to_contain_text(ZH("key_save"))
    page.keyboard.press("Escape")
    expect(page.locator("#key-sheet")).to_be_hidden()
