"""An evaluation for people: tables in Markdown, and one picture of every system between floor and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from training.measure.scorecard import Comparison, Figure, Report

INK, SOFT, RANGE = "#1f4e5f", "#9fc2cc", "#e8f0f2"
COLUMNS = 3
ALL = (
    ("format", "completions"),
    ("graded reward", "completions"),
    ("passed", "completions"),
    ("response repetition", "characters"),
    ("NAvg", "characters"),
    ("NAvg", "jieba"),
    ("BLEU-1", "characters"),
    ("ROUGE-L", "characters"),
    ("METEOR", "characters"),
    ("Distinct-1", "characters"),
)
"""Of the figures over all posts, those that are shown; `report.json` holds the others."""
READABLE = (
    ("score", "completions"),
    ("NAvg", "characters"),
    ("length", "characters"),
    ("echo", "characters"),
    ("L1 support", "jieba"),
    ("L1 support ratio", "jieba"),
    ("L2 support", "jieba"),
    ("chain repetition", "characters"),
)
SHARES = ("format", "passed")

Columns = Mapping[str, Sequence[Figure]]


def to_markdown(report: Report) -> str:
    """The report as tables for people."""
    systems = report["systems"]
    references = {"floor": report["floor"], "ceiling": report["ceiling"], "people": report["people"]}
    of_all = {name: system["figures"] for name, system in systems.items()}
    of_readable = {name: system["readable"] for name, system in systems.items()}
    format_rates = ", ".join(f"{name} {_find(figures, ALL[0])['value']:.1%}" for name, figures in of_all.items())
    return "\n".join(
        [
            f"{report['posts']} held-out posts, {report['posts_with_two_answers']} of them with two answers or more; "
            f"seed {report['seed']}. Format right without forcing: {format_rates}.",
            "",
            "**Over all posts.** A completion that is no response counts: as an empty answer, as not passed, with the "
            "repetition of its raw text and the reward that GRPO would give it. Floor: people's answers to other "
            "posts. Ceiling: people against each other. 95 % intervals.",
            "",
            *table_lines(ALL, of_all | references),
            "",
            "**Over readable completions alone.**",
            "",
            *table_lines(READABLE, of_readable | references),
            "",
            *comparison_lines(report["comparisons"]),
            *_bits(report["bits_per_character"]),
        ]
    )


def table_lines(keys: Sequence[tuple[str, str]], columns: Columns) -> list[str]:
    """Rows of figures by (name, tokenizer), one column a system; a dash where a system has no such figure."""
    lines = [f"| measure | in | {' | '.join(columns)} |", f"|---|---|{'---:|' * len(columns)}"]
    for key in keys:
        cells = [_cell(_find(figures, key)) for figures in columns.values()]
        lines.append(f"| {' | '.join((*key, *cells))} |")
    return lines


def _find(figures: Sequence[Figure], key: tuple[str, str]) -> Figure | None:
    return next((figure for figure in figures if (figure["name"], figure["tokenizer"]) == key), None)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    value, low, high = figure["value"], figure["low"], figure["high"]
    if figure["name"] in SHARES:
        return f"{value:.1%} [{low:.1%}, {high:.1%}]"
    digits = 0 if figure["name"] == "length" else 3
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def comparison_lines(rows: Sequence[Comparison]) -> list[str]:
    """The paired differences as a table under its heading; nothing if there are none."""
    if not rows:
        return []
    lines = ["**Post by post.** The mean difference, and whether its interval excludes zero.", ""]
    lines += ["| measure | in | systems | difference | posts | shown |", "|---|---|---|---:|---:|---|"]
    for row in rows:
        verdict = row["verdict"] if row["verdict"].startswith("no") else f"{row['new']} {row['verdict']}"
        lines.append(
            f"| {row['name']} | {row['tokenizer']} | {row['new']} less {row['old']} | "
            f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] | {row['posts']} | {verdict} |"
        )
    return [*lines, ""]


def _bits(bits: Mapping[str, Mapping[str, float]]) -> list[str]:
    if not bits:
        return []
    lines = ["**Bits a character** of held-out dialogues, teacher-forced, without the format; lower is better.", ""]
    lines += ["| model | client and counselor | counselor alone |", "|---|---:|---:|"]
    lines += [f"| {name} | {of['dialogues']:.3f} | {of['answers']:.3f} |" for name, of in bits.items()]
    return [*lines, ""]


def draw_systems(report: Report, path: Path) -> None:
    """Every figure over all posts with its interval, one dot a system; the band reaches from floor to ceiling."""
    names = list(report["systems"])
    keys = ALL[: len(ALL) - len(ALL) % COLUMNS]
    rows = len(keys) // COLUMNS
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(10, (0.9 + 0.35 * len(names)) * rows), layout="constrained")
    for axes, key in zip(grid.flat, keys, strict=True):
        floor, ceiling = _find(report["floor"], key), _find(report["ceiling"], key)
        if floor and ceiling:
            axes.axvspan(floor["value"], ceiling["value"], color=RANGE, linewidth=0)
        for place, name in enumerate(names):
            found = _find(report["systems"][name]["figures"], key)
            axes.plot([found["low"], found["high"]], [place, place], color=SOFT, linewidth=3, solid_capstyle="round")
            axes.plot(found["value"], place, "o", color=INK, markersize=5)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(f"{key[0]}, {key[1]}", fontsize=8, loc="left", color=INK)
        axes.tick_params(labelsize=7, length=2, colors="#444")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    plt.close(figure)
