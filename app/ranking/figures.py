"""What a locked round says: the figures of every system with intervals, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.ranking.agreement import alpha_of_ranks, mean_w
from app.ranking.chance import PositionTest, cluster_intervals, position_test
from app.ranking.ranks import Floats, Rankings, ranks, wins
from app.ranking.strength import bradley_terry
from app.reviewing import desk_errors
from storage.ranking_records import Item, Ranked, RoundResults, System
from storage.records import Person
from storage.store import Store


@dataclass(frozen=True)
class Estimate:
    """A mean over rankings with its 95 % interval, in the unit of what is averaged."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """One system. Win@k are shares of 1; `strength` is that of Bradley-Terry, and sums to 1 over the systems."""

    system: System
    win1: Estimate
    win2: Estimate
    mean_rank: Estimate
    strength: float


@dataclass(frozen=True)
class TopicFigures:
    """One topic: how many rankings of how many posts, and Win@1 and mean rank of each system, in their order."""

    topic: str
    posts: int
    rankings: int
    win1: tuple[float, ...]
    mean_rank: tuple[float, ...]


@dataclass(frozen=True)
class Attention:
    """Of the planted answers that a person came to, how many they saw through and how many not."""

    person: Person
    seen: int
    missed: int


@dataclass(frozen=True)
class Figures:
    """A locked round in figures. Checks of attention are in `attention` alone; nobody's rankings are left out for them.

    `kendall_w` is the mean over the `kendall_posts` posts that have one; `median_s` the median seconds of a ranking.
    """

    results: RoundResults
    standings: tuple[Standing, ...]
    """The best mean rank first."""
    rankings: int
    posts: int
    people: int
    none_fits: int
    kendall_w: float | None
    kendall_posts: int
    alpha: float | None
    position: PositionTest
    topics: tuple[TopicFigures, ...]
    attention: tuple[Attention, ...]
    median_s: float


def figures(store: Store, round_id: int) -> Figures | None:
    """A locked round in figures; None if nobody has ranked anything that counts.

    Raises:
        DeskError: round_unknown (round_id); round_state (state, needed), while it is not locked.
    """
    with desk_errors():
        results = store.ranking.results(round_id)
    items = {item.id: item for item in results.items}
    counted = [ranked for ranked in results.rankings if items[ranked.item_id].check is None]
    if not counted:
        return None
    rankings = _rankings(results.systems, counted)
    topics = np.array([items[ranked.item_id].topic for ranked in counted])
    w, w_posts = mean_w(rankings)
    return Figures(
        results=results,
        standings=_standings(results, rankings),
        rankings=len(rankings),
        posts=len(np.unique(rankings.posts)),
        people=len(np.unique(rankings.people)),
        none_fits=int(rankings.none_fits.sum()),
        kendall_w=w,
        kendall_posts=w_posts,
        alpha=alpha_of_ranks(rankings),
        position=position_test(rankings, results.round.seed),
        topics=tuple(_topic(str(topic), rankings.where(topics == topic)) for topic in np.unique(topics)),
        attention=_attention(results, items),
        median_s=float(np.median([ranked.seconds for ranked in counted])),
    )


def _rankings(systems: tuple[System, ...], counted: list[Ranked]) -> Rankings:
    """As arrays, with a column a system."""
    column = {system.id: place for place, system in enumerate(systems)}
    places = np.empty((len(counted), len(systems)), np.int64)
    shown = np.empty_like(places)
    for row, ranked in enumerate(counted):
        for position, (system_id, place) in enumerate(zip(ranked.shown, ranked.places, strict=True)):
            places[row, column[system_id]] = place
            shown[row, column[system_id]] = position
    return Rankings(
        places,
        shown,
        np.array([ranked.item_id for ranked in counted]),
        np.array([ranked.person_id for ranked in counted]),
        np.array([ranked.none_fits for ranked in counted]),
    )


def _standings(results: RoundResults, rankings: Rankings) -> tuple[Standing, ...]:
    win1, win2, rank = (
        _estimates(values, rankings, results.round.seed)
        for values in (wins(rankings.places, 1), wins(rankings.places, 2), ranks(rankings.places))
    )
    strengths = bradley_terry(rankings.places)
    standings = [
        Standing(system, win1[place], win2[place], rank[place], float(strengths[place]))
        for place, system in enumerate(results.systems)
    ]
    return tuple(sorted(standings, key=lambda standing: standing.mean_rank.value))


def _estimates(values: Floats, rankings: Rankings, seed: int) -> list[Estimate]:
    low, high = cluster_intervals(values, rankings.posts, seed)
    return [Estimate(*map(float, each)) for each in zip(values.mean(0), low, high, strict=True)]


def _topic(topic: str, rankings: Rankings) -> TopicFigures:
    return TopicFigures(
        topic,
        len(np.unique(rankings.posts)),
        len(rankings),
        tuple(map(float, wins(rankings.places, 1).mean(0))),
        tuple(map(float, ranks(rankings.places).mean(0))),
    )


def _attention(results: RoundResults, items: dict[int, Item]) -> tuple[Attention, ...]:
    texts = {(answer.item_id, answer.system_id): answer.text for answer in results.answers}
    seen = {person.id: [0, 0] for person in results.annotators}
    for ranked in results.rankings:
        if items[ranked.item_id].check is not None:
            seen[ranked.person_id][not passed(items[ranked.item_id], ranked, texts)] += 1
    return tuple(Attention(person, *seen[person.id]) for person in results.annotators if any(seen[person.id]))


def passed(item: Item, ranked: Ranked, texts: dict[tuple[int, int], str]) -> bool:
    """Whether a person saw through what was planted.

    A copy: it is tied with the answer that it is a copy of. Off topic: none is placed behind it and one before it, or
    none fits.

    Args:
        item: a check of attention.
        ranked: how they ranked it.
        texts: the answers by item and system.
    """
    place = dict(zip(ranked.shown, ranked.places, strict=True))
    planted = item.planted_system_id
    assert planted is not None
    others = {system: other for system, other in place.items() if system != planted}
    if item.check == "copy":
        text = texts[item.id, planted]
        return any(other == place[planted] for system, other in others.items() if texts[item.id, system] == text)
    last = max(others.values()) <= place[planted]
    return ranked.none_fits or (last and min(others.values()) < place[planted])
