"""What a draft may not say, and what it fails to say: a list of findings for the counselor, not a verdict.

Phrases are in `lint.toml`; what takes more is in `lint_facts.py` and `lint_form.py`. A draft without findings is not a
safe draft: rules see forms of words, and there are more ways to promise or to blame than any list holds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from app.safety import lint_facts, lint_form
from app.safety.lint_form import Found, Span, sentences, unquoted

Severity = Literal["block", "warn"]

SEVERITY: dict[str, Severity] = {
    "method": "block",
    "hopelessness": "block",
    "missing_question": "block",
    "missing_line": "block",
    "unverified_number": "block",
    "medication_change": "block",
    "diagnosis": "block",
    "secrecy": "block",
    "contact": "block",
    "blame": "block",
    "medication": "warn",
    "promise": "warn",
    "persona": "warn",
    "wrong_person": "warn",
    "invented_number": "warn",
    "invented_source": "warn",
    "invented_name": "warn",
    "preaching": "warn",
    "opener": "warn",
    "list": "warn",
    "echo": "warn",
    "repetition": "warn",
}
"""All rules, the gravest first. What blocks needs a typed reason to pass."""


@dataclass(frozen=True)
class Finding:
    """One finding: the rule, its words at [start, end) of the draft and the sentence they stand in.

    All places are None, and the quote is empty, for what is missing.
    """

    rule: str
    severity: Severity
    start: int | None
    end: int | None
    sentence: Span | None
    quote: str


def lint(draft: str, post: str, signals: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """The findings in a draft that answers a post, in the order of the draft; at the end, what is missing.

    Args:
        draft: the answer, not the layers.
        post: title and description; what stands in it is not invented.
        signals: kinds of the signals that stand for this post.
    """
    parts = sentences(draft)
    plain = draft.translate(_NARROW)
    told = post.translate(_NARROW)
    found = [
        *_phrases(plain, told, parts),
        *lint_facts.check(plain, told, parts),
        *lint_form.check(plain, told, parts),
    ]
    present = [
        Finding(rule, SEVERITY[rule], start, end, _around(parts, start), draft[start:end])
        for rule, start, end in _widest(found)
    ]
    missing = [
        Finding(rule, SEVERITY[rule], None, None, None, "") for rule in lint_facts.missing(plain, parts, signals)
    ]
    return (*present, *missing)


def _widest(found: list[Found]) -> Iterator[Found]:
    """In the order of the draft, without those inside another of the same rule."""
    ends: dict[str, int] = {}
    for rule, start, end in sorted(found, key=lambda each: (each[1], -each[2], each[0])):
        if end > ends.get(rule, -1):
            ends[rule] = end
            yield rule, start, end


# Full-width signs are read as their narrow twins, one for one, so that places hold. Chinese punctuation stays.
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F) if chr(wide) not in "！（），：；？"}


@dataclass(frozen=True)
class _Rule:
    """A table `[[rule]]` of lint.toml, where the keys are explained."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    quoted: bool
    known: bool
    post_says: re.Pattern[str] | None
    before: tuple[re.Pattern[str], ...]
    after: re.Pattern[str] | None
    sentence: re.Pattern[str] | None


@cache
def _rules() -> tuple[_Rule, ...]:
    values = tomllib.loads(Path(__file__).with_name("lint.toml").read_text("utf-8"))
    denial = re.compile(values["denial"])
    return tuple(_rule(table, denial) for table in values["rule"])


def _rule(table: dict[str, Any], denial: re.Pattern[str]) -> _Rule:
    def compiled(key: str) -> re.Pattern[str] | None:
        return re.compile(table[key]) if key in table else None

    before = compiled("unless_before")
    return _Rule(
        name=table["name"],
        patterns=tuple(map(re.compile, table["patterns"])),
        quoted=table.get("quoted", False),
        known=table.get("known", False),
        post_says=compiled("post_says"),
        before=(*((denial,) if table.get("denied") else ()), *((before,) if before else ())),
        after=compiled("unless_after"),
        sentence=compiled("unless_sentence"),
    )


def _phrases(draft: str, post: str, parts: list[Span]) -> Iterator[Found]:
    spoken = unquoted(draft)
    for rule in _rules():
        end = 0
        for match in sorted(_matches(rule, draft if rule.quoted else spoken), key=lambda match: match.span()):
            if match.start() >= end and _stands(rule, match, post, parts):
                end = match.end()
                yield rule.name, match.start(), end


def _matches(rule: _Rule, text: str) -> list[re.Match[str]]:
    if rule.name == "opener":
        first = len(text) - len(text.lstrip())
        return [match for pattern in rule.patterns if (match := pattern.match(text, first))]
    return [match for pattern in rule.patterns for match in pattern.finditer(text) if match[0]]


def _stands(rule: _Rule, match: re.Match[str], post: str, parts: list[Span]) -> bool:
    text, (start, end) = match.string, match.span()
    first, last = _around(parts, start) or (start, end)
    if any(pattern.search(text, first, start) for pattern in rule.before):
        return False
    if rule.after and rule.after.match(text, end, max(last, end)):
        return False
    if rule.sentence and rule.sentence.search(text, first, last):
        return False
    told = (match.groupdict().get("it") or match[0]) in post
    return not (rule.known and told and (rule.post_says is None or rule.post_says.search(post)))


def _around(parts: list[Span], place: int) -> Span | None:
    return next((part for part in parts if part[0] <= place < part[1]), None)
