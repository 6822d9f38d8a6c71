"""`python -m training.data`: what it writes where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.synthetic import write_sets
from training.data.__main__ import main
from training.data.seed_chains import read_seed_chains


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, **environment})


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def corpus(sets, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    assert main(["build", "--data", str(sets), "--out", str(out)]) == 0
    return out


def test_build_writes_its_summary_to_stdout_its_progress_to_stderr_and_the_same_corpus_in_every_process(
    sets, corpus, tmp_path
):
    # Another seed of Python's hashes: no order of a set of strings may reach the files.
    ended = run("build", "--data", sets, "--out", tmp_path, PYTHONHASHSEED="12345", PYTHONUTF8="1")
    assert ended.returncode == 0
    assert json.loads(ended.stdout) == json.loads((tmp_path / "corpus.json").read_text("utf-8"))
    assert "161 records: looking for near-duplicates" in ended.stderr
    for split in ("train", "valid", "test"):
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (corpus / f"{split}.jsonl").read_bytes()


def test_a_set_that_lies_elsewhere_joins_those_of_the_folder(sets, tmp_path, capsys):
    value = {"description": "我和她三年没有说过话，" * 3, "response": "嗯"}
    (tmp_path / "mine.csv").write_text("description,response\n{description},{response}\n".format(**value), "utf-8")
    arguments = ["--set", f"own={tmp_path / 'mine.csv'}", "--out", str(tmp_path / "corpus")]
    assert main(["build", "--data", str(sets), *arguments]) == 0
    assert list(json.loads(capsys.readouterr().out)["sets"]) == ["smilechat", "cpsycound", "own"]


def test_report_writes_its_text_to_stdout_and_its_files_where_they_are_asked_for(corpus, tmp_path, capsys):
    assert main(["report", "--corpus", str(corpus), "--out", str(tmp_path / "there")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("| | This corpus |") and "| Questions | 81 |" in text
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"report.md", "lengths.png", "topics.png"}
    assert (tmp_path / "there" / "report.md").read_text("utf-8") == text


def test_topics_writes_three_lines_of_agreement(corpus, capsys):
    assert main(["topics", "--corpus", str(corpus)]) == 0
    lines = capsys.readouterr().out.splitlines()
    # None of the labelled posts is among the synthetic ones; the second reader's labels need no corpus.
    assert lines[0].split()[:3] == ["labeller", "0", "posts"]
    assert lines[2].startswith("second reader    60 posts")


def test_the_seed_chains_have_no_fault_but_the_one_put_into_the_sets(tmp_path, capsys):
    chain = read_seed_chains()[0]
    (tmp_path / "own.jsonl").write_text(json.dumps({"description": "嗯", "response": chain.answer}), "utf-8")
    status = main(["chains", "--data", str(tmp_path)])
    faults = capsys.readouterr().out.splitlines()
    assert [fault for fault in faults if "also stand in the corpora" not in fault] == []
    assert [fault.partition(":")[0] for fault in faults] == [chain.id]
    assert status == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["build", "--data", "{}", "--out", "{}/out"], "holds none of the sets"),
        (["build", "--out", "{}/out"], "No set was given"),
        (["build", "--set", "mine={}", "--out", "{}/out"], "mine is not a set"),
        (["build", "--set", "own", "--out", "{}/out"], "--set own names no path; write it as NAME=PATH."),
        (["build", "--set", "own={}/lost.csv", "--out", "{}/out"], "lost.csv is not there"),
        (["build", "--set", "psyqa={}", "--out", "{}/out"], "Is a directory"),
        (["report", "--corpus", "{}"], "build the corpus first"),
        (["topics", "--corpus", "{}"], "build the corpus first"),
    ],
)
def test_what_a_person_must_mend_is_one_sentence_on_stderr(tmp_path, capsys, arguments, sentence):
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and sentence in said.err and said.err.count("\n") == 1
    assert not list(tmp_path.rglob("train.jsonl")) and not list(tmp_path.rglob("report.md"))


@pytest.mark.parametrize("arguments", [[], ["mend"], ["build"], ["report"]])
def test_a_command_line_that_says_too_little_ends_with_its_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage: training.data" in capsys.readouterr().err
