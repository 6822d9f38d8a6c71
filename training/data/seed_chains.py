"""The hand-written chains of `training/seed_chains`: reading them, and the checks that each of them must pass."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jieba
import numpy as np

from app.chain import LAYERS, Response, post_text
from app.safety.help_lines import help_lines
from app.safety.signals import SIGNALS
from training.data.duplicates import runs
from training.data.topics import taxonomy
from training.measure.metrics import echoed

FOLDER = Path(__file__).parents[1] / "seed_chains"
NEGATIVES = FOLDER / "negatives" / "triples.jsonl"

VOICES = (
    "long-winded",
    "curt",
    "angry",
    "numb",
    "ironic",
    "matter-of-fact",
    "apologetic",
    "scattered",
    "hopeful",
)
AGES = range(14, 71)
PLACES = ("city", "county", "village", "abroad")

LENGTHS = {
    # Characters in Chinese, words in English.
    "zh": {"title": (4, 40), "description": (150, 600), "layer": (40, 300), "answer": (350, 900)},
    "en": {"title": (3, 16), "description": (90, 420), "layer": (25, 180), "answer": (200, 600)},
}
SHARED_RUN = {"zh": 9, "en": 7}
"""A run of so many characters (words in English) may stand in two instances, not in three."""
OPENER = {"zh": 6, "en": 4}
"""So many characters (words) at the beginning of an answer, and no two answers begin with the same."""
CORPUS_RUN_CHARS = 13
MIN_PARTICULARS = 3
PARTICULAR_SHARE = 0.1
"""A word is a particular of a post if it stands in at most this share of all posts."""
MIN_DISTINCT_1 = 0.375

PER_TOPIC = 6
TOTAL = {"zh": 240, "en": 24}
WITH_SIGNALS = 30

TRIPLES = 60
MIN_ECHO = 0.7
MAX_GENERIC_ECHO = 0.1

_KEYS = (
    "id",
    "language",
    "topic",
    "subtopic",
    "title",
    "description",
    *(layer.tag for layer in LAYERS),
    "answer",
    "signals",
    "writer",
    "voice",
    "second_reading",
)
_NUMBER = re.compile(r"(?<![\d-])(?:0\d{2,3}-)?\d{5,8}(?![\d-])|(?<!\d)(?:110|120)(?!\d)")
_LIST = re.compile(r"^\s*(?:\d{1,2}[.、)）]\s*[^\d\s]|[-*•·]\s*\S)", re.MULTILINE)
_STOCK_OPENING = re.compile(
    r"看到你的来信|读完你的信|亲爱的|题主|抱抱|感谢|谢谢你的信任|你好[，,！!]|我能感受到"
    r"|thank you for|i hear you|i'm so sorry",
    re.IGNORECASE,
)
_STOCK_ENDING = re.compile(
    r"(?:愿你|祝你|祝您|愿您)[^。！]*[。！]?$|加油[。！]?$|(?:都|一定)会好(?:起来)?的[。！]?$"
    r"|hang in there\W*$|will get better\W*$",
    re.IGNORECASE,
)
OPENING_CHARS = 16


@dataclass(frozen=True)
class SeedChain:
    """One instance: a post, its response, and what is known about both."""

    id: str
    language: str
    topic: str
    subtopic: str
    title: str
    description: str
    response: Response
    signals: tuple[str, ...]
    writer: dict[str, Any]
    voice: str
    second_reading: str

    @property
    def post(self) -> str:
        return post_text(self.title, self.description)

    @property
    def answer(self) -> str:
        return self.response.answer

    @property
    def text(self) -> str:
        """Everything a model reads or writes of it."""
        return "\n".join((self.post, *self.response.parts().values()))


def _build(values: dict[str, Any]) -> SeedChain:
    if tuple(values) != _KEYS:
        raise ValueError(f"its keys are {', '.join(values)}; they must be {', '.join(_KEYS)}, in this order")
    if values["language"] not in LENGTHS:
        raise ValueError(f"its language is {values['language']}; known are {', '.join(LENGTHS)}")
    parts = {name: values.pop(name) for name in (*(layer.tag for layer in LAYERS), "answer")}
    return SeedChain(**{**values, "signals": tuple(values["signals"]), "response": Response(**parts)})


def _lines(path: Path) -> Iterator[str]:
    # Not `splitlines`: it breaks at signs that may stand inside a JSON string.
    with path.open(encoding="utf-8") as lines:
        yield from lines


def read_seed_chains(folder: Path = FOLDER) -> list[SeedChain]:
    """All instances, file by file.

    Raises:
        ValueError: naming file and line of the first that is not in the format.
    """
    chains = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(_lines(path), 1):
            try:
                chains.append(_build(json.loads(line)))
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{path.name}:{number}: {error}.") from None
    return chains


@dataclass(frozen=True)
class Triple:
    """Three answers to the post of an instance that must score below its own."""

    id: str
    mismatched: str
    generic: str
    echo: str


def read_triples(path: Path = NEGATIVES) -> list[Triple]:
    """The triples of wrong answers."""
    return [Triple(**json.loads(line)) for line in _lines(path)]


def check_triples(triples: list[Triple], chains: list[SeedChain]) -> Iterator[tuple[str, str]]:
    """(id, fault) of the triples: an echo is made of the post, the two others are not."""
    known = {chain.id: chain for chain in chains}
    if len(triples) < TRIPLES:
        yield "triples", f"{len(triples)} triples, {TRIPLES} are asked for"
    for triple in triples:
        if triple.id not in known:
            yield triple.id, "a triple of an instance that is not there"
            continue
        post = known[triple.id].post
        if (share := echoed(triple.echo, post)) < MIN_ECHO:
            yield triple.id, f"the echo takes {share:.0%} of its text from the post, {MIN_ECHO:.0%} is asked for"
        if (share := echoed(triple.generic, post)) > MAX_GENERIC_ECHO:
            yield triple.id, f"the generic answer takes {share:.0%} of its text from the post"
        if echoed(triple.mismatched, post) >= MIN_ECHO:
            yield triple.id, "the mismatched answer is an echo"
    for name, times in Counter(triple.id for triple in triples).items():
        if times > 1:
            yield name, f"{times} triples of one instance"


def words(text: str, language: str) -> list[str]:
    """Tokens of a text: jieba's words in Chinese, lower-case words in English; no punctuation."""
    if language == "en":
        return re.findall(r"[a-z']+", text.lower())
    return [word for word in jieba.lcut(text) if word[0].isalnum()]


def distinct_1(text: str, language: str) -> float:
    """Different words over all words of one text."""
    tokens = words(text, language)
    return len(set(tokens)) / len(tokens)


def size(text: str, language: str) -> int:
    """Characters in Chinese, words in English."""
    return len(text.split()) if language == "en" else len(text)


def check_form(chain: SeedChain) -> Iterator[str]:
    """What is wrong with an instance by itself."""
    topic = taxonomy().get(chain.topic)
    if topic is None:
        yield f"topic {chain.topic} is not in topics.toml"
    elif chain.subtopic not in topic.subtopics:
        yield f"subtopic {chain.subtopic} is not among {', '.join(topic.subtopics)}"
    yield from _check_facts(chain)
    limits = LENGTHS[chain.language]
    parts = {"title": chain.title, "description": chain.description, **chain.response.parts()}
    for name, text in parts.items():
        shortest, longest = limits.get(name) or limits["layer"]
        if not shortest <= size(text, chain.language) <= longest:
            yield f"{name} has {size(text, chain.language)}, and {shortest} to {longest} are allowed"
    if found := _LIST.search(chain.answer):
        yield f"the answer holds a list: {found[0]!r}"
    if found := _STOCK_OPENING.search(chain.answer[:OPENING_CHARS]) or _STOCK_ENDING.search(chain.answer):
        yield f"the answer begins or ends with a stock phrase: {found[0]!r}"
    yield from _check_help(chain)


def _check_facts(chain: SeedChain) -> Iterator[str]:
    writer = chain.writer
    if chain.id.rpartition("-")[0] != (chain.topic if chain.language == "zh" else f"{chain.language}-{chain.topic}"):
        yield f"its id does not begin with its topic {chain.topic}"
    if set(writer) != {"age", "gender", "place"} or writer["age"] not in AGES:
        yield f"writer is {writer}; it needs age (14-70), gender and place"
    elif writer["gender"] not in ("f", "m") or writer["place"] not in PLACES:
        yield f"writer is {writer}; gender is f or m, place one of {', '.join(PLACES)}"
    if chain.voice not in VOICES:
        yield f"voice {chain.voice} is not among {', '.join(VOICES)}"
    for signal in chain.signals:
        if signal not in SIGNALS:
            yield f"signal {signal} is not among {', '.join(SIGNALS)}"
    if not chain.second_reading.strip():
        yield "no second reading is noted"


def _check_help(chain: SeedChain) -> Iterator[str]:
    chinese = chain.language == "zh"
    known = {line.number for line in help_lines() if line.region.startswith("CN") == chinese}
    named = {number for number in known if re.search(rf"(?<!\d){number}(?!\d)", chain.answer)}
    unknown = set(_NUMBER.findall(chain.answer)) - known
    if unknown:
        yield f"the answer names {', '.join(sorted(unknown))}, which help_lines.toml does not hold"
    if chain.signals and not named:
        yield "it carries signals, and the answer names no help line"
    if chain.signals and not re.search("[？?]", chain.answer):
        yield "it carries signals, and the answer asks no question"
    if not chain.signals and named:
        yield "the answer names a help line, and the instance carries no signal"


def _units(text: str, language: str) -> list[str]:
    return text.split() if language == "en" else list(text)


@cache
def _fixed_phrases() -> re.Pattern[str]:
    """What may recur: the names of help lines, with their numbers."""
    names = "|".join(re.escape(line.zh) for line in help_lines())
    numbers = "|".join(re.escape(line.number) for line in help_lines())
    return re.compile(rf"(?:{names})[\s（(：:]*(?:{numbers})?|(?:{numbers})")


def check_shared_runs(chains: list[SeedChain]) -> Iterator[tuple[str, str]]:
    """(id, fault) for every run of words that three or more instances share; longest form of each, once."""
    for language, length in SHARED_RUN.items():
        holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
        some = [chain for chain in chains if chain.language == language]
        for position, chain in enumerate(some):
            for stretch in _fixed_phrases().split(chain.text):
                units = _units(stretch, language)
                for start in range(len(units) - length + 1):
                    holders[tuple(units[start : start + length])].add(position)
        for run, positions in holders.items():
            if len(positions) > 2:
                joined = (" " if language == "en" else "").join(run)
                ids = ", ".join(some[position].id for position in sorted(positions))
                yield some[max(positions)].id, f"{joined!r} stands in {ids}; two may share it"


def check_openers(chains: list[SeedChain]) -> Iterator[tuple[str, str]]:
    """(id, fault) for every answer that begins like another, and every title that is used twice."""
    seen: dict[str, str] = {}
    for chain in chains:
        opener = "".join(_units(chain.answer, chain.language)[: OPENER[chain.language]])
        for key in (opener, chain.title):
            if key in seen:
                yield chain.id, f"{key!r} also begins or heads {seen[key]}"
            seen[key] = chain.id


def particulars(chains: list[SeedChain]) -> dict[str, set[str]]:
    """By id, the words of each answer that are particular to its post."""
    spoken = {chain.id: _content(chain.post, chain.language) for chain in chains}
    frequency = Counter(word for found in spoken.values() for word in found)
    common = max(2, PARTICULAR_SHARE * len(chains))
    taken_up = {chain.id: spoken[chain.id] & _content(chain.answer, chain.language) for chain in chains}
    return {name: {word for word in found if frequency[word] <= common} for name, found in taken_up.items()}


def _content(text: str, language: str) -> set[str]:
    shortest = 4 if language == "en" else 2
    return {word for word in words(text, language) if len(word) >= shortest}


def check_particulars(chains: list[SeedChain]) -> Iterator[tuple[str, str]]:
    """(id, fault) for every answer that takes up too little of its post."""
    for language in LENGTHS:
        for name, found in particulars([chain for chain in chains if chain.language == language]).items():
            if len(found) < MIN_PARTICULARS:
                yield name, f"the answer takes up {len(found)} particulars of the post ({', '.join(sorted(found))})"


def check_corpora(chains: list[SeedChain], texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(id, fault) for every Chinese instance that shares a run of 13 characters with a text of the corpora.

    In English 13 letters are three words, which anybody may write, and the corpora hold next to none of it.
    """
    owned = {chain.id: runs(chain.text, CORPUS_RUN_CHARS) for chain in chains if chain.language == "zh"}
    ours = np.unique(np.concatenate(list(owned.values())))
    seen = np.zeros(len(ours), bool)
    for text in texts:
        hashes = runs(text, CORPUS_RUN_CHARS)
        places = np.minimum(np.searchsorted(ours, hashes), len(ours) - 1)
        seen[places[ours[places] == hashes]] = True
    for name, hashes in owned.items():
        if shared := int(np.isin(hashes, ours[seen]).sum()):
            yield name, f"{shared} runs of {CORPUS_RUN_CHARS} characters also stand in the corpora"


def check_coverage(chains: list[SeedChain]) -> Iterator[tuple[str, str]]:
    """("all", fault) where numbers, topics or signals fall short."""
    for language, total in TOTAL.items():
        found = sum(chain.language == language for chain in chains)
        if found < total:
            yield "all", f"{found} instances in {language}, {total} are asked for"
    chinese = [chain for chain in chains if chain.language == "zh"]
    per_topic = Counter(chain.topic for chain in chinese)
    subtopics = {(chain.topic, chain.subtopic) for chain in chinese}
    for topic in taxonomy().values():
        if per_topic[topic.id] < PER_TOPIC:
            yield "all", f"{per_topic[topic.id]} instances of {topic.id}, {PER_TOPIC} are asked for"
        for name in topic.subtopics:
            if (topic.id, name) not in subtopics:
                yield "all", f"no instance of {topic.id}, {name}"
    if (signals := sum(bool(chain.signals) for chain in chinese)) < WITH_SIGNALS:
        yield "all", f"{signals} instances with signals, {WITH_SIGNALS} are asked for"
    mean = sum(distinct_1(chain.answer, chain.language) for chain in chains) / max(1, len(chains))
    if mean < MIN_DISTINCT_1:
        yield "all", f"Distinct-1 is {mean:.3f} in the mean over answers, {MIN_DISTINCT_1} is asked for"
    for name, times in Counter(chain.id for chain in chains).items():
        if times > 1:
            yield name, f"{times} instances have this id"


SET_CHECKS: tuple[Callable[[list[SeedChain]], Iterator[tuple[str, str]]], ...] = (
    check_coverage,
    check_openers,
    check_shared_runs,
    check_particulars,
)


def faults(chains: list[SeedChain], triples: list[Triple], texts: Iterable[str] = ()) -> list[str]:
    """Everything that is wrong, one sentence each; `texts` are the corpora, where they are at hand."""
    found = [(chain.id, fault) for chain in chains for fault in check_form(chain)]
    for check in SET_CHECKS:
        found += check(chains)
    found += check_triples(triples, chains)
    found += check_corpora(chains, texts)
    return [f"{name}: {fault}" for name, fault in found]
