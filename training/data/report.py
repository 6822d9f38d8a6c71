"""What a corpus is like: the rows of the paper's Table 1, the proof of the split, lengths and topics as pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import font_manager
from matplotlib import pyplot as plt

from training.data.build import read_corpus
from training.data.records import SPLITS, Record
from training.data.topics import taxonomy

UNKNOWN = "–"
PUBLISHED = {
    # From PsyQA's abstract and data page, and a public summary of Empathy-R1; the paper's other cells were not at hand.
    "PsyQA": {"questions": "22,346", "answers": "56,063", "topics": "9", "responses": "2.51"},
    "Empathy-QA": {
        "questions": "40,959",
        "answers": "168,470",
        "topics": "29",
        "subtopics": "182",
        "responses": "4.11",
    },
}
"""What is known of the two sets that the paper's Table 1 compares."""

CJK_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei")
INK, SOFT = "#1f4e5f", "#9fc2cc"
MAX_SHOWN_CHARS = 1500


@dataclass
class Statistics:
    """Counts and lengths of a set of records, gathered one record at a time."""

    answers: int = 0
    topics: Counter[str] = field(default_factory=Counter)
    subtopics: Counter[tuple[str, str]] = field(default_factory=Counter)
    title_chars: list[int] = field(default_factory=list)
    description_chars: list[int] = field(default_factory=list)
    answer_chars: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take one record into account."""
        self.answers += len(record.responses)
        self.topics[record.topic] += 1
        self.subtopics[record.topic, record.subtopic] += 1
        if record.title:
            self.title_chars.append(len(record.title))
        self.description_chars.append(len(record.description))
        self.answer_chars += map(len, record.responses)
        self.responses.append(len(record.responses))

    def cells(self) -> dict[str, str]:
        """The rows of Table 1 as text."""
        return {
            "questions": f"{len(self.responses):,}",
            "answers": f"{self.answers:,}",
            "topics": str(len(self.topics)),
            "subtopics": str(len(self.subtopics)),
            "title": _mean(self.title_chars),
            "description": _mean(self.description_chars),
            "answer": _mean(self.answer_chars),
            "responses": f"{mean(self.responses):.2f}" if self.responses else UNKNOWN,
        }


ROWS = {
    "questions": "Questions",
    "answers": "Answers",
    "topics": "Main topics",
    "subtopics": "Subtopics",
    "title": "Characters a title",
    "description": "Characters a description",
    "answer": "Characters an answer",
    "responses": "Responses a question",
}


def _mean(values: list[int]) -> str:
    return f"{mean(values):.1f}" if values else UNKNOWN


def gather(records: Iterable[Record], keep: Callable[[Record], bool] = lambda record: True) -> Statistics:
    """The statistics of the records that are to be kept."""
    statistics = Statistics()
    for record in records:
        if keep(record):
            statistics.add(record)
    return statistics


def report(corpus: Path, out: Path) -> str:
    """Write `report.md`, `lengths.png` and `topics.png` of a built corpus into `out`; returns the text of the first."""
    out.mkdir(parents=True, exist_ok=True)
    records = [record for split in SPLITS for record in read_corpus(corpus, split)]
    everything = gather(records)
    columns = {
        "This corpus": everything.cells(),
        "of it, written as one post": gather(records, lambda record: record.origin != "joined").cells(),
        **PUBLISHED,
    }
    summary = json.loads((corpus / "corpus.json").read_text("utf-8"))
    text = "\n\n".join((_table(columns), _sets(summary), _proof(summary))) + "\n"
    (out / "report.md").write_text(text, "utf-8")
    draw_lengths(everything, out / "lengths.png")
    draw_topics(everything, out / "topics.png")
    return text


def _table(columns: dict[str, dict[str, str]]) -> str:
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for key, name in ROWS.items():
        lines.append(f"| {name} | {' | '.join(cells.get(key, UNKNOWN) for cells in columns.values())} |")
    return "\n".join(lines)


def _sets(summary: dict[str, Any]) -> str:
    lines = ["| Set | items | kept | refused | malformed | masked |", "|---|---:|---:|---|---:|---|"]
    for name, counts in summary["sets"].items():
        refused = ", ".join(f"{reason} {number:,}" for reason, number in counts["refused"].items()) or "none"
        masked = ", ".join(f"{kind} {number:,}" for kind, number in counts["masked"].items()) or "none"
        malformed = len(counts["malformed"])
        lines.append(f"| {name} | {counts['items']:,} | {counts['kept']:,} | {refused} | {malformed} | {masked} |")
    return "\n".join(lines)


def _proof(summary: dict[str, Any]) -> str:
    leakage, splits = summary["leakage"], summary["splits"]
    return (
        f"{summary['records']:,} kept items are {summary['posts']:,} posts once near-duplicates are joined."
        " Split by post: "
        + ", ".join(f"{number:,} {split}" for split, number in splits.items())
        + f". Groups in two splits: {leakage['groups_in_two_splits']}. {leakage['dropped']} held-out posts shared more"
        f" than a fifth of their runs of {leakage['run_chars']} characters with training posts and were dropped; of the"
        f" {leakage['held_out']:,} that stayed, {leakage['with_any_shared_run']:,} share any such run, on average"
        f" {leakage['mean_share']:.1%} of a post's runs, at most {leakage['max_share']:.1%}."
    )


def _chinese_font() -> str | None:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CJK_FONTS if name in known), None)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors="#444")


def draw_lengths(statistics: Statistics, path: Path) -> None:
    """Histograms of the characters of posts and answers; the last bar holds all longer ones."""
    figure, both = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for axes, values, name in zip(
        both, (statistics.description_chars, statistics.answer_chars), ("description", "answer"), strict=True
    ):
        axes.hist([min(value, MAX_SHOWN_CHARS) for value in values], bins=50, range=(0, MAX_SHOWN_CHARS), color=SOFT)
        middle = sorted(values)[len(values) // 2] if values else 0
        axes.axvline(middle, color=INK, linewidth=1.5)
        axes.set_title(f"Characters of the {name}, median {middle}", fontsize=10, loc="left", color=INK)
        axes.set_yticks([])
        _plain(axes)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def draw_topics(statistics: Statistics, path: Path) -> None:
    """Posts by main topic, most frequent first; Chinese names where a font for them is installed."""
    font = _chinese_font()
    ranked = [taxonomy()[name] for name, _ in reversed(statistics.topics.most_common())]
    with plt.rc_context({"font.family": font} if font else {}):
        figure, axes = plt.subplots(figsize=(9, 7), layout="constrained")
        numbers = [statistics.topics[topic.id] for topic in ranked]
        labels = [f"{topic.zh}  {topic.en}" if font else topic.en for topic in ranked]
        bars = axes.barh(labels, numbers, color=SOFT, height=0.72)
        axes.bar_label(bars, [f"{number:,}" for number in numbers], padding=4, fontsize=8, color=INK)
        axes.set_title(f"Posts by topic ({sum(numbers):,})", fontsize=10, loc="left", color=INK)
        axes.set_xticks([])
        axes.margins(y=0.01)
        _plain(axes)
        axes.tick_params(labelsize=8)
        figure.savefig(path, dpi=140)
        plt.close(figure)
