"""What the stages read that learn the language itself: all dialogues of a split, masked, and nothing held out."""

from __future__ import annotations

import json

from tests.synthetic import POSTS, post, turns, write_sets
from training.data.build import build, read_corpus, sets_in
from training.data.dialogues import all_texts, read_dialogues
from training.data.records import SPLITS


def test_each_dialogue_is_in_one_split_and_no_training_dialogue_holds_a_held_out_post(tmp_path):
    folder = write_sets(tmp_path / "sets")
    build(sets_in(folder), tmp_path / "corpus", lambda line: None)
    by_split = {split: list(read_dialogues(folder, split)) for split in SPLITS}
    assert sum(map(len, by_split.values())) == 2 * sum(POSTS.values()) + 1
    trained = "\n".join("\n".join(dialogue.client) for dialogue in by_split["train"])
    for split in ("valid", "test"):
        records = list(read_corpus(tmp_path / "corpus", split))
        assert records and not any(record.description in trained for record in records)


def test_a_post_in_dialogues_of_two_splits_is_no_held_out_record(tmp_path):
    # group-2 is a test group by its name, group-0 a train group.
    lines = [{"group": group, "turns": turns(7)} for group in ("group-2", "group-0")]
    (tmp_path / "smilechat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    build(sets_in(tmp_path), tmp_path / "corpus", lambda line: None)
    assert [len(list(read_dialogues(tmp_path, split))) for split in SPLITS] == [1, 0, 1]
    assert [len(list(read_corpus(tmp_path / "corpus", split))) for split in SPLITS] == [1, 0, 0]


def test_dialogues_are_masked_and_one_sided_or_malformed_ones_left_out(tmp_path):
    said = [
        {"role": "client", "content": "打给我，13812345678。"},
        {"role": "counselor", "content": "好，13912345678？"},
    ]
    lines = [{"group": "group-0", "turns": said}, {"group": "group-0", "turns": said[:1]}, {"turns": 5}]
    (tmp_path / "smilechat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    [dialogue] = read_dialogues(tmp_path, "train")
    assert dialogue.client != (said[0]["content"],) and "12345678" not in "".join(dialogue.client + dialogue.counselor)


def test_all_texts_are_every_post_and_answer_as_they_stand_in_the_sets(tmp_path):
    smile = {"group": "group-2", "turns": [{"role": "client", "content": "一"}, {"role": "client", "content": "二"}]}
    (tmp_path / "smilechat.jsonl").write_text(json.dumps(smile) + "\nnot json\n", "utf-8")
    own = {"title": "题", "description": post(1), "responses": ["嗯", "13812345678"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(own), "utf-8")
    assert list(all_texts(tmp_path)) == ["一\n二", "", f"题\n{post(1)}", "嗯", "13812345678"]
