"""(post, answer) pairs of a run's corpus: what SFT, the reward model and GRPO learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.chain import neutral, post_text
from training.data.build import read_corpus
from training.data.records import Record, Split

MAX_POST_CHARS = 700
MIN_ANSWER_CHARS = 200
MAX_ANSWER_CHARS = 700
"""What fits into the context of the small models trained here, with the chain in between."""


@dataclass(frozen=True)
class Pair:
    """A post with one answer by a human counselor, neither of them holding a `<`."""

    group: str
    topic: str
    title: str
    description: str
    answer: str

    @property
    def post(self) -> str:
        return post_text(self.title, self.description)


def shortened(answer: str, limit: int) -> str:
    """The first paragraphs of an answer that fit into `limit` characters; empty if not even the first does."""
    kept = ""
    for paragraph in answer.split("\n"):
        longer = f"{kept}\n{paragraph}" if kept else paragraph
        if len(longer) > limit:
            break
        kept = longer
    return kept.strip()


def pairs_of(records: Iterable[Record]) -> Iterator[Pair]:
    """Every pair of posts that were written as one and are short enough; answers end with a whole paragraph."""
    for record in records:
        if record.origin == "joined" or len(record.description) > MAX_POST_CHARS:
            continue
        for response in record.responses:
            answer = shortened(response, MAX_ANSWER_CHARS)
            if len(answer) >= MIN_ANSWER_CHARS:
                title, description = neutral(record.title), neutral(record.description)
                yield Pair(record.group, record.topic, title, description, neutral(answer))


def corpus_pairs(run: Path, split: Split) -> list[Pair]:
    """The pairs of a split of the run's corpus."""
    return list(pairs_of(read_corpus(run / "corpus", split)))
