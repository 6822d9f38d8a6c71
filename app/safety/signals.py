"""What a post says about dying, harm and danger: quoted words and their kind, by the phrases of `signals.toml`.

A finding says what the text says, never how great a risk is; that none is found does not mean that nobody is in danger.
The phrases are made to miss little and so mark too much: a person reads every mark.

- Who: what is said of somebody else, or quoted, is `third_person`. Harm is harm, whoever suffers it.
- No: "我没有想过自杀" is shown as `denied` and still asks for a person, because somebody brought it up, and a denial in
  writing settles nothing. "我不想死" says the reverse of a wish to die, and "他没打过我" is a fact: neither is shown.
- When: what was years ago asks for a person, but not at once; blows that go on do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from app.safety.folding import Folded, fold
from app.safety.signal_context import STOPS, read, young

Kind = Literal[
    "passive_ideation",
    "active_ideation",
    "method",
    "plan",
    "preparation",
    "attempt",
    "self_harm",
    "violence",
    "sexual_assault",
    "minor_at_risk",
    "harm_to_others",
    "third_person",
]
SIGNALS: tuple[Kind, ...] = get_args(Kind)
"""From the wish to be dead to the attempt, as the Columbia scale words it; then harm, and who is in danger."""

Urgency = Literal["act_now", "assess_first"]

_LADDER = SIGNALS[:6]
_OF_ONESELF = {*_LADDER, "self_harm"}
_ACT_NOW = {"plan", "preparation", "attempt"}
_SUFFERED = {"violence", "sexual_assault"}
_MAY_BE_A_CHILD = {*_SUFFERED, "harm_to_others", "self_harm", "third_person"}


@dataclass(frozen=True)
class Signal:
    """The words [start, end) of a post, what they say, and how soon a person must act on them.

    `denied`: the writer says that it is not so.
    """

    kind: Kind
    start: int
    end: int
    urgency: Urgency
    denied: bool = False


def urgency(signals: tuple[Signal, ...]) -> Urgency | None:
    """The greatest of all. None says that nothing was found, not that nothing is there."""
    return min((signal.urgency for signal in signals), default=None)  # "act_now" sorts before "assess_first"


def scan(text: str) -> tuple[Signal, ...]:
    """All signals of a post, in its order."""
    folded = fold(text)
    covered = phrases().harmless.sub(lambda found: "□" * len(found[0]), folded.text)
    signals = list(_signals(folded, covered, beside=False))
    hints = [hint for hint in _signals(folded, covered, beside=True) if _is_free(hint, signals)]
    if any(signal.kind in _LADDER and not signal.denied for signal in signals):
        signals += hints
    elif len({covered[hint.start : hint.end] for hint in hints}) > 1:
        signals += [replace(hint, urgency="assess_first") for hint in hints]
    signals += [minor for minor in _minors(covered, signals) if _is_free(minor, signals)]
    return tuple(_placed(folded, signal) for signal in sorted(signals, key=lambda signal: signal.start))


def _placed(folded: Folded, signal: Signal) -> Signal:
    """The signal with its place in the original, without the stops that some phrases end with."""
    words = folded.text[signal.start : signal.end]
    first = signal.start + len(words) - len(words.lstrip(STOPS))
    last = signal.start + len(words.rstrip(STOPS)) - 1
    return replace(signal, start=folded.places[first], end=folded.places[last] + 1)


def _is_free(one: Signal, others: list[Signal]) -> bool:
    return all(one.end <= other.start or one.start >= other.end for other in others)


class _Rule(NamedTuple):
    kind: Kind
    urgency: Urgency
    beside: bool
    pattern: re.Pattern[str]


class _Found(NamedTuple):
    start: int
    end: int
    rule: _Rule


class Phrases(NamedTuple):
    """What `signals.toml` holds, and the day on which somebody last read all of it."""

    reviewed_on: date
    rules: tuple[_Rule, ...]
    harmless: re.Pattern[str]


@cache
def phrases() -> Phrases:
    """The phrases, compiled."""
    values = tomllib.loads(Path(__file__).with_name("signals.toml").read_text("utf-8"))
    words: dict[str, str] = values["words"]

    def compiled(any_of: list[str]) -> re.Pattern[str]:
        parts = [re.sub(r"\{([a-z]+)\}", lambda name: f"(?:{words[name[1]]})", part) for part in any_of]
        return re.compile("|".join(parts).replace("~", f"[^{STOPS}]"))

    rules = [
        _Rule(
            entry["kind"],
            entry.get("urgency", "act_now" if entry["kind"] in _ACT_NOW else "assess_first"),
            entry.get("beside", False),
            compiled(entry["any"]),
        )
        for entry in values["phrases"]
    ]
    return Phrases(values["reviewed_on"], tuple(rules), compiled(values["harmless"]["any"]))


def _signals(folded: Folded, text: str, *, beside: bool) -> Iterator[Signal]:
    every = [
        _Found(*match.span(), rule)
        for rule in phrases().rules
        if rule.beside == beside
        for match in rule.pattern.finditer(text)
        if match[0]
    ]
    # Of two that overlap the longer stands (想割腕, not 割腕), then the more urgent, then the higher on the ladder.
    every.sort(key=lambda one: (one.start - one.end, one.rule.urgency, -SIGNALS.index(one.rule.kind)))
    taken = bytearray(len(text))
    for one in every:
        if not any(taken[one.start : one.end]) and (signal := _read(folded, text, one)):
            taken[one.start : one.end] = b"1" * (one.end - one.start)
            yield signal


def _read(folded: Folded, text: str, found: _Found) -> Signal | None:
    start, end, (kind, urgency, _, _) = found
    context = read(folded, text, start, end)
    if kind in _SUFFERED and context.denied or kind == "passive_ideation" and context.reversed:
        return None
    if kind in _SUFFERED and context.recent:
        urgency = "act_now"
    if kind in _OF_ONESELF and context.of_another:
        kind = "third_person"
    if context.denied or context.past:
        urgency = "assess_first"
    return Signal(kind, start, end, urgency, context.denied)


def _minors(text: str, signals: list[Signal]) -> Iterator[Signal]:
    """Beside a signal, the words that say that the writer, or a child that it may be about, is not of age."""
    kinds = {signal.kind for signal in signals if not signal.denied}
    if kinds and (words := young(text, children=bool(kinds & _MAY_BE_A_CHILD))):
        yield Signal("minor_at_risk", *words, "act_now" if kinds & _SUFFERED else "assess_first")
