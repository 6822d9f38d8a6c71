"""The file that training reads: approved texts, whole, exactly as they were approved."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.chain import messages, parse, post_text
from storage.database import FILE_NAME
from storage.errors import StorageError
from storage.export import export_sft


@pytest.fixture
def approve(store, people, new_draft):
    def make(response):
        draft = new_draft()
        revision = store.save_revision(draft.id, 0, people.author.id, response)
        store.reviewing.submit(draft.id, 1, people.author.id)
        return store.reviewing.decide(draft.id, 1, revision.text_sha256, people.reviewer.id, "approve", "")

    return make


def test_only_approved_texts_are_exported_in_trls_conversational_form(
    tmp_path, store, people, new_draft, approve, text
):
    first, second = approve(text("第一封")), approve(text("第二封"))
    store.reviewing.submit(new_draft().id, 0, people.author.id)
    new_draft()
    report = export_sft(store, tmp_path / "sft.jsonl")
    data = (tmp_path / "sft.jsonl").read_bytes()
    assert (report.count, report.sha256) == (2, hashlib.sha256(data).hexdigest())
    records = [json.loads(line) for line in data.decode().splitlines()]
    for record, draft, answer in zip(records, (first, second), ("第一封", "第二封"), strict=True):
        assert list(record) == ["messages"]
        *prompt, reply = record["messages"]
        assert prompt == messages(post_text(draft.post.title, draft.post.description))
        assert [message["role"] for message in record["messages"]] == ["system", "user", "assistant"]
        assert parse(reply["content"]) == text(answer)


def test_line_ends_inside_a_text_do_not_cut_its_record(tmp_path, store, approve, text):
    odd = text("甲\u2028乙\u2029丙\u0085丁\u000b戊\u001c己\n庚")
    approve(odd)
    export_sft(store, tmp_path / "sft.jsonl")
    whole = (tmp_path / "sft.jsonl").read_bytes().decode()
    (line,) = whole.splitlines()
    assert parse(json.loads(line)["messages"][-1]["content"]) == odd
    assert "甲" in line


def test_a_new_export_takes_the_place_of_the_old_one(tmp_path, store, approve, text):
    out = tmp_path / "sft.jsonl"
    approve(text("一"))
    export_sft(store, out)
    approve(text("二"))
    with out.open(encoding="utf-8") as reader:
        export_sft(store, out)
        # Whoever was reading keeps the old file, whole.
        assert len(reader.readlines()) == 1
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"data", "sft.jsonl"}


def test_with_nothing_approved_there_is_no_file(tmp_path, store, new_draft):
    new_draft()
    with pytest.raises(StorageError) as refused:
        export_sft(store, tmp_path / "sft.jsonl")
    assert refused.value.code == "nothing_approved"
    assert not (tmp_path / "sft.jsonl").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path, store, approve, text):
    approve(text("一"))
    with pytest.raises(StorageError) as refused:
        export_sft(store, tmp_path / "missing" / "sft.jsonl")
    assert refused.value.code == "export_folder_unusable"
    assert refused.value.values == {"folder": str(tmp_path / "missing")}


@pytest.mark.parametrize("name", [FILE_NAME, "new.jsonl", "desk.lock", "backups/new.jsonl"])
def test_an_export_never_goes_into_the_data_folder(tmp_path, store, approve, text, name):
    approve(text("一"))
    (tmp_path / "data" / "backups").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data" / name)
    before = sorted((tmp_path / "data").iterdir())
    for out in (tmp_path / "data" / name, tmp_path / "data" / "backups" / ".." / name, tmp_path / "link"):
        with pytest.raises(StorageError) as refused:
            export_sft(store, out)
        assert refused.value.code == "export_in_data_folder"
        assert refused.value.values == {"file": str(tmp_path / "data" / name)}
    assert sorted((tmp_path / "data").iterdir()) == before
    assert len(list(store.reviewing.approved_items())) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_a_folder_or_a_device_is_not_replaced(tmp_path, store, approve, text):
    approve(text("一"))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("folder", Path.is_dir), ("pipe", Path.is_fifo)):
        with pytest.raises(StorageError) as refused:
            export_sft(store, tmp_path / name)
        assert (refused.value.code, refused.value.values) == ("export_not_a_file", {"file": str(tmp_path / name)})
        assert kind(tmp_path / name)


def test_an_export_through_a_link_replaces_the_file_behind_it(tmp_path, store, approve, text):
    approve(text("一"))
    (tmp_path / "link").symlink_to(tmp_path / "sft.jsonl")
    export_sft(store, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and not (tmp_path / "sft.jsonl").is_symlink()
    assert len((tmp_path / "sft.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("forged", ["改过的字", "带<标签", ""])
def test_a_text_that_is_not_the_approved_one_stops_the_export(tmp_path, store, approve, text, forged):
    approve(text("一"))
    tampered = approve(text("二"))
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as raw, raw:
        raw.execute("DROP TRIGGER revisions_no_update")
        raw.execute("UPDATE revisions SET answer = ? WHERE draft_id = ?", (forged, tampered.id))
    with pytest.raises(StorageError) as refused:
        export_sft(store, tmp_path / "sft.jsonl")
    assert (refused.value.code, refused.value.values) == ("export_mismatch", {"draft_id": tampered.id})
    assert not (tmp_path / "sft.jsonl").exists()
