"""The automatic metrics of arXiv:2509.14851, section 4.1.1, and measures of chains, as pure functions over tokens.

All of them depend on how Chinese is cut, which the paper does not tell; its ROUGE-L, 0.013 to 0.126, looks like that of
a tokenizer which drops Chinese. So every result names its tokenizer, and is read between two others: `human_ceiling`,
what people reach against each other, and `evaluate` of people's answers to other posts, which come near to it.

No judge and no model: they tell how near an answer is to others' words, not whether it is a good one. Intervals
and the comparison of two systems are those of `training.measure.intervals`.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import fmean

import jieba
import numpy as np

from app.chain import LAYERS, Response
from training.measure.intervals import SEED, Metric, Scores, summary

jieba.setLogLevel(logging.WARNING)  # else it tells of its dictionary in every process

MAX_REFERENCES = 5
REPEATED_RUN = 4
"""Tokens in a run whose second occurrence counts as repetition."""
ECHO_RUN_CHARS = 4
MIN_CONTENT_CHARS = 2

Tokens = Sequence[str]
Post = tuple[str, Sequence[str]]
"""A post and people's answers to it, the references."""


def characters(text: str) -> list[str]:
    """Every character but white space, punctuation included: `tokenize="char"` of sacrebleu."""
    return [character for character in text if not character.isspace()]


@lru_cache(maxsize=64)
def words(text: str) -> Tokens:
    """jieba's words, punctuation included, white space not."""
    return tuple(word for word in jieba.lcut(text) if not word.isspace())


TOKENIZERS: dict[str, Callable[[str], Tokens]] = {"characters": characters, "jieba": words}


def bleu_1(candidate: Tokens, reference: Tokens) -> float:
    """Papineni et al. (2002), unigrams:  min(1, e^(1 - r/c)) * (tokens the reference holds too) / c

    A token counts at most as often as the reference holds it; c and r are the two lengths. No smoothing.
    """
    if not candidate:
        return 0.0
    shared = (Counter(candidate) & Counter(reference)).total()
    return min(1.0, math.exp(1 - len(reference) / len(candidate))) * shared / len(candidate)


def rouge_l(candidate: Tokens, reference: Tokens) -> float:
    """Lin (2004), F1:  2 L / (c + r),  L the length of the longest common subsequence of the two whole texts."""
    if not candidate or not reference:
        return 0.0
    return 2 * _common_subsequence(candidate, reference) / (len(candidate) + len(reference))


def _common_subsequence(one: Tokens, other: Tokens) -> int:
    """The length of the longest, by Hyyrö's bit-parallel row: one addition a token in place of a row of a table."""
    places: dict[str, int] = defaultdict(int)
    for position, token in enumerate(one):
        places[token] |= 1 << position
    full = row = (1 << len(one)) - 1  # A bit is cleared where the length grows.
    for token in other:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(one) - row.bit_count()


def meteor(candidate: Tokens, reference: Tokens) -> float:
    """Banerjee and Lavie (2005):  10 P R / (R + 9 P) * (1 - 0.5 (chunks / matches)^3)

    Deviation: tokens match where they are equal. The published stages for stems and synonyms have nothing to work on:
    Chinese words have no endings to take off, and WordNet is English. Of the alignments with the most matches, the
    published one has the fewest crossings; this is nltk's, which pairs equal tokens from the end of both texts.
    A text against itself has one chunk and so 1 - 0.5 / c^3, not 1.
    """
    unused: dict[str, list[int]] = defaultdict(list)
    for position, token in enumerate(reference):
        unused[token].append(position)
    pairs = [
        (position, unused[candidate[position]].pop())
        for position in reversed(range(len(candidate)))
        if unused.get(candidate[position])
    ]
    if not pairs:
        return 0.0
    chunks = 1 + sum((later[0] - 1, later[1] - 1) != earlier for later, earlier in pairwise(pairs))
    precision, recall = len(pairs) / len(candidate), len(pairs) / len(reference)
    return 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (chunks / len(pairs)) ** 3)


AGAINST_A_REFERENCE = {"BLEU-1": bleu_1, "ROUGE-L": rouge_l, "METEOR": meteor}


def distinct_1(tokens: Tokens) -> float:
    """Li et al. (2016), within one text: different tokens over all. It falls with length: compare equal lengths."""
    return len(set(tokens)) / len(tokens) if tokens else 0.0


def repetition(tokens: Tokens) -> float:
    """The share of a text's runs of four tokens that stood in it before; 0 for fewer than four tokens."""
    runs = [tuple(tokens[start : start + REPEATED_RUN]) for start in range(len(tokens) - REPEATED_RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def echoed(text: str, post: str) -> float:
    """The part of a text's characters that lie in runs of four which the post holds too, 我 and 你 taken as one."""
    one_person = str.maketrans("我", "你")
    text, post = text.translate(one_person), post.translate(one_person)
    covered = [False] * len(text)
    for start in range(len(text) - ECHO_RUN_CHARS + 1):
        if text[start : start + ECHO_RUN_CHARS] in post:
            covered[start : start + ECHO_RUN_CHARS] = [True] * ECHO_RUN_CHARS
    return sum(covered) / max(1, len(text))


def support(layer: str, post: str) -> float:
    """The share of a layer's content words (different words of two characters or more) that the post holds.

    A layer rightly holds words of its own; only what it reaches above other people's posts is said about this one.
    """
    content = {word for word in words(layer) if len(word) >= MIN_CONTENT_CHARS and word[0].isalnum()}
    return sum(word in post for word in content) / max(1, len(content))


def evaluate(posts: Sequence[Post], answers: Sequence[str]) -> list[Metric]:
    """The four metrics of the paper, their plain mean NAvg, repetition, length and echo of one answer a post.

    Multi-reference as the paper's: the mean over the first five references, not the best of them, so that their number
    moves no score. An empty answer scores 0.

    Raises:
        ValueError: if there are no posts, not an answer for each, or a post without a reference.
    """
    return summary(answer_scores(posts, answers))


def answer_scores(posts: Sequence[Post], answers: Sequence[str]) -> list[Scores]:
    """The scores behind `evaluate`, one row a post; an empty answer scores 0 in all of them.

    Raises:
        ValueError: as `evaluate`.
    """
    _check_pairs(posts, answers)
    if bare := [number for number, (_, references) in enumerate(posts, 1) if not references]:
        raise ValueError(f"Post {bare[0]} of {len(posts)} has no reference; leave out such posts ({len(bare)}).")
    pairs = zip(posts, answers, strict=True)
    return [_answer_scores(post, answer, references) for (post, references), answer in pairs]


def human_ceiling(posts: Sequence[Post]) -> list[Metric]:
    """The same of people: each answer against the others of its post, mean over a post's answers.

    Posts with one answer are left out, so that `posts` is fewer than in `evaluate`.

    Raises:
        ValueError: if no post has two answers.
    """
    rows = []
    for post, answers in posts:
        others = [[*answers[:place], *answers[place + 1 :]] for place in range(len(answers))]
        if len(answers) > 1:
            each = [_answer_scores(post, answer, rest) for answer, rest in zip(answers, others, strict=True)]
            rows.append({key: fmean(scores[key] for scores in each) for key in each[0]})
    if not rows:
        raise ValueError(f"None of {len(posts)} posts has two answers; people cannot be compared with each other.")
    return summary(rows)


def evaluate_chains(posts: Sequence[str], responses: Sequence[Response]) -> list[Metric]:
    """Length, echo and support of each layer, and the repetition within a chain, of one response a post.

    "Support, other post" is that of the same layer in the post of another response: what any post would give.

    Raises:
        ValueError: if there is not a response for each post, or there are fewer than two posts.
    """
    return summary(chain_scores(posts, responses))


def chain_scores(posts: Sequence[str], responses: Sequence[Response]) -> list[Scores]:
    """The scores behind `evaluate_chains`, one row a post.

    Raises:
        ValueError: as `evaluate_chains`.
    """
    _check_pairs(posts, responses)
    if len(posts) < 2:
        raise ValueError("There is 1 post; support is told from chance by other posts, so give 2 or more.")
    order = np.random.default_rng(SEED).permutation(len(posts))
    other = dict(zip(order, np.roll(order, 1), strict=True))  # One cycle: no post meets its own layers again.
    pairs = enumerate(zip(posts, responses, strict=True))
    return [_chain_scores(post, posts[other[place]], response) for place, (post, response) in pairs]


def _answer_scores(post: str, answer: str, references: Sequence[str]) -> Scores:
    scores: Scores = {}
    for tokenizer, cut in TOKENIZERS.items():
        tokens = cut(answer)
        others = [cut(reference) for reference in references[:MAX_REFERENCES]]
        named = {name: fmean(metric(tokens, one) for one in others) for name, metric in AGAINST_A_REFERENCE.items()}
        named["Distinct-1"] = distinct_1(tokens)
        named |= {"NAvg": fmean(named.values()), "repetition": repetition(tokens), "length": len(tokens)}
        scores |= {(name, tokenizer): value for name, value in named.items()}
    return scores | {("echo", "characters"): echoed(answer, post)}


def _chain_scores(post: str, other_post: str, response: Response) -> Scores:
    layers = {layer.tag: response.parts()[layer.tag] for layer in LAYERS}
    scores: Scores = {}
    for tag, text in layers.items():
        scores[f"{tag} length", "characters"] = len(characters(text))
        scores[f"{tag} echo", "characters"] = echoed(text, post)
        scores[f"{tag} support", "jieba"] = support(text, post)
        scores[f"{tag} support, other post", "jieba"] = support(text, other_post)
    return scores | {("chain repetition", "characters"): repetition(characters("".join(layers.values())))}


def _check_pairs(posts: Sequence[object], responses: Sequence[object]) -> None:
    if not posts or len(posts) != len(responses):
        raise ValueError(f"{len(posts)} posts and {len(responses)} responses; give one response for each post.")
