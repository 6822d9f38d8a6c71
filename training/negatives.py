"""What the reward model learns from: triplets of a post, an answer to it, and an answer that does not fit."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.chain import neutral, scored_answer, scored_post
from training.data.seed_chains import read_seed_chains, read_triples
from training.pairs import Pair
from training.recipe import RewardRecipe
from training.weak_chains import emotions_of

WINDOW = 16
"""Batches whose rows are sorted by length together; more of them save more padding and mix lengths less."""


@dataclass(frozen=True)
class Marks:
    """How a post and an answer are written for the encoder."""

    post: Callable[[str], str]
    answer: Callable[[str], str]


ROLES = Marks(scored_post, scored_answer)
"""The desk's: each role has its own prefix."""
ALIKE = Marks(neutral, neutral)
"""The paper's: both are encoded alike, so a copied post scores 1."""


@dataclass(frozen=True)
class Triplet:
    """A row of training: the texts as the encoder reads them, and the posts that the answers belong to.

    Without a negative of its own, a row has only the others of its batch.
    """

    anchor: str
    positive: str
    negative: str | None
    groups: frozenset[str]

    @property
    def texts(self) -> dict[str, str]:
        """The columns of its data set."""
        texts = {"anchor": self.anchor, "positive": self.positive, "negative": self.negative}
        return {column: text for column, text in texts.items() if text is not None}


def addressed(post: str) -> str:
    """The post said back to its writer: every 我 becomes 你."""
    return post.replace("我", "你")


class Negatives:
    """Draws answers that do not fit a post, by kind.

    irrelevant: the answer to a post of another topic. mismatched: the answer to a post of the same topic with other
    emotions. generic: a reply that would fit anybody. echo: the post itself, half the time said back to its writer.
    """

    def __init__(self, pairs: Sequence[Pair], generic: Sequence[str]):
        self.pairs = pairs
        self.generic = generic
        self.by_topic: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            self.by_topic[pair.topic].append(pair)
        self.felt = {post: {emotion for emotion, _ in emotions_of(post)} for post in {pair.post for pair in pairs}}

    def irrelevant(self, pair: Pair, other: Pair) -> bool:
        """Whether the other pair's post is of another topic."""
        return other.topic != pair.topic and other.group != pair.group

    def mismatched(self, pair: Pair, other: Pair) -> bool:
        """Whether the other pair's post is of the same topic, and no emotion is named in both."""
        same_topic = other.topic == pair.topic and other.group != pair.group
        return same_topic and not self.felt[pair.post] & self.felt[other.post]

    def draw(self, kind: str, pair: Pair, rng: random.Random) -> tuple[str, str]:
        """One negative of a kind for a pair, and the post that it answers, empty if none.

        Where no post is fit to lend its answer, a generic one is given.

        Raises:
            ValueError: for a kind that is none of the four.
        """
        match kind:
            case "irrelevant":
                other = _first(self.pairs, rng, lambda other: self.irrelevant(pair, other))
            case "mismatched":
                other = _first(self.by_topic[pair.topic], rng, lambda other: self.mismatched(pair, other))
            case "echo":
                return rng.choice([str, addressed])(rng.choice([pair.post, pair.description])), ""
            case "generic":
                other = None
            case _:
                raise ValueError(f"{kind} is not a kind of negative; use irrelevant, mismatched, generic or echo.")
        return (other.answer, other.group) if other else (rng.choice(self.generic), "")


def _first(pool: Sequence[Pair], rng: random.Random, fits: Callable[[Pair], bool]) -> Pair | None:
    """The first pair that fits, from a place in the pool drawn at random; None if none does."""
    start = rng.randrange(len(pool))
    order = (pool[(start + step) % len(pool)] for step in range(len(pool)))
    return next((other for other in order if fits(other)), None)


def drawn_triplets(negatives: Negatives, settings: RewardRecipe, marks: Marks, seed: int) -> list[Triplet]:
    """The recipe's number of triplets, going round all pairs, each with a negative of a kind drawn by the shares.

    Under the contrastive loss no irrelevant answer is drawn: the other answers of the batch are just that.
    """
    rng = random.Random(seed)
    kinds, weights = list(settings.negatives), list(settings.negatives.values())
    rows = []
    for number in range(settings.triplets):
        pair = negatives.pairs[number % len(negatives.pairs)]
        [kind] = rng.choices(kinds, weights)
        if kind == "irrelevant" and settings.loss == "contrastive":
            negative, owner = None, ""
        else:
            wrong, owner = negatives.draw(kind, pair, rng)
            negative = marks.answer(wrong)
        groups = frozenset({pair.group, owner} - {""})
        rows.append(Triplet(marks.post(pair.post), marks.answer(pair.answer), negative, groups))
    return rows


def seed_triplets(marks: Marks) -> list[Triplet]:
    """Rows from the hand-written triples: each chain's answer above its mismatched, generic and echoing ones."""
    chains = {chain.id: chain for chain in read_seed_chains()}
    return [
        Triplet(
            marks.post(chains[triple.id].post),
            marks.answer(chains[triple.id].answer),
            marks.answer(wrong),
            frozenset({triple.id}),
        )
        for triple in read_triples()
        for wrong in (triple.mismatched, triple.generic, triple.echo)
    ]


def in_batches(rows: Sequence[Triplet], batch: int, seed: int) -> list[list[int]]:
    """Row numbers in batches of similar length, in random order; no two rows of a batch share a post.

    Another answer to the same post would be a wrong negative in the batch, and padding costs as much as text.

    Args:
        rows: every one of them comes into exactly one batch.
        batch: rows a batch, fewer in the few that nothing else fits into.
        seed: of the order.
    """
    rng = random.Random(seed)
    order = rng.sample(range(len(rows)), len(rows))
    full: list[list[int]] = []
    open_: list[list[int]] = []
    for start in range(0, len(order), WINDOW * batch):
        window = order[start : start + WINDOW * batch]
        for number in sorted(window, key=lambda number: len(rows[number].positive)):
            fitting = (b for b in open_ if all(rows[number].groups.isdisjoint(rows[other].groups) for other in b))
            chosen = next(fitting, None)
            if chosen is None:
                open_.append(chosen := [])
            chosen.append(number)
            if len(chosen) == batch:
                full.append(chosen)
                open_.remove(chosen)
    full += open_
    rng.shuffle(full)
    return full
