"""Drafts and revisions: what is kept, what is refused, and that a refusal keeps the text too."""

from __future__ import annotations

import threading

import pytest

from app.chain import FORMAT_VERSION, PROMPT_VERSION, SECTIONS, Response
from storage.errors import StorageError
from storage.records import Origin, Revision, StoredScore
from tests.drafts import start_draft

SCORE = StoredScore(0.61, True, 0.4, "f" * 64)


def test_a_draft_comes_back_as_it_was_made(store, people, text):
    post = store.add_post("题", "信\n第二行", people.author.id)
    (started,) = store.start_drafts(
        post.id,
        people.author.id,
        model_name="tiny",
        model_sha256="a" * 64,
        samplings=[{"temperature": 0.7, "seed": 3}],
    )
    assert (started.status, started.version, started.sections, started.response) == ("running", 0, {}, None)
    finished = store.finish_draft(
        started.id, "done", text("好").parts(), timings={"decode_tokens": 9, "decode_s": 0.5}, score=SCORE
    )
    assert store.draft(started.id) == finished
    assert finished.response == text("好")
    assert finished.score == SCORE
    assert finished.timings == {"decode_tokens": 9, "decode_s": 0.5}
    assert finished.post == post
    assert (finished.prompt_version, finished.format_version) == (PROMPT_VERSION, FORMAT_VERSION)
    assert finished.finished_at is not None and finished.finished_at >= started.created_at


def test_the_candidates_of_a_request_share_its_origin_and_what_was_kept(store, people, new_draft):
    parent = new_draft()
    origin = Origin(parent.id, "L3", steer=None, edited=("L1",))
    drafts = store.start_drafts(
        parent.post.id,
        people.other.id,
        model_name="tiny",
        model_sha256="a" * 64,
        samplings=[{"seed": 5, "top_k": 40}, {"seed": 6, "top_k": 40}],
        origin=origin,
        kept={"L1": "改过", "L2": "怕让人失望"},
    )
    assert store.candidates(drafts[1].id) == drafts
    assert [(draft.candidate, draft.seed, draft.sampling["seed"]) for draft in drafts] == [(1, 5, 5), (2, 6, 6)]
    assert all(draft.origin == origin and draft.request_id == drafts[0].request_id for draft in drafts)
    assert all(draft.sections == {"L1": "改过", "L2": "怕让人失望"} for draft in drafts)
    store.save_progress({drafts[0].id: {"L3": "甲"}, drafts[1].id: {"L3": "乙"}})
    assert [draft.sections["L3"] for draft in store.candidates(drafts[0].id)] == ["甲", "乙"]
    assert store.candidates(parent.id) == [parent] and parent.origin == Origin()


def test_a_name_is_one_person(store):
    assert store.person("小林") == store.person("小林") != store.person("小陈")
    first = store.person("Li Wei")
    assert store.person("li wei") == store.person("LI WEI") == first
    assert first.name == "Li Wei"


def test_the_page_finds_its_latest_draft(store, people, new_draft):
    assert store.latest_draft_of(people.author.id) is None
    first, second = new_draft(), new_draft()
    assert store.latest_draft_of(people.author.id) == second
    assert store.recent_drafts(people.author.id) == [second, first]
    assert store.recent_drafts(people.reviewer.id) == []


def test_a_request_is_listed_once_by_the_candidate_somebody_worked_on_else_by_the_best(store, people):
    post = store.add_post("", "信", people.author.id)
    ids = [
        [
            draft.id
            for draft in store.start_drafts(
                post.id, people.author.id, model_name="m", model_sha256="0" * 64, samplings=[{"seed": 1}, {"seed": 2}]
            )
        ]
        for _ in range(2)
    ]
    whole = {section: "文" for section in SECTIONS}
    for one, cosine in zip(ids[0] + ids[1], (0.1, 0.9, 0.8, 0.2), strict=True):
        store.finish_draft(one, "done", whole, score=StoredScore(cosine, True, 50.0, "0" * 64))
    assert [draft.id for draft in store.recent_drafts(people.author.id)] == [ids[1][0], ids[0][1]]
    store.save_revision(ids[1][1], 0, people.author.id, Response(**whole))
    assert [draft.id for draft in store.recent_drafts(people.author.id)] == [ids[1][1], ids[0][1]]
    assert [draft.id for draft in store.recent_drafts(people.author.id, limit=1)] == [ids[1][1]]


def test_progress_of_a_draft_that_was_running_survives_as_interrupted(open_store):
    store = open_store()
    author = store.person("作者")
    post = store.add_post("", "信", author.id)
    draft = start_draft(store, post.id, author.id)
    store.save_progress({draft.id: {"L1": "写了一半"}})
    assert open_store(beside_desk=True).draft(draft.id).status == "running"
    store.close()
    kept = open_store().draft(draft.id)
    assert (kept.status, kept.sections, kept.response) == ("interrupted", {"L1": "写了一半"}, None)


def test_late_progress_does_not_reopen_a_finished_draft(store, new_draft):
    draft = new_draft()
    store.save_progress({draft.id: {"answer": "迟到的字"}})
    assert store.draft(draft.id) == draft


def test_revisions_count_up_and_the_same_text_makes_none(store, people, new_draft, text):
    draft = new_draft()
    first = store.save_revision(draft.id, 0, people.author.id, text("一"), SCORE)
    again = store.save_revision(draft.id, 1, people.author.id, text("一"))
    # The acknowledgement was lost, and the page sends the same save once more.
    resent = store.save_revision(draft.id, 0, people.author.id, text("一"))
    second = store.save_revision(draft.id, 1, people.other.id, text("二"))
    assert first == again == resent
    assert store.revisions(draft.id) == [first, second]
    assert [revision.version for revision in store.revisions(draft.id)] == [1, 2]
    assert store.latest_revision(draft.id) == second
    assert store.draft(draft.id).version == 2
    assert store.draft(draft.id).response == text("模型写的回信")
    assert store.stale_saves(draft.id) == []
    assert first.score == SCORE


def test_a_stale_save_is_refused_and_both_texts_are_kept(store, people, new_draft, text):
    draft = new_draft()
    store.save_revision(draft.id, 0, people.author.id, text("先到"))
    for _ in range(2):  # the page tries again: the text is kept once
        with pytest.raises(StorageError) as refused:
            store.save_revision(draft.id, 0, people.other.id, text("后到"))
    assert (refused.value.code, refused.value.values) == ("stale_revision", {"base": 0, "latest": 1})
    assert [revision.response for revision in store.revisions(draft.id)] == [text("先到")]
    (stale,) = store.stale_saves(draft.id)
    assert (stale.response, stale.person, stale.base_version) == (text("后到"), people.other, 0)


def test_a_checklist_is_remembered_for_its_post_and_who_went_through_it(open_store, store, people):
    posts = [store.add_post("", f"信 {number}", people.author.id) for number in (1, 2)]
    for person in (people.author, people.author, people.other):  # a page that lost the answer asks twice
        store.release(posts[0].id, person.id)
    again = open_store()
    assert [again.released(post.id) for post in posts] == [True, False]
    with again._database.read() as connection:
        noted = connection.exec_driver_sql("SELECT code, post_id, person_id FROM audit_events").fetchall()
    assert noted == [("checklist_done", posts[0].id, person.id) for person in (people.author, people.other)]


def test_two_people_race_and_no_text_is_lost(open_store, store, people, new_draft, text):
    draft = new_draft()
    stores = [store, open_store(beside_desk=True)]
    outcomes: list[Revision | StorageError] = []

    def save(which: int, base: int, gate: threading.Barrier) -> None:
        person = (people.author, people.other)[which]
        gate.wait()
        try:
            outcomes.append(stores[which].save_revision(draft.id, base, person.id, text(f"{base} 由 {which}")))
        except StorageError as error:
            outcomes.append(error)

    for base in range(10):
        gate = threading.Barrier(2)
        threads = [threading.Thread(target=save, args=(which, base, gate)) for which in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    refused = [outcome for outcome in outcomes if isinstance(outcome, StorageError)]
    assert [error.code for error in refused] == ["stale_revision"] * 10
    assert [revision.version for revision in store.revisions(draft.id)] == list(range(1, 11))
    kept = {item.response.answer for item in [*store.revisions(draft.id), *store.stale_saves(draft.id)]}
    assert kept == {f"{base} 由 {which}" for base in range(10) for which in (0, 1)}


@pytest.mark.parametrize("bad", ["有\0字符", "有\ud800字符", "\udfff"])
def test_text_that_cannot_be_stored_is_refused_by_name(store, people, new_draft, text, bad):
    draft = new_draft()
    attempts = [
        lambda: store.person(bad),
        lambda: store.add_post("题", bad, people.author.id),
        lambda: store.save_progress({draft.id: {"L1": bad}}),
        lambda: store.finish_draft(draft.id, "done", {"answer": bad}),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError) as refused:
            attempt()
        assert refused.value.code == "text_not_storable"
    assert store.draft(draft.id) == draft


def test_a_revision_with_nul_or_surrogate_is_refused_and_nothing_changes(store, people, new_draft, text):
    draft = new_draft()
    for bad in ("有\0字符", "有\ud800字符"):
        with pytest.raises(StorageError) as refused:
            store.save_revision(draft.id, 0, people.author.id, text(bad))
        assert refused.value.code == "text_not_storable"
    assert store.draft(draft.id) == draft
    assert store.revisions(draft.id) == []


def test_every_character_that_may_be_stored_comes_back(store, people, new_draft, text):
    draft = new_draft()
    odd = "👩‍👩‍👧 \u2028\u0085\u000b 𠮷 e\u0301 '\"; DROP TABLE people;-- %_\\"
    store.save_revision(draft.id, 0, people.author.id, text(f"甲{odd}乙"))
    revision = store.latest_revision(draft.id)
    assert revision is not None
    assert revision.response == text(f"甲{odd}乙")
    assert set(revision.response.parts()) == set(SECTIONS)


@pytest.mark.parametrize("draft_id", [404, 0, -1, 2**63 - 1, 2**63, 10**30, -(10**30)])
def test_an_unknown_draft_has_a_name_for_it(store, people, text, draft_id):
    for attempt in (
        lambda: store.draft(draft_id),
        lambda: store.latest_revision(draft_id),
        lambda: store.save_revision(draft_id, 0, people.author.id, text("一")),
        lambda: store.reviewing.submit(draft_id, 0, people.author.id),
        lambda: store.reviewing.decide(draft_id, 1, "0" * 64, people.reviewer.id, "approve", ""),
    ):
        with pytest.raises(StorageError) as unknown:
            attempt()
        assert (unknown.value.code, unknown.value.values) == ("draft_unknown", {"draft_id": draft_id})
