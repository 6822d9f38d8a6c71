"""Every published form of every set, and what happens to what cannot be read."""

from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path

import pytest

from app.chain import Response, messages, render
from storage.exports.write import export
from storage.store import Store
from tests.curated import EDITION, let_leave
from tests.drafts import start_draft
from training.data.records import Dialogue, Record
from training.data.sources import SOURCES, Malformed, read_generic_answers

TURNS = [
    {"role": "client", "content": " 我和表姐三年没说话了。 "},
    {"role": "counselor", "content": "三年，是从哪一天开始的？"},
    {"role": "client", "content": "  "},
    {"role": "client", "content": "从外婆的葬礼。"},
]
CLIENT, COUNSELOR = ("我和表姐三年没说话了。", "从外婆的葬礼。"), ("三年，是从哪一天开始的？",)
OWN = {"title": "要不要回信？", "description": "表姐寄来一封信，\n我没有拆。", "response": "信可以先放着。"}


def put(path: Path, *values: object) -> Path:
    """A file of lines, or of one list where its name says `.json`; packed where it says `.xz`."""
    lines = [json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value for value in values]
    text = f"[{', '.join(lines)}]" if ".json" in path.suffixes else "".join(f"{line}\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode()) if path.suffix == ".xz" else text.encode())
    return path


def read(name: str, path: Path) -> list:
    return list(SOURCES[name].read(path))


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.xz"])
def test_smilechat_lines_keep_their_group_and_the_turns_of_each_side(tmp_path, ending):
    path = put(tmp_path / f"smilechat{ending}", {"id": 0, "group": "g7", "turns": TURNS})
    assert read("smilechat", path) == [Dialogue("smilechat", "g7", CLIENT, COUNSELOR)]


def test_the_smilechat_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for number, said in ((10, "十"), (2, "二"), (1, "一")):
        (tmp_path / f"{number}.json").write_text(json.dumps([{"role": "client", "content": said}]), "utf-8")
    (tmp_path / "3.json").write_text('[{"role": "client", "content": null}]', "utf-8")
    (tmp_path / "4.json").write_bytes("[我]".encode("gbk"))
    (tmp_path / "README.md").write_text("no dialogue", "utf-8")
    found = read("smilechat", tmp_path)
    named = [item.client[0] if isinstance(item, Dialogue) else item.file for item in found]
    assert named == ["一", "二", "3.json", "4.json", "十"]


def test_dialogues_without_a_group_share_one_exactly_when_they_open_alike(tmp_path):
    openings = ("我很想她，很想。", "我很想她。很想", "我很想他，很想。")
    for number, opening in enumerate(openings):
        said = [{"role": "client", "content": text} for text in (opening, f"后来又梦见{number}回。")]
        (tmp_path / f"{number}.json").write_text(json.dumps(said), "utf-8")
    one, same, other = (item.group for item in read("smilechat", tmp_path))
    assert one == same != other


def test_the_cpsycound_folder_gives_whole_turns(tmp_path):
    text = (
        "来访者：我和表姐三年没说话了。\n\n心理咨询师: 三年，\n是从哪一天开始的？\n来访者：从外婆的葬礼。\n她没有来。"
    )
    (tmp_path / "1.txt").write_text(text, "utf-8")
    [dialogue] = read("cpsycound", tmp_path)
    assert dialogue.client == ("我和表姐三年没说话了。", "从外婆的葬礼。\n她没有来。")
    assert dialogue.counselor == ("三年，\n是从哪一天开始的？",)


def test_cpsycound_lines_are_groups_of_their_own(tmp_path):
    path = put(tmp_path / "cpsycound.jsonl.xz", {"id": 5, "turns": TURNS}, {"turns": TURNS})
    assert [item.group for item in read("cpsycound", path)] == ["cpsycound-5", "cpsycound-2"]


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".json.xz"])
def test_psyqa_keeps_every_answer_to_a_question(tmp_path, ending):
    answers = [{"answer_text": " 先歇一歇。"}, {"answer_text": "再写一封。"}]
    value = {"question": "要不要回信？ ", "description": "我没有拆。", "keywords": "亲友", "answers": answers}
    [record] = read("psyqa", put(tmp_path / f"psyqa{ending}", value))
    assert (record.title, record.description) == ("要不要回信？", "我没有拆。")
    assert record.responses == ("先歇一歇。", "再写一封。") and record.group


def test_empathyqa_keeps_topic_and_subtopic(tmp_path):
    value = {**OWN, "topic": "亲友", "subtopic": "疏远", "responses": ["信可以先放着。", "拆也行。"]}
    [record] = read("empathyqa", put(tmp_path / "empathyqa.jsonl", value))
    assert (record.topic, record.subtopic, record.responses) == ("亲友", "疏远", ("信可以先放着。", "拆也行。"))


def test_a_set_of_ones_own_reads_the_same_from_lines_list_and_table(tmp_path):
    for name in ("own.jsonl", "own.json", "own.jsonl.xz"):
        put(tmp_path / name, OWN)
    # As spreadsheet programs and editors save them: with a mark at the beginning, line ends of two characters.
    (tmp_path / "marked.json").write_text(f"\n{json.dumps([OWN], indent=1)}", "utf-8-sig")
    with (tmp_path / "own.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, OWN)
        table.writeheader()
        table.writerow(OWN)
    names = ("own.jsonl", "own.json", "own.jsonl.xz", "own.csv", "marked.json")
    [[record], *others] = [read("own", tmp_path / name) for name in names]
    assert others == [[record]] * 4
    assert [record.title, record.description, *record.responses] == list(OWN.values())


@pytest.mark.parametrize("field", ["response", "responses", "answers"])
def test_one_answer_given_as_a_text_is_one_answer(tmp_path, field):
    (tmp_path / "own.csv").write_text(f"description,group,{field}\n我没有拆。,g1,信可以先放着。\n", "utf-8")
    [record] = read("own", tmp_path / "own.csv")
    assert record.responses == ("信可以先放着。",) and record.group == "g1"


def test_what_the_desk_exports_comes_back_as_it_was_approved(tmp_path):
    response = Response("累，因为加班", "怕让人失望", "想被听见", "先接住疲惫", "今晚先睡。\n信明天再写。")
    store = Store.open(tmp_path / "desk")
    author, reviewer = store.person("作者"), store.person("审核")
    long_line = "没有标题的信，" * 10
    for title, description in (("最近很累", "每天加班到很晚。\n不知道为了什么。"), ("", f"{long_line}\n<就这样>")):
        post = store.add_post(title, description, author.id)
        draft = start_draft(store, post.id, author.id)
        draft = store.finish_draft(draft.id, "done", response.parts(), timings={})
        revision = store.save_revision(draft.id, 0, author.id, response)
        store.reviewing.submit(draft.id, 1, author.id)
        store.reviewing.decide(draft.id, 1, revision.text_sha256, reviewer.id, "approve", "")
        let_leave(store, draft.id)
    export(store, "sft", tmp_path / "desk.jsonl", edition=EDITION)
    store.close()
    titled, untitled = read("desk", tmp_path / "desk.jsonl")
    assert (titled.title, titled.description) == ("最近很累", "每天加班到很晚。\n不知道为了什么。")
    assert (untitled.title, untitled.description) == ("", f"{long_line}\n＜就这样>")
    assert titled.responses == untitled.responses == (response.answer,)


GOOD = {
    **dict.fromkeys(("smilechat", "cpsycound"), {"turns": TURNS}),
    "psyqa": {"question": "问", "description": "述", "answers": []},
    **dict.fromkeys(("empathyqa", "own"), OWN),
    "desk": {"messages": [*messages("信"), {"role": "assistant", "content": render(Response(*"abcde"))}]},
}
BAD = [
    ("smilechat", '{"turns": [{"role": "somebody", "content": "嗯"}]}'),
    ("smilechat", '{"turns": null}'),
    ("cpsycound", '{"id": 3}'),
    ("psyqa", '{"question": "问", "description": null, "answers": []}'),
    ("empathyqa", '{"description": "述"}'),
    ("own", '{"description": "述", "responses": [null]}'),
    ("desk", '{"messages": [{"role": "user", "content": "信"}, {"role": "assistant", "content": "没有格式"}]}'),
    *((name, '{"cut": "in the midd') for name in GOOD),
    *((name, "") for name in GOOD),
]


@pytest.mark.parametrize(("name", "line"), BAD)
def test_a_bad_line_is_named_and_the_rest_goes_on(tmp_path, name, line):
    before, bad, after = read(name, put(tmp_path / "set.jsonl", GOOD[name], line, GOOD[name]))
    assert isinstance(bad, Malformed) and str(bad).startswith("set.jsonl:2: not ")
    assert isinstance(before, Dialogue | Record) and isinstance(after, Dialogue | Record)


def test_bad_items_of_a_list_and_rows_of_a_table_are_counted_from_one(tmp_path):
    [_, item, _] = read("own", put(tmp_path / "own.json", OWN, {"title": "?"}, OWN))
    assert str(item).startswith("own.json:2: ")
    (tmp_path / "own.csv").write_text("description,response\n述,答\n述\n述,答\n", "utf-8")
    _, row, _ = read("own", tmp_path / "own.csv")
    assert str(row).startswith("own.csv:3: a column is missing")
    (tmp_path / "open.csv").write_text('description,response\n述,答\n"' + "述" * 140_000, "utf-8")
    assert str(read("own", tmp_path / "open.csv")[1]).startswith("open.csv:2: cannot be read from here on")


def test_another_encoding_spoils_one_line_of_lines_and_names_the_table_it_ends(tmp_path):
    good = json.dumps(OWN).encode() + b"\n"
    (tmp_path / "own.jsonl").write_bytes(good + '{"description": "信"}\n'.encode("gbk") + good)
    _, line, _ = read("own", tmp_path / "own.jsonl")
    assert str(line).startswith("own.jsonl:2: not UTF-8")
    (tmp_path / "own.csv").write_bytes("description,response\n述,答\n".encode("gbk"))
    [table] = read("own", tmp_path / "own.csv")
    assert str(table).startswith("own.csv:1: cannot be read from here on")


def test_a_file_that_breaks_off_gives_what_it_holds_and_says_where(tmp_path):
    packed = lzma.compress(b"".join(json.dumps({**OWN, "group": f"g{n}"}).encode() + b"\n" for n in range(3000)))
    (tmp_path / "own.jsonl.xz").write_bytes(packed[: len(packed) // 2])
    *held, broken = read("own", tmp_path / "own.jsonl.xz")
    assert 0 < len(held) < 3000 and [record.group for record in held] == [f"g{n}" for n in range(len(held))]
    assert str(broken).startswith(f"own.jsonl.xz:{len(held) + 1}: cannot be read from here on")


def test_half_of_a_character_can_be_written_again(tmp_path):
    [record] = read("own", put(tmp_path / "own.jsonl", '{"description": "信\\ud83d", "response": "好"}'))
    assert record.description == "信?"


def test_generic_answers_are_what_the_set_says_back(tmp_path):
    value = {"conversation": [{"input": "你好", "output": " 多喝水。"}, {"input": "嗯", "output": ""}]}
    assert read_generic_answers(put(tmp_path / "emollm.json.xz", value)) == ["多喝水。"]
