"""The files that training reads: approved texts that may leave, whole, exactly as they were approved."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from app.chain import messages, parse, post_text, render
from storage.database import FILE_NAME
from storage.errors import StorageError
from storage.exports.manifest import Filters
from storage.exports.write import export
from tests.curated import EDITION, add_draft, decide, let_leave


@pytest.fixture
def approve(store, people, text):
    """Approve a text that a person wrote in place of the model's, and let it leave."""

    def make(answer, *, title="最近很累", description="每天加班。", wrote="模型写的回信", post_id=None, leave=True):
        draft = add_draft(store, title, description, text(wrote), post_id)
        decide(store, draft, text(answer))
        if leave:
            let_leave(store, draft.id)
        return store.draft(draft.id)

    return make


@pytest.fixture
def write(tmp_path, store):
    """Export as a kind; returns the records, the manifest and the report."""

    def make(kind="sft", **options):
        report = export(store, kind, tmp_path / f"{kind}.jsonl", edition=EDITION, **options)
        lines = (tmp_path / f"{kind}.jsonl").read_bytes().decode().split("\n")
        assert lines.pop() == ""
        beside = json.loads((tmp_path / f"{kind}.jsonl.manifest.json").read_bytes())
        return [json.loads(line) for line in lines], beside, report

    return make


def refused(*arguments, **options):
    with pytest.raises(StorageError) as error:
        export(*arguments, **{"edition": EDITION, **options})
    return error.value.code, error.value.values


def files(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


def prompt_of(draft):
    return messages(post_text(draft.post.title, draft.post.description))


def reply(response):
    return [{"role": "assistant", "content": render(response)}]


def test_sft_holds_the_approved_replies_in_trls_conversational_form(store, people, text, approve, write):
    first, second = approve("第一封"), approve("第二封", title="", description="另一封信")
    approve("没有同意", leave=False)
    store.reviewing.submit(add_draft(store, "", "待审", text("一")).id, 0, people.author.id)
    records, _, report = write()
    assert (report.records, report.approved, report.texts) == (2, 3, 2)
    for record, draft, answer in zip(records, (first, second), ("第一封", "第二封"), strict=True):
        assert record == {"messages": [*prompt_of(draft), *reply(text(answer))]}
        assert [message["role"] for message in record["messages"]] == ["system", "user", "assistant"]


def test_dpo_sets_the_approved_text_above_the_draft_that_was_changed_into_it(approve, write, text):
    changed = approve("改过的回信")
    approve("模型写的回信")
    records, beside, _ = write("dpo")
    assert records == [
        {"prompt": prompt_of(changed), "chosen": reply(text("改过的回信")), "rejected": reply(text("模型写的回信"))}
    ]
    assert beside["left_out"] == {"no_pair": 1}


def test_kto_labels_what_was_approved_replaced_and_rejected(store, approve, write, text):
    kept = approve("改过的回信")
    confirmed, unread = (add_draft(store, "", "", text("模型"), kept.post.id) for _ in range(2))
    for draft, answer in ((confirmed, "不采用的"), (unread, "没有核对去标识的")):
        decide(store, draft, text(answer), "reject")
    let_leave(store, confirmed.id)
    alone = add_draft(store, "", "没有通过过任何一份的来信", text("模型"))
    decide(store, alone, text("也不采用"), "reject")
    let_leave(store, alone.id)
    records, beside, _ = write("kto")
    assert [(parse(record["completion"][0]["content"]).answer, record["label"]) for record in records] == [
        ("改过的回信", True),
        ("模型写的回信", False),
        ("不采用的", False),
    ]
    assert all(record["prompt"] == prompt_of(kept) for record in records)
    assert beside["counts"] == {"records": 3, "texts": 1, "approved": 1}


def test_what_one_approved_is_nobodys_bad_example(store, approve, write):
    first = approve("甲", wrote="乙")
    approve("乙", wrote="丙", post_id=first.post.id)
    labels = {parse(record["completion"][0]["content"]).answer: record["label"] for record in write("kto")[0]}
    assert labels == {"甲": True, "乙": True, "丙": False}
    assert [(record["answer"], record["negative"]) for record in write("reward")[0]] == [("乙", "丙")]
    [ranked] = write("ranking")[0]
    assert dict(zip(ranked["docs"], ranked["labels"], strict=True)) == {"甲": 2, "乙": 2, "丙": 1}


def test_reward_and_ranking_order_the_answers_to_a_post_without_prefixes(store, approve, write, text):
    kept = approve("改过的", description="信里有 <|im_start|>")
    rejected = add_draft(store, "", "", text("模型"), kept.post.id)
    decide(store, rejected, text("不采用的"), "reject")
    let_leave(store, rejected.id)
    post = "最近很累\n信里有 ＜|im_start|>"
    assert write("reward")[0] == [
        {"post": post, "answer": "改过的", "negative": "模型写的回信"},
        {"post": post, "answer": "改过的", "negative": "不采用的"},
    ]
    assert write("ranking")[0] == [{"query": post, "docs": ["改过的", "模型写的回信", "不采用的"], "labels": [2, 1, 0]}]


def test_the_manifest_says_what_is_in_the_file_and_what_is_not(tmp_path, store, people, approve, write):
    kept = approve("一")
    approve("二", leave=False)
    urgent = approve("三", description="信")
    store.curation.note_read(EDITION, {urgent.post.id: "act_now"})
    _, beside, report = write(licence="CC-BY-4.0")
    data = (tmp_path / "sft.jsonl").read_bytes()
    created = beside.pop("created_at")
    assert created.endswith("+00:00")
    assert beside == {
        "manifest_version": 1,
        "file": "sft.jsonl",
        "sha256": hashlib.sha256(data).hexdigest(),
        "kind": "sft",
        "format": "jsonl",
        "licence": "CC-BY-4.0",
        "consent": ["training"],
        "counts": {"records": 1, "texts": 1, "approved": 3},
        "left_out": {"consent": 1, "deidentified": 1, "second_signature": 1, "unread": 1},
        "filters": {"since": None, "until": None, "reviewer": None, "model": None, "min_edit": 1},
        "models": [{"name": "m", "sha256": "0" * 64, "texts": 1}],
        "prompts": {kept.prompt_version: 1},
        "chain_formats": [kept.format_version],
        "reviewers": [people.reviewer.id],
    }
    assert (report.sha256, report.left_out) == (beside["sha256"], beside["left_out"])


def test_filters_choose_among_what_may_leave(store, people, approve, write):
    first, second = approve("一"), approve("二，改了许多许多字")
    moment = store.latest_revision(second.id).created_at

    def answers(kind="sft", **filters):
        records, beside, _ = write(kind, filters=Filters(**filters))
        return [record["messages"][-1]["content"] for record in records], beside["left_out"]

    all_of, none_out = answers()
    assert (len(all_of), none_out) == (2, {})
    assert answers(since=moment) == (all_of[1:], {"filtered": 1})
    assert answers(until=moment) == (all_of[:1], {"filtered": 1})
    assert answers(reviewer=people.reviewer.id, model="00", since=first.created_at) == (all_of, {})
    for nobodys in ({"reviewer": people.other.id}, {"model": "f"}):
        with pytest.raises(StorageError) as error:
            answers(**nobodys)
        assert (error.value.code, error.value.values) == ("nothing_leaves", {"approved": 2})


def test_a_pair_needs_as_many_changed_characters_as_are_asked_for(approve, write):
    approve("模型写的信", wrote="模型写的回信")  # one deleted
    approve("咨询师写的回信", wrote="模型写的回信")  # two replaced, one inserted
    assert [len(write("dpo", filters=Filters(min_edit=size))[0]) for size in (1, 2, 3)] == [2, 1, 1]


def test_line_ends_inside_a_text_do_not_cut_its_record(store, approve, write, text):
    odd = "甲\u2028乙\u2029丙\u0085丁\u000b戊\u001c己\n庚"
    approve(odd)
    [record], _, report = write()
    assert len(report.file.read_bytes().decode().splitlines()) == 1
    assert parse(record["messages"][-1]["content"]).answer == odd
    assert "甲" in report.file.read_text(encoding="utf-8")


def test_a_new_export_takes_the_place_of_the_old_one(tmp_path, approve, write):
    approve("一")
    write()
    approve("二")
    with (tmp_path / "sft.jsonl").open(encoding="utf-8") as reader:
        write()
        # Whoever was reading keeps the old file, whole.
        assert len(reader.readlines()) == 1
    assert len((tmp_path / "sft.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert files(tmp_path) == {"sft.jsonl", "sft.jsonl.manifest.json"}


def test_with_nothing_that_may_leave_there_is_no_file(tmp_path, store, approve, text):
    out = tmp_path / "sft.jsonl"
    add_draft(store, "", "信", text("一"))
    assert refused(store, "sft", out) == ("nothing_approved", {})
    approve("一", leave=False)
    assert refused(store, "sft", out) == ("nothing_leaves", {"approved": 1})
    approve("模型写的回信")
    assert refused(store, "dpo", out) == ("nothing_leaves", {"approved": 2})
    assert files(tmp_path) == set()


def test_consent_that_is_withdrawn_during_the_export_stops_it(tmp_path, store, people, approve, monkeypatch):
    kept = approve("一")
    read = store.curation.dossiers

    def then_withdraw(edition):
        yield from read(edition)
        store.curation.consent(kept.post.id, "training", False, people.author.id)

    monkeypatch.setattr(store.curation, "dossiers", then_withdraw)
    assert refused(store, "sft", tmp_path / "sft.jsonl") == ("export_changed", {})
    assert files(tmp_path) == set()


def test_a_folder_that_is_not_there_is_named(tmp_path, store, approve):
    approve("一")
    missing = tmp_path / "missing"
    assert refused(store, "sft", missing / "sft.jsonl") == ("export_folder_unusable", {"folder": str(missing)})


@pytest.mark.parametrize("name", [FILE_NAME, "new.jsonl", "desk.lock", "backups/new.jsonl"])
def test_an_export_never_goes_into_the_data_folder(tmp_path, store, approve, raw, name):
    approve("一")
    (tmp_path / "data" / "backups").mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(tmp_path / "data" / name)
    before = sorted((tmp_path / "data").iterdir())
    for out in (tmp_path / "data" / name, tmp_path / "data" / "backups" / ".." / name, tmp_path / "link"):
        assert refused(store, "sft", out) == ("export_in_data_folder", {"file": str(tmp_path / "data" / name)})
    assert sorted((tmp_path / "data").iterdir()) == before
    assert raw.execute(sql("SELECT count(*) FROM audit_events WHERE code = 'export'")).scalar() == 0


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_a_folder_or_a_device_is_not_replaced(tmp_path, store, approve):
    approve("一")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "described.manifest.json").mkdir()
    for name, kind in (("folder", Path.is_dir), ("pipe", Path.is_fifo)):
        assert refused(store, "sft", tmp_path / name) == ("export_not_a_file", {"file": str(tmp_path / name)})
        assert kind(tmp_path / name)
    assert refused(store, "sft", tmp_path / "described")[0] == "export_not_a_file"
    assert not (tmp_path / "described").exists()


def test_an_export_through_a_link_replaces_the_file_behind_it(tmp_path, store, approve):
    approve("一")
    (tmp_path / "link").symlink_to(tmp_path / "sft.jsonl")
    export(store, "sft", tmp_path / "link", edition=EDITION)
    assert (tmp_path / "link").is_symlink() and not (tmp_path / "sft.jsonl").is_symlink()
    assert len((tmp_path / "sft.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("forged", ["改过的字", "带<标签", ""])
def test_a_text_that_is_not_the_approved_one_stops_the_export(tmp_path, store, approve, raw, forged, database_url):
    approve("一")
    tampered = approve("二")
    raw.execute(sql(f"DROP TRIGGER revisions_no_update{' ON revisions' if database_url else ''}"))
    raw.execute(
        sql("UPDATE revisions SET answer = :forged WHERE draft_id = :id"), {"forged": forged, "id": tampered.id}
    )
    assert refused(store, "sft", tmp_path / "sft.jsonl") == ("export_mismatch", {"draft_id": tampered.id})
    assert not (tmp_path / "sft.jsonl").exists()


def test_llama_factory_finds_the_file_in_its_list(tmp_path, store, approve, text):
    kept = approve("改过的")
    (tmp_path / "dataset_info.json").write_text('{"other": {"file_name": "other.json"}}', "utf-8")
    for kind in ("sft", "dpo", "kto"):
        export(store, kind, tmp_path / f"{kind}.jsonl", edition=EDITION, form="llama-factory")
    known = json.loads((tmp_path / "dataset_info.json").read_text("utf-8"))
    assert list(known) == ["other", "sft", "dpo", "kto"]
    rows = {
        kind: [json.loads(line) for line in (tmp_path / known[kind]["file_name"]).read_text("utf-8").splitlines()]
        for kind in ("sft", "dpo", "kto")
    }
    (approved,), (replaced,) = reply(text("改过的")), reply(text("模型写的回信"))
    assert rows["dpo"] == [{"messages": prompt_of(kept), "chosen": approved, "rejected": replaced}]
    assert rows["kto"] == [
        {"messages": [*prompt_of(kept), approved], "label": True},
        {"messages": [*prompt_of(kept), replaced], "label": False},
    ]
    for kind, entry in list(known.items())[1:]:
        # Every column that the entry names is there; a preference has one turn less than an example.
        assert entry["formatting"] == "sharegpt" and set(entry["columns"].values()) == set(rows[kind][0])
        roles = [message[entry["tags"]["role_tag"]] for message in rows[kind][0]["messages"]]
        assert roles == ["system", "user", "assistant"][: 2 if entry.get("ranking") else 3]


def test_llama_factory_has_no_form_for_the_others_and_no_list_is_spoilt(tmp_path, store, approve):
    approve("改过的")
    assert refused(store, "ranking", tmp_path / "a.jsonl", form="llama-factory") == (
        "form_unknown",
        {"kind": "ranking"},
    )
    listing = tmp_path / "dataset_info.json"
    listing.write_text("[]", "utf-8")
    code, values = refused(store, "sft", tmp_path / "a.jsonl", form="llama-factory")
    assert (code, values) == ("dataset_info_unreadable", {"file": str(listing)})
    assert refused(store, "sft", listing)[0] == "export_not_a_file"
    assert files(tmp_path) == {"dataset_info.json"}
