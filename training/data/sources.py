"""The sets as they are published, one reader each. A reader names the line of whatever it cannot read and goes on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from app.chain import ANSWER_TAG, FormatError, parse
from training.data.records import Dialogue, Record


@dataclass(frozen=True)
class Malformed:
    """Something that is no record: the file, the line (or the item of a list) and what is wrong with it."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


Item = Dialogue | Record | Malformed
Reader = Callable[[Path], Iterator[Item]]


@dataclass(frozen=True)
class Source:
    """A set: how it is read, under which licence its texts stand, and where it is published."""

    read: Reader
    licence: str
    published: str


def _open(path: Path) -> BinaryIO:
    return lzma.open(path) if path.suffix == ".xz" else path.open("rb")


def open_text(path: Path) -> TextIO:
    """A text file, plain or xz."""
    return io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="")


def _to_the_end(read: Reader) -> Reader:
    """A reader that says where a file breaks off, or cannot be UTF-8, and ends there."""

    @wraps(read)
    def reading(path: Path) -> Iterator[Item]:
        number = 1
        try:
            for item in read(path):
                yield item
                number += 1
        except (UnicodeDecodeError, EOFError, lzma.LZMAError, csv.Error) as error:
            yield Malformed(path.name, number, f"cannot be read from here on ({type(error).__name__}: {error})")

    return reading


def _text(value: str) -> str:
    """A text as it can be written again: half of a character, which JSON lets through, becomes a question mark."""
    return value.strip().encode("utf-8", "replace").decode()


def _group(text: str) -> str:
    """A name for a post whose set gives none: equal posts share it."""
    return hashlib.sha256(re.sub(r"\W+", "", text).encode("utf-8", "replace")).hexdigest()[:12]


def _lines(path: Path, build: Callable[[dict[str, Any], int], Item]) -> Iterator[Item]:
    # As bytes, so that a line in another encoding spoils no other.
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield build(json.loads(line), number)
            except json.JSONDecodeError as error:
                yield Malformed(path.name, number, f"not JSON ({error.msg})")
            except UnicodeDecodeError as error:
                yield Malformed(path.name, number, f"not UTF-8 ({error.reason})")
            except (KeyError, TypeError, AttributeError, FormatError) as error:
                yield Malformed(path.name, number, f"not in the shape of this set ({type(error).__name__}: {error})")


def _items(path: Path, build: Callable[[dict[str, Any], int], Item]) -> Iterator[Item]:
    """As `_lines`, for a file that is one JSON list."""
    with open_text(path) as file:
        try:
            values = json.load(file)
        except json.JSONDecodeError as error:
            yield Malformed(path.name, error.lineno, f"not JSON ({error.msg})")
            return
    for number, value in enumerate(values, 1):
        try:
            yield build(value, number)
        except (KeyError, TypeError, AttributeError) as error:
            yield Malformed(path.name, number, f"not in the shape of this set ({type(error).__name__}: {error})")


def _json(path: Path, build: Callable[[dict[str, Any], int], Item]) -> Iterator[Item]:
    """A list or lines, told apart by the first character."""
    with _open(path) as file:
        first = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return _items(path, build) if first == b"[" else _lines(path, build)


def _dialogue(source: str, turns: Iterable[dict[str, str]], group: str | None = None) -> Dialogue:
    said: dict[str, list[str]] = {"client": [], "counselor": []}
    for turn in turns:
        if text := _text(turn["content"]):
            said[turn["role"]].append(text)
    client = tuple(said["client"])
    return Dialogue(source, group or _group(client[0] if client else ""), client, tuple(said["counselor"]))


@_to_the_end
def read_smilechat(path: Path) -> Iterator[Item]:
    """SmileChat: lines of {id, group, turns}, or the folder of numbered JSON files that is published."""
    if path.is_file():
        return _json(path, lambda value, _: _dialogue("smilechat", value["turns"], value.get("group")))
    return _folder(path, "*.json", lambda text: _dialogue("smilechat", json.loads(text)))


@_to_the_end
def read_cpsycound(path: Path) -> Iterator[Item]:
    """CPsyCounD: lines of {id, turns}, or the folder of text files that is published."""
    if path.is_file():
        return _lines(
            path, lambda value, line: _dialogue("cpsycound", value["turns"], f"cpsycound-{value.get('id', line)}")
        )
    return _folder(path, "*.txt", lambda text: _dialogue("cpsycound", _spoken(text)))


def _folder(path: Path, pattern: str, build: Callable[[str], Item]) -> Iterator[Item]:
    for file in sorted(path.glob(pattern), key=lambda file: (len(file.name), file.name)):
        try:
            yield build(file.read_text("utf-8-sig"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield Malformed(file.name, 1, f"not in the shape of this set ({type(error).__name__})")


def _spoken(text: str) -> Iterator[dict[str, str]]:
    # A turn may go on over several lines.
    for speaker, content in re.findall(
        r"^(来访者|心理咨询师)[：:](.*?)(?=^(?:来访者|心理咨询师)[：:]|\Z)", text, re.MULTILINE | re.DOTALL
    ):
        yield {"role": "client" if speaker == "来访者" else "counselor", "content": content}


@_to_the_end
def read_psyqa(path: Path) -> Iterator[Item]:
    """PsyQA: a list of {question, description, keywords, answers: [{answer_text}]}."""
    return _json(
        path,
        lambda value, _: Record(
            title=_text(value["question"]),
            description=_text(value["description"]),
            topic="",
            subtopic="",
            responses=tuple(_text(answer["answer_text"]) for answer in value["answers"]),
            source="psyqa",
            licence=SOURCES["psyqa"].licence,
            group=_group(value["question"] + value["description"]),
        ),
    )


def _own(source: str) -> Callable[[dict[str, Any], int], Record]:
    def build(value: dict[str, Any], _: int) -> Record:
        responses = value.get("responses") or value.get("answers") or value["response"]
        title, description = _text(value.get("title") or ""), _text(value["description"])
        return Record(
            title=title,
            description=description,
            topic=value.get("topic") or "",
            subtopic=value.get("subtopic") or "",
            responses=tuple(map(_text, [responses] if isinstance(responses, str) else responses)),
            source=source,
            licence=value.get("licence") or SOURCES[source].licence,
            group=value.get("group") or _group(title + description),
        )

    return build


@_to_the_end
def read_empathyqa(path: Path) -> Iterator[Item]:
    """Empathy-QA by the fields its paper describes: {title, description, topic, subtopic, responses}."""
    return _json(path, _own("empathyqa"))


@_to_the_end
def read_own(path: Path) -> Iterator[Item]:
    """A file of one's own: JSON lines, a JSON list or CSV with title, description, response(s), topic, group."""
    if path.suffix != ".csv":
        return _json(path, _own("own"))
    return _csv(path)


def _csv(path: Path) -> Iterator[Item]:
    build = _own("own")
    with open_text(path) as file:
        rows = csv.DictReader(file)
        for row in rows:
            try:
                yield build(row, rows.line_num)
            except (KeyError, TypeError, AttributeError) as error:
                yield Malformed(path.name, rows.line_num, f"a column is missing ({error})")


@_to_the_end
def read_desk(path: Path) -> Iterator[Item]:
    """What `launch.py export sft` writes: lines of {messages}, the reply in the response format."""

    def build(value: dict[str, Any], _: int) -> Record:
        said = {message["role"]: message["content"] for message in value["messages"]}
        first, line_end, rest = said["user"].partition("\n")
        titled = bool(line_end) and len(first) <= MAX_TITLE_CHARS
        return Record(
            title=first if titled else "",
            description=rest if titled else said["user"],
            topic="",
            subtopic="",
            responses=(getattr(parse(said["assistant"]), ANSWER_TAG),),
            source="desk",
            licence=SOURCES["desk"].licence,
            group=_group(said["user"]),
        )

    return _lines(path, build)


MAX_TITLE_CHARS = 60

SOURCES: dict[str, Source] = {
    "smilechat": Source(read_smilechat, "CC0-1.0", "https://github.com/qiuhuachuan/smile"),
    "cpsycound": Source(read_cpsycound, "CC-BY-4.0", "https://github.com/CAS-SIAT-XinHai/CPsyCoun"),
    "psyqa": Source(read_psyqa, "user agreement, signed", "https://github.com/thu-coai/PsyQA"),
    "empathyqa": Source(read_empathyqa, "not published", "https://arxiv.org/abs/2509.14851"),
    "own": Source(read_own, "the user's own", "a file of the user"),
    "desk": Source(read_desk, "the centre's own", "launch.py export sft"),
}


def read_generic_answers(path: Path) -> list[str]:
    """Replies of the EmoLLM set: fluent and general, so they serve as the paper's generic negatives."""
    with open_text(path) as file:
        conversations = json.load(file)
    return [turn["output"].strip() for item in conversations for turn in item["conversation"] if turn["output"].strip()]
