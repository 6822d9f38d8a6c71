"""The report of a corpus whose every number was counted by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from training.data.records import Record, to_line
from training.data.report import INK, SOFT, report

SUMMARY = {
    "sets": {
        "smilechat": {
            "items": 1234,
            "kept": 3,
            "refused": {"no_response": 1230},
            "malformed": ["smilechat.jsonl:7: not JSON (Expecting value)"],
            "masked": {"电话": 2, "姓名": 1},
        },
        "own": {"items": 1, "kept": 1, "refused": {}, "malformed": [], "masked": {}},
    },
    "records": 4,
    "posts": 3,
    "splits": {"train": 1, "valid": 1, "test": 1},
    "leakage": {
        "run_chars": 13,
        "held_out": 2,
        "dropped": 1,
        "groups_in_two_splits": 0,
        "with_any_shared_run": 1,
        "mean_share": 0.025,
        "max_share": 0.05,
    },
}


def record(title: str, description: int, answers: tuple[int, ...], topic: str, subtopic: str, **more) -> Record:
    """A record of texts as long as told."""
    texts = tuple("答" * count for count in answers)
    return Record(title, "信" * description, topic, subtopic, texts, "own", "", "g", **more)


def corpus(folder: Path, *records: Record) -> Path:
    for split, lines in zip(("train", "valid", "test"), ([one] for one in records), strict=False):
        (folder / f"{split}.jsonl").write_text("".join(map(to_line, lines)), "utf-8")
    (folder / "corpus.json").write_text(json.dumps(SUMMARY), "utf-8")
    return folder


@pytest.fixture
def three(tmp_path) -> Path:
    return corpus(
        tmp_path,
        record("四个字的", 100, (200, 300), "grief", "丧偶"),
        record("", 200, (100,), "grief", "宠物离开", origin="joined"),
        record("六个字的题目", 1700, (2000, 100, 300), "money", "网贷", origin="opening"),
    )


def test_the_table_holds_the_counts_and_means(three):
    text = report(three, three)
    assert text.startswith(
        "| | This corpus | of it, written as one post | PsyQA | Empathy-QA |\n"
        "|---|---:|---:|---:|---:|\n"
        "| Questions | 3 | 2 | 22,346 | 40,959 |\n"
        "| Answers | 6 | 5 | 56,063 | 168,470 |\n"
        "| Main topics | 2 | 2 | 9 | 29 |\n"
        "| Subtopics | 3 | 2 | – | 182 |\n"
        "| Characters a title | 5.0 | 5.0 | – | – |\n"
        "| Characters a description | 666.7 | 900.0 | – | – |\n"
        "| Characters an answer | 500.0 | 580.0 | – | – |\n"
        "| Responses a question | 2.00 | 2.50 | 2.51 | 4.11 |\n"
    )
    assert (three / "report.md").read_text("utf-8") == text


def test_the_sets_and_the_proof_of_the_split_are_told(three):
    text = report(three, three)
    assert "| smilechat | 1,234 | 3 | no_response 1,230 | 1 | 电话 2, 姓名 1 |\n" in text
    assert "| own | 1 | 1 | none | 0 | none |\n" in text
    assert "4 kept items are 3 posts once near-duplicates are joined." in text
    assert "1 train, 1 valid, 1 test. Groups in two splits: 0. 1 held-out posts shared" in text
    assert text.endswith("the 2 that stayed, 1 share any such run, on average 2.5% of a post's runs, at most 5.0%.\n")


@pytest.mark.parametrize(("name", "size"), [("lengths.png", (1260, 392)), ("topics.png", (1260, 980))])
def test_the_pictures_are_drawn_at_their_size_into_the_folder_asked_for(three, tmp_path, name, size):
    out = tmp_path / "new" / "folder"
    report(three, out)
    data = (out / name).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR"
    assert struct.unpack(">II", data[16:24]) == size
    pixels = (plt.imread(out / name)[:, :, :3] * 255).round().astype(int)
    for color in (SOFT, INK):
        wanted = [round(part * 255) for part in colors.to_rgb(color)]
        assert (pixels == wanted).all(axis=2).any(), f"nothing is drawn in {color}"
    assert not (three / name).exists()
    # A figure that stays open holds its memory, and the twentieth is a warning.
    assert plt.get_fignums() == []


def test_posts_without_titles_or_answers_have_no_mean_and_no_picture_fails(tmp_path):
    text = report(corpus(tmp_path, *[record("", 5, (), "grief", "丧偶")] * 3), tmp_path)
    assert "| Characters a title | – | – |" in text and "| Characters an answer | – | – |" in text
    assert "| Responses a question | 0.00 | 0.00 |" in text


def test_an_empty_corpus_has_a_report_too(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.jsonl").touch()
    assert "| Questions | 0 | 0 |" in report(corpus(tmp_path), tmp_path)
