"""Curation as people do it: posts are read for danger before anything leaves, and refusals become sentences."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

import pytest

from app import curating
from app.chain import Response
from app.errors import DeskError
from app.web.words import WORDS
from storage.curation_records import Missing
from storage.store import Store
from tests.app.test_cli import desk, refused
from tests.curated import AUTHOR, REVIEWER, SECOND, add_draft, decide

CALM, URGENT = "每天加班到很晚。", "我想好了，今晚就去死。"


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


def text(answer):
    return Response("累", "怕让人失望", "想被听见", "先接住疲惫", answer)


@pytest.fixture
def approved(store):
    """Approved texts on a calm and on an urgent post: draft id, version, sha256."""

    def make(description):
        draft = add_draft(store, "", description, text("模型写的"))
        return draft, (draft.id, 1, decide(store, draft, text("改过的")))

    return [make(CALM), make(URGENT)]


def test_posts_are_read_for_danger_before_they_can_leave(store, approved):
    found = {candidate.draft_id: candidate for candidate in curating.candidates(store)}
    (calm, _), (urgent, _) = approved
    assert (found[calm.id].urgency, found[urgent.id].urgency) == (None, "act_now")
    assert found[calm.id].missing == ("consent", "deidentified")
    assert found[urgent.id].missing == ("consent", "deidentified", "second_signature")
    assert curating.read_posts(store) == 0


def test_from_consent_to_a_file_and_to_the_end_of_a_case(store, tmp_path, approved):
    author, second = store.person(AUTHOR).id, store.person(SECOND).id
    (calm, calm_text), (urgent, urgent_text) = approved
    out = tmp_path / "sft.jsonl"
    for draft, words in approved:
        curating.grant(store, draft.post.id, "training", author)
        curating.confirm(store, *words, author)
    assert curating.export(store, "sft", out).left_out == {"second_signature": 1}
    curating.sign(store, *urgent_text, second)
    assert curating.export(store, "sft", out).records == 2
    curating.withdraw(store, calm.post.id, "training", author)
    assert curating.export(store, "sft", out).left_out == {"consent": 1}
    curating.hold(store, urgent.post.id, " 投诉 ", author)
    assert [hold.reason for hold in curating.holds(store, urgent.post.id)] == ["投诉"]
    with pytest.raises(DeskError) as error:
        curating.erase(store, urgent.post.id, "asked", author)
    assert error.value.code == "case_held"
    curating.release(store, urgent.post.id, "已结束", author)
    assert curating.erase(store, urgent.post.id, "asked", author).exports == 2
    with pytest.raises(DeskError) as error:
        curating.export(store, "sft", out)
    assert (error.value.code, error.value.values) == ("nothing_leaves", {"approved": 1})


def test_due_counts_in_months_of_the_calendar():
    def before(year, month, day, months):
        return curating.months_before(datetime(year, month, day, 9, tzinfo=UTC), months).date().isoformat()

    assert before(2026, 11, 22, 6) == "2026-05-22"
    assert before(2026, 1, 15, 1) == "2025-12-15"
    assert before(2024, 3, 31, 1) == "2024-02-29"
    assert before(2026, 11, 22, 36) == "2023-11-22"


def test_due_names_cases_of_which_a_person_decides(store, approved):
    assert curating.due(store, 36, datetime.now(UTC)) == []
    found = curating.due(store, 36, datetime.now(UTC).replace(year=datetime.now(UTC).year + 4))
    assert [case.post.description for case in found] == [CALM, URGENT]


@pytest.mark.parametrize("words", WORDS.values(), ids=list(WORDS))
def test_every_reason_to_stay_has_words(words):
    assert len({words(f"missing_{reason}") for reason in (*get_args(Missing), "filtered", "no_pair")}) == 6


def test_the_command_exports_and_says_what_stays(store, tmp_path, approved):
    author = store.person(AUTHOR).id
    (calm, calm_text), _ = approved
    curating.grant(store, calm.post.id, "training", author)
    curating.confirm(store, *calm_text, author)
    common = (
        "--data-dir",
        str(tmp_path / "data"),
        "--language",
        "en",
        "export",
        "dpo",
        "--out",
        str(tmp_path / "a.jsonl"),
    )
    result = desk(*common, "--licence", "CC0-1.0", "--reviewer", REVIEWER, "--since", "2020-01-01", "--min-edit", "2")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no second person has signed" in result.stderr
    assert json.loads((tmp_path / "a.jsonl.manifest.json").read_text("utf-8"))["licence"] == "CC0-1.0"
    assert "--reviewer" in refused(desk(*common, "--reviewer", "nobody"))
