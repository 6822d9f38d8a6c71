"""How well the labeller agrees with people: posts labelled by hand, found again in a corpus by their group.

`topic_labels.tsv` holds groups and labels, no text. A second reader labelled 60 of the posts; `tune` posts chose the
labeller's settings, `test` posts measure it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.data.records import Record
from training.data.topics import label

LABELS = Path(__file__).with_name("topic_labels.tsv")


def agreement(records: Iterable[Record]) -> str:
    """Three lines: the labeller, the taxonomy's words alone, and a second reader, each against the first reader.

    "Exact" counts the first reader's topic, "either" also the one noted as just as reasonable.
    """
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = {record.group: record for record in records}
    held = [row for row in rows if row["use"] == "test" and row["group"] in found]
    twice = [row for row in rows if row["second_reader"]]
    by_words = [label((found[row["group"]].title, found[row["group"]].description))[0] for row in held]
    return "\n".join(
        (
            _line("labeller", held, [found[row["group"]].topic for row in held]),
            _line("words alone", held, by_words),
            _line("second reader", twice, [row["second_reader"] for row in twice]),
        )
    )


def _line(name: str, rows: Sequence[dict[str, str]], labels: Sequence[str]) -> str:
    pairs = list(zip(rows, labels, strict=True))
    exact = sum(given == row["topic"] for row, given in pairs) / max(1, len(pairs))
    either = sum(given in (row["topic"], row["also"]) for row, given in pairs) / max(1, len(pairs))
    return f"{name:14} {len(pairs):4} posts   exact {exact:.1%}   either {either:.1%}"
