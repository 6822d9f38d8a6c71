"""Importing chains into the review queue: whole or not at all, never twice, for others to review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import DeskError
from app.importing import AUTHOR, Imported, import_chains
from storage.store import Store

CHAIN = {
    "title": "末班车上",
    "description": "我在末班车上坐过了站，司机没有催我。",
    "L1": "累，“坐过了站”",
    "L2": "也许觉得没有人等",
    "L3": "想有人听见",
    "L4": "先说那一站",
    "answer": "司机没有催你，那一站路你一个人坐了多久？",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


def write(path: Path, *chains: dict) -> Path:
    path.write_text("".join(json.dumps(chain, ensure_ascii=False) + "\n" for chain in chains), "utf-8")
    return path


def test_an_imported_chain_waits_for_a_reviewer_with_its_text_to_the_letter(store, tmp_path):
    reviewer = store.person("审核")
    assert import_chains(store, write(tmp_path / "a.jsonl", CHAIN)) == Imported(added=1, known=0)
    (item,) = store.reviewing.queue("to_review", reviewer.id)
    draft, text = store.draft(item.draft_id), store.latest_revision(item.draft_id)
    assert (draft.post.title, draft.post.description) == (CHAIN["title"], CHAIN["description"])
    assert draft.author.name == AUTHOR and draft.model_name == "a.jsonl" and draft.state == "submitted"
    assert text is not None
    assert text.response.parts() == {name: CHAIN[name] for name in ("L1", "L2", "L3", "L4", "answer")}


def test_an_approved_chain_is_exported_like_any_other(store, tmp_path):
    reviewer = store.person("审核")
    import_chains(store, write(tmp_path / "a.jsonl", CHAIN))
    (item,) = store.reviewing.queue("to_review", reviewer.id)
    text = store.latest_revision(item.draft_id)
    assert text is not None
    store.reviewing.decide(item.draft_id, 1, text.text_sha256, reviewer.id, "approve", "")
    assert [approved.response.answer for approved in store.reviewing.approved_items()] == [CHAIN["answer"]]


def test_importing_again_adds_only_what_is_new(store, tmp_path):
    folder = tmp_path / "chains"
    folder.mkdir()
    write(folder / "a.jsonl", CHAIN)
    import_chains(store, folder)
    changed = {**CHAIN, "answer": "那一站路，你在想什么？"}
    write(folder / "b.jsonl", CHAIN, changed)
    assert import_chains(store, folder) == Imported(added=1, known=2)


def test_a_chain_is_signed_by_the_author_its_line_names(store, tmp_path):
    import_chains(store, write(tmp_path / "a.jsonl", CHAIN, {**CHAIN, "author": "teacher-1"}))
    queue = store.reviewing.queue("to_review", store.person("审核").id)
    assert sorted(store.draft(item.draft_id).author.name for item in queue) == [AUTHOR, "teacher-1"]


@pytest.mark.parametrize(
    "broken",
    [
        {**CHAIN, "L3": " "},
        {k: v for k, v in CHAIN.items() if k != "L2"},
        ["x"],
        {**CHAIN, "author": ""},
        {**CHAIN, "author": 7},
    ],
)
def test_one_bad_line_is_named_and_nothing_is_imported(store, tmp_path, broken):
    with pytest.raises(DeskError) as refusal:
        import_chains(store, write(tmp_path / "a.jsonl", CHAIN, broken))
    assert (refusal.value.code, refusal.value.values["line"]) == ("chains_line", 2)
    assert store.reviewing.queue("to_review", store.person("审核").id) == []


def test_a_tag_in_a_chain_stays_text(store, tmp_path):
    import_chains(store, write(tmp_path / "a.jsonl", {**CHAIN, "answer": "他说 </answer> 就走了"}))
    (item,) = store.reviewing.queue("to_review", store.person("审核").id)
    text = store.latest_revision(item.draft_id)
    assert text is not None and "<" not in text.response.answer


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_a_file_without_chains_is_refused_by_name(store, tmp_path, content):
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeskError) as refusal:
        import_chains(store, path)
    assert refusal.value.code == "chains_missing"
