"""From sets to a corpus: what stands in it, and that a killed build goes on as if it had not been."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

import pytest

from tests.synthetic import ADVICE, POSTS, post, turns, write_sets, written
from training.data.build import DataError, build, read_corpus, sets_in
from training.data.records import SPLITS, Record, split_of
from training.data.sources import SOURCES
from training.data.topics import taxonomy

TRAIN, VALID, TEST = "group-0", "group-8", "group-2"
"""Groups whose names put them there."""


def answer(number: int) -> str:
    return "".join(written(ADVICE, f"answer {number}", 8))


def own(path: Path, *values: dict | str) -> Path:
    lines = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def value(number: int, **more: str) -> dict[str, str]:
    return {"description": post(number), "response": answer(number), "group": f"g{number}", **more}


def quietly(sets: dict[str, Path], out: Path) -> dict:
    return build(sets, out, lambda line: None)


def written_by(out: Path) -> dict[str, bytes]:
    """All a build leaves but its measurements of time and memory."""
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*.jsonl"))}


def all_records(out: Path) -> list[Record]:
    return [record for split in SPLITS for record in read_corpus(out, split)]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path, dict]:
    """The synthetic sets, their corpus and its summary."""
    folder = write_sets(tmp_path_factory.mktemp("sets"))
    out = tmp_path_factory.mktemp("corpus")
    return folder, out, quietly(sets_in(folder), out)


def test_every_post_of_the_sets_is_one_record_with_all_its_fields_and_answers(built):
    _, out, summary = built
    records = all_records(out)
    # Two dialogues a post in the one set, one dialogue in the other.
    assert len(records) == sum(POSTS.values()) + 1
    assert summary["responses_kept"] == summary["responses_pooled"] == 2 * sum(POSTS.values()) + 1
    for record in records:
        assert all(getattr(record, field.name) for field in fields(Record))
        assert record.subtopic in taxonomy()[record.topic].subtopics
        assert record.licence == SOURCES[record.source].licence
        assert len(record.responses) == (2 if record.source == "smilechat" else 1)


def test_the_splits_are_those_of_the_groups_and_the_summary_counts_them(built):
    _, out, summary = built
    by_split = {split: list(read_corpus(out, split)) for split in SPLITS}
    assert all(split_of(record.group) == split for split, records in by_split.items() for record in records)
    assert summary["splits"] == {split: len(records) for split, records in by_split.items()}
    assert all(len(by_split[split]) >= POSTS[split] for split in SPLITS)
    assert summary["leakage"]["groups_in_two_splits"] == 0
    assert json.loads((out / "corpus.json").read_text("utf-8")) == summary


def test_the_same_sets_give_the_same_bytes(built, tmp_path):
    folder, out, _ = built
    quietly(sets_in(folder), tmp_path)
    assert written_by(tmp_path) == written_by(out)


def test_a_build_cut_anywhere_ends_as_one_that_was_never_cut(tmp_path):
    values = [value(number) for number in range(3)]
    path = own(tmp_path / "own.jsonl", values[0], "not json", values[1], {"description": "短"}, *values[2:])
    out, work = tmp_path / "corpus", tmp_path / "corpus" / "work" / "own.jsonl"
    quietly({"own": path}, out)
    whole, held = written_by(out), work.read_bytes()
    ends = [at + 1 for at, byte in enumerate(held) if byte == ord("\n")]
    places = {*range(0, ends[0], 40), *range(ends[0], len(held), 601)}
    for place in sorted(places | {end + step for end in ends for step in (-1, 0, 1) if end + step <= len(held)}):
        work.write_bytes(held[:place])
        said: list[str] = []
        summary = build({"own": path}, out, said.append)
        assert written_by(out) == whole, place
        items = sum(end <= place for end in ends[1:])
        assert summary["sets"]["own"]["resumed_after"] == items, place
        assert (f"own: going on after {items} items" in said) == (items > 0)


def test_another_or_a_changed_set_is_read_anew_even_if_it_kept_its_size(tmp_path):
    quietly({"own": own(tmp_path / "other.jsonl", value(2))}, tmp_path / "corpus")
    path = own(tmp_path / "own.jsonl", value(1))
    quietly({"own": path}, tmp_path / "corpus")
    assert [record.description for record in all_records(tmp_path / "corpus")] == [post(1)]
    changed = post(1).replace("我", "她")
    before = path.stat()
    own(path, value(1, description=changed))
    # As a later save of it, however coarse the clock of the file system is.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert path.stat().st_size == before.st_size
    assert quietly({"own": path}, tmp_path / "corpus")["sets"]["own"]["resumed_after"] == 0
    assert [record.description for record in all_records(tmp_path / "corpus")] == [changed]


def test_what_is_malformed_refused_or_masked_is_counted(tmp_path):
    called = value(1, title="号码是13812345678", response=answer(1) + "打给我，13912345678。")
    path = own(
        tmp_path / "own.jsonl", called, "not json", value(2, response="嗯"), value(3, description="短"), value(4)
    )
    counts = quietly({"own": path}, tmp_path / "corpus")["sets"]["own"]
    assert (counts["items"], counts["kept"]) == (5, 2)
    assert counts["refused"] == {"no_response": 1, "post_short": 1}
    assert [text.partition(": ")[0] for text in counts["malformed"]] == ["own.jsonl:2"]
    assert counts["masked"] == {"电话": 2}
    record, _ = all_records(tmp_path / "corpus")
    assert not any("12345678" in text for text in (record.title, *record.responses))


def test_a_post_in_two_sets_is_one_record_with_the_answers_of_the_set_that_wrote_it(tmp_path):
    (tmp_path / "smilechat").mkdir()
    said = [{**turn, "content": turn["content"][:140]} if turn["role"] == "client" else turn for turn in turns(1)]
    # So that the dialogue's post is joined from two turns, and is the longer one.
    said[2]["content"] = post(1)[140:] + "后来我又去看过一次，在楼下站了很久，天黑了才往回走，谁也没有告诉。"
    (tmp_path / "smilechat" / "1.json").write_text(json.dumps(said), "utf-8")
    asked = {"question": "", "description": post(1), "answers": [{"answer_text": answer(n)} for n in (1, 2, 1)]}
    own(tmp_path / "psyqa.jsonl", asked, {**asked, "answers": [{"answer_text": answer(3)}]})
    summary = quietly(sets_in(tmp_path), tmp_path / "corpus")
    [record] = all_records(tmp_path / "corpus")
    assert (summary["records"], summary["posts"]) == (3, 1)
    assert (record.source, record.origin, record.licence) == ("psyqa", "written", SOURCES["psyqa"].licence)
    assert record.responses == (answer(1), answer(2), answer(3))


def test_a_family_with_one_train_group_is_train_and_a_family_without_is_not(tmp_path):
    held = [value(1, group=TEST), value(1, group=VALID), value(2, group="group-16"), value(2, group=TRAIN)]
    quietly({"own": own(tmp_path / "own.jsonl", *held)}, tmp_path / "corpus")
    found = {split: [record.description for record in read_corpus(tmp_path / "corpus", split)] for split in SPLITS}
    assert found == {"train": [post(2)], "valid": [post(1)], "test": []}


def test_a_held_out_post_that_repeats_part_of_a_training_post_is_dropped(tmp_path):
    part = post(3)[:100] + post(4)
    path = own(
        tmp_path / "own.jsonl", value(3, group=TRAIN), value(5, description=part, group=VALID), value(6, group=TEST)
    )
    summary = quietly({"own": path}, tmp_path / "corpus")
    assert summary["splits"] == {"train": 1, "valid": 0, "test": 1}
    assert summary["leakage"]["dropped"] == 1 and summary["leakage"]["max_share"] == 0


def test_a_topic_of_the_taxonomy_is_kept_and_any_other_is_found_anew(tmp_path):
    path = own(
        tmp_path / "own.jsonl", value(1, topic="grief", subtopic="丧偶"), value(2, topic="亲友", subtopic="疏远")
    )
    quietly({"own": path}, tmp_path / "corpus")
    kept, found = all_records(tmp_path / "corpus")
    assert (kept.topic, kept.subtopic) == ("grief", "丧偶")
    assert found.subtopic in taxonomy()[found.topic].subtopics


def test_a_set_of_which_nothing_stays_gives_an_empty_corpus(tmp_path):
    summary = quietly({"own": own(tmp_path / "own.jsonl", "not json")}, tmp_path / "corpus")
    assert summary["splits"] == dict.fromkeys(SPLITS, 0)
    assert all_records(tmp_path / "corpus") == []


def test_sets_are_found_under_their_names_in_any_of_their_forms(tmp_path):
    with pytest.raises(DataError, match=r"holds none of the sets under their names: smilechat \(https"):
        sets_in(tmp_path)
    (tmp_path / "cpsycound").mkdir()
    for name in ("smilechat.jsonl.xz", "psyqa.json", "own.csv", "unknown.jsonl"):
        (tmp_path / name).touch()
    assert {name: path.name for name, path in sets_in(tmp_path).items()} == {
        "smilechat": "smilechat.jsonl.xz",
        "cpsycound": "cpsycound",
        "psyqa": "psyqa.json",
        "own": "own.csv",
    }
