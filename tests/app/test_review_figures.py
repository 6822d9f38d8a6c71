"""Agreement and progress of reviewers, counted by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from app.review_figures import agreement, figures, progress
from storage.records import Assessment
from storage.review_figures import Finding
from storage.store import Store
from tests.drafts import start_draft

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def finding(text, reviewer, decision="approve", hours=1.0, **said):
    verdicts = {"L1": said["L1"]} if "L1" in said else {}
    ratings = {"fluency": said["fluency"]} if "fluency" in said else {}
    return Finding(text, reviewer, decision, verdicts, ratings, MONDAY, MONDAY + timedelta(hours=hours))


def of(question, found):
    (row,) = [row for row in agreement(found) if row.question == question]
    return row


def test_alpha_of_decisions_by_hand():
    # Four texts, two reviewers: they agree on three. Coincidences: o(a,a)=4, o(r,r)=2, o(a,r)=o(r,a)=1, n=8;
    # n(a)=5, n(r)=3. D_o = 2/8; D_e = 2*5*3/(8*7); alpha = 1 - (2/8)/(30/56) = 0.5333.
    pairs = [("approve", "approve"), ("approve", "approve"), ("return", "return"), ("approve", "return")]
    found = [finding(text, name, pair[i]) for text, pair in enumerate(pairs) for i, name in enumerate("甲乙")]
    row = of("decision", found)
    assert row.alpha == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert (row.texts, row.judgements) == (4, 8)


def test_alpha_of_ratings_weighs_how_far_they_are_apart():
    # Two texts: (1, 2) and (4, 4). D_o = 2*1/4; D_e over all ordered pairs of 1, 2, 4, 4: 2*(1+9+9+4+4+0)/12.
    found = [finding(0, "甲", fluency=1), finding(0, "乙", fluency=2), finding(1, "甲", fluency=4)]
    found.append(finding(1, "乙", fluency=4))
    assert of("fluency", found).alpha == pytest.approx(1 - (2 / 4) / (54 / 12))
    near = of("fluency", found).alpha
    far = of("fluency", [*found[:1], finding(0, "乙", fluency=4), *found[2:]]).alpha
    assert far < near


def test_where_nothing_can_be_told_there_is_no_alpha():
    alone = [finding(text, "甲", L1="keep") for text in range(5)]
    assert (of("L1", alone).alpha, of("L1", alone).texts) == (None, 0)
    unanimous = [finding(text, name, L1="keep") for text in range(3) for name in "甲乙"]
    assert (of("L1", unanimous).alpha, of("L1", unanimous).texts) == (None, 3)


def test_progress_by_reviewer():
    rows = progress([finding(0, "甲", hours=1), finding(1, "甲", "return", hours=3), finding(0, "乙", hours=8)])
    assert [(row.reviewer, row.reviews, row.waited_hours) for row in rows] == [("甲", 2, 2.0), ("乙", 1, 8.0)]
    assert rows[0].decisions == {"approve": 1, "return": 1}


def test_figures_count_the_reviews_that_stand_by_submission(tmp_path):
    with closing(Store.open(tmp_path / "data", reviewers=2)) as store:
        _two_reviewers_who_always_differ(store)


def _two_reviewers_who_always_differ(store):
    author, first, second = (store.person(name) for name in ("作者", "甲", "乙"))
    post = store.add_post("", "信", author.id)
    parts = {"L1": "一", "L2": "二", "L3": "三", "L4": "四", "answer": "回信"}
    for wrong in (first, second):
        draft = store.finish_draft(start_draft(store, post.id, author.id).id, "done", parts)
        store.reviewing.submit(draft.id, 0, author.id)
        sha256 = store.latest_revision(draft.id).text_sha256
        for person in (first, second):
            said = Assessment(verdicts={"L1": "wrong" if person is wrong else "keep"})
            store.reviewing.decide(draft.id, 1, sha256, person.id, "approve", "", said)
    found = figures(store, MONDAY - timedelta(days=5000))
    (row,) = [row for row in found.agreement if row.question == "L1"]
    # Always the other one: D_o = 1, D_e = 2*2*2/(4*3).
    assert (row.texts, row.alpha) == (2, pytest.approx(1 - 1 / (8 / 12)))
    assert [row.reviews for row in found.progress] == [2, 2]
    assert figures(store, datetime.now(UTC) + timedelta(days=1)).progress == []
