"""Topics: the taxonomy of `topics.toml`, and two ways to read a post's topic.

`label` counts the words of the taxonomy. `label_all` goes on from there: a naive Bayes model over characters and pairs
of characters is learned from the posts that the words labelled, and both decide together.
"""

from __future__ import annotations

import math
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from training.data.duplicates import runs

TITLE_WEIGHT = 8
"""How much a word in the title counts against one in the description. Chosen on the 60 labelled posts kept for that."""
WORDS_SHARE = 1.0
"""How much the words count beside the model learned from them. This and the next three are chosen on the same posts."""
GRAM_HASHES = 1 << 16
CERTAINTY = 1.5
"""How strongly the words of a post are believed while the model learns."""
FILLING = 100_000.0
"""How many grams of the common language each topic is filled up with."""
KNOWN_WEIGHT = 3.0
"""How many posts one whose topic is known stands for."""
SHARPNESS = 30.0
"""Turns a mean log-likelihood a gram into one of a post: grams overlap, so counting each in full would be too sure."""


@dataclass(frozen=True)
class Subtopic:
    """A part of a topic; `words` point to it."""

    zh: str
    en: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """One main topic: its id, its names, its words and its parts by Chinese name."""

    id: str
    zh: str
    en: str
    words: tuple[str, ...]
    subtopics: dict[str, Subtopic]


@cache
def taxonomy() -> dict[str, Topic]:
    """All topics by id, in the order of the file."""
    topics = {}
    for value in tomllib.loads(Path(__file__).with_name("topics.toml").read_text("utf-8"))["topic"]:
        parts = [Subtopic(part["zh"], part["en"], tuple(part["words"].split())) for part in value["subtopics"]]
        topics[value["id"]] = Topic(
            value["id"], value["zh"], value["en"], tuple(value["words"].split()), {part.zh: part for part in parts}
        )
    return topics


Post = tuple[str, str]
"""(title, description)."""


class WordIndex:
    """Finds the words of the taxonomy in a text, with one look-up for each of its characters."""

    def __init__(self) -> None:
        self._starting: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self.places: list[tuple[int, str]] = []
        """For each word, the position of its topic and the name of its part (empty for a word of the topic itself)."""
        for place, topic in enumerate(taxonomy().values()):
            self._add(topic.words, place, "")
            for part in topic.subtopics.values():
                self._add(part.words, place, part.zh)

    def _add(self, words: tuple[str, ...], topic: int, part: str) -> None:
        for word in words:
            self._starting[word[:2]].append((word, len(self.places)))
            self.places.append((topic, part))

    def count(self, text: str) -> dict[int, int]:
        """How often each word, by its number, stands in a text."""
        counts: dict[int, int] = defaultdict(int)
        for position in range(len(text)):
            # At the end of the text both keys would be the same.
            for key in (text[position], text[position : position + 2])[: len(text) - position]:
                for word, number in self._starting.get(key, ()):
                    if text.startswith(word, position):
                        counts[number] += 1
        return counts


@cache
def _index() -> WordIndex:
    return WordIndex()


def _word_scores(post: Post) -> tuple[np.ndarray, dict[tuple[int, str], float]]:
    """The score of each topic, (K,), and of each part: words used, repeated ones counting less and less."""
    title, description = post
    counts = _index().count(description)
    for number, times in _index().count(title).items():
        counts[number] += TITLE_WEIGHT * times
    topics = np.zeros(len(taxonomy()))
    parts: dict[tuple[int, str], float] = defaultdict(float)
    for number, times in counts.items():
        topic, part = _index().places[number]
        topics[topic] += math.log1p(times)
        parts[topic, part] += math.log1p(times)
    return topics, parts


def _named(topic: int, parts: dict[tuple[int, str], float]) -> tuple[str, str]:
    chosen = list(taxonomy().values())[topic]
    return chosen.id, max(chosen.subtopics, key=lambda part: parts[topic, part])


def label(post: Post) -> tuple[str, str]:
    """(topic, subtopic) of a post by the words of the taxonomy alone."""
    topics, parts = _word_scores(post)
    return _named(int(topics.argmax()), parts)


def label_all(posts: Sequence[Post], known: Sequence[tuple[Post, str]] = ()) -> list[tuple[str, str]]:
    """(topic, subtopic) of each post, by its words and by a model learned from what the words say about all of them.

    Args:
        posts: the posts to be labelled, which are also what is learned from.
        known: posts whose topic is known, e.g. the seed chains.
    """
    places = {name: place for place, name in enumerate(taxonomy())}
    read = [(_grams(post), _word_scores(post)) for post in posts]
    counts = np.zeros((GRAM_HASHES, len(places)), np.float32)  # (D, K)
    for (grams, times), (topics, _) in read:
        counts[grams] += times[:, None] * _softmax(CERTAINTY * topics)
    # A rare topic has seen few grams; it is filled up with what all posts say, or it would never be chosen.
    common = counts.sum(axis=1) + 0.1
    common *= FILLING / common.sum()
    for post, topic in known:
        grams, times = _grams(post)
        counts[grams, places[topic]] += KNOWN_WEIGHT * times
    log_likelihood = np.log((counts + common[:, None]) / (counts.sum(axis=0) + FILLING))
    labels = []
    for (grams, times), (topics, parts) in read:
        mean = times @ log_likelihood[grams] / max(1.0, times.sum())
        labels.append(_named(int((SHARPNESS * mean + WORDS_SHARE * topics).argmax()), parts))
    return labels


def _grams(post: Post) -> tuple[np.ndarray, np.ndarray]:
    """Hashed characters and pairs of a post (N,), and how much each counts (N,); the title's count twice."""
    title, description = post
    hashes = np.concatenate([runs(text, length) for length in (1, 2) for text in (description, title, title)])
    grams, times = np.unique((hashes % np.uint64(GRAM_HASHES)).astype(np.int64), return_counts=True)
    return grams, np.log1p(times).astype(np.float32)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
