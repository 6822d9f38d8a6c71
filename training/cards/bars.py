"""What a bundled model must show, against what the reports of a run hold. A figure that no report holds is no failure
and no success: it is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.measure.scorecard import Comparison, Report

OVERLAP = ("BLEU-1", "ROUGE-L", "METEOR", "NAvg")
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Bar:
    """One figure and its bar. `reached` is None where it was not measured."""

    figure: str
    bar: str
    value: str
    interval: str
    reached: bool | None
    sure: bool = True
    """Whether the whole interval lies on the same side of the bar."""


def policy_bars(evaluation: Report | None) -> list[Bar]:
    """The bars of a policy, out of `run/evaluate/report.json`; of the run's last system."""
    systems = evaluation["systems"] if evaluation else {}
    last = list(systems)[-1] if systems else None
    figures = systems[last]["figures"] + systems[last]["readable"] if last else []
    found = {(figure["name"], figure["tokenizer"]): figure for figure in figures}
    compared = [row for row in evaluation["comparisons"] if row["new"] == "grpo"] if evaluation else []
    return [
        _at_least("Format right without forcing", 0.98, found.get(("format", "completions")), percent=True),
        _at_most(
            "Repeated runs of four characters in a response", 0.08, found.get(("response repetition", "characters"))
        ),
        _at_least("L1's content words found in the post", 0.5, found.get(("L1 support", "jieba")), percent=True),
        _at_least("The same over that of another post", 2.0, found.get(("L1 support ratio", "jieba"))),
        _shown_better("GRPO less SFT, graded reward", compared),
        _not_worse("GRPO less SFT, overlap with people's answers", compared),
        _bits("Bits a character of dialogues, pretrained model", 2.7, evaluation),
    ]


def reward_bars(report: Mapping[str, Any]) -> list[Bar]:
    """The bars of a reward model, out of `run/reward/report.json`."""
    shares, intervals = report["pairwise_accuracy"], report["pairwise_interval"]
    over = {
        kind: {"value": share, "low": intervals[kind][0], "high": intervals[kind][1]} for kind, share in shares.items()
    }
    return [
        _at_least("Own answer over that of a random post", 0.97, over["random"], percent=True),
        _at_least("Own answer over the post copied", 0.99, over["echo"], percent=True),
        _at_least("Own answer first of 32", 0.6, report["top_1_of_32"], percent=True),
    ]


def missed(bars: Sequence[Bar]) -> str:
    """In a sentence or two: which bars were not reached, and which figures not measured."""
    failed = [bar.figure for bar in bars if bar.reached is False]
    unknown = [bar.figure for bar in bars if bar.reached is None]
    sentences = [f"**Missed: {'; '.join(failed)}.**"] if failed else []
    sentences += [f"Not measured: {'; '.join(unknown)}."] if unknown else []
    return " ".join(sentences) or "Every bar is reached."


def bar_table(bars: Sequence[Bar]) -> str:
    """The bars as a table for people."""
    verdict = {True: "yes", False: "**no**", None: "–"}
    lines = [
        "| figure, on posts it has not seen | bar | reached | 95 % interval | bar reached |",
        "|---|---|---|---|---|",
    ]
    for bar in bars:
        told = verdict[bar.reached] + ("" if bar.sure else "; the interval contains the bar")
        lines.append(f"| {bar.figure} | {bar.bar} | {bar.value} | {bar.interval} | {told} |")
    return "\n".join(lines)


def _shown(value: float, percent: bool) -> str:
    return f"{value:.1%}" if percent else f"{value:.3g}"


def _against(
    name: str, sign: str, bar: float, figure: Mapping[str, Any] | None, percent: bool, reached: bool | None
) -> Bar:
    aim = f"{sign} {bar:.0%}" if percent else f"{sign} {bar:g}"
    if figure is None:
        return Bar(name, aim, NOT_MEASURED, "–", None)
    low, high = (_shown(figure[end], percent) for end in ("low", "high"))
    sure = not figure["low"] <= bar <= figure["high"]
    return Bar(name, aim, _shown(figure["value"], percent), f"{low} to {high}", reached, sure)


def _at_least(name: str, bar: float, figure: Mapping[str, Any] | None, percent: bool = False) -> Bar:
    return _against(name, "≥", bar, figure, percent, figure and figure["value"] >= bar)


def _at_most(name: str, bar: float, figure: Mapping[str, Any] | None) -> Bar:
    return _against(name, "≤", bar, figure, True, figure and figure["value"] <= bar)


def _difference(row: Comparison) -> tuple[str, str]:
    return f"{row['value']:+.4f}", f"{row['low']:+.4f} to {row['high']:+.4f}"


def _shown_better(name: str, compared: Sequence[Comparison]) -> Bar:
    aim = "> 0, interval without 0"
    for row in compared:
        if row["name"] == "graded reward":
            return Bar(name, aim, *_difference(row), row["verdict"] == "better")
    return Bar(name, aim, NOT_MEASURED, "–", None)


def _not_worse(name: str, compared: Sequence[Comparison]) -> Bar:
    """By characters; the figure shown is NAvg's, the verdict counts all four."""
    rows = {row["name"]: row for row in compared if row["name"] in OVERLAP and row["tokenizer"] == "characters"}
    aim = f"not shown worse in {', '.join(OVERLAP)}"
    if len(rows) < len(OVERLAP):
        return Bar(name, aim, NOT_MEASURED, "–", None)
    worse = [metric for metric, row in rows.items() if row["verdict"] == "worse"]
    value, interval = _difference(rows["NAvg"])
    told = f"NAvg {value}" + (f"; worse in {', '.join(worse)}" if worse else "")
    return Bar(name, aim, told, interval, not worse)


def _bits(name: str, bar: float, evaluation: Report | None) -> Bar:
    bits = evaluation["bits_per_character"].get("base") if evaluation else None
    if bits is None:
        return Bar(name, f"≤ {bar:g}", NOT_MEASURED, "–", None)
    return Bar(name, f"≤ {bar:g}", f"{bits['dialogues']:.3f}", "–", bits["dialogues"] <= bar)
