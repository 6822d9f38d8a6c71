"""A round from its set-up to its end, as a page or a command asks for it. The rules are the store's.

What a person who ranks is given holds no name: answers come in the order drawn for them, by position alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import DeskError
from app.intake import accept_name, clean
from app.ranking.order import item_order, shown_order
from app.ranking.posts import imported_systems, sample, with_checks
from app.ranking.ranks import places_of
from app.reviewing import desk_errors
from storage.ranking_records import NewItem, NewSystem, Round
from storage.records import Person, Post
from storage.store import Store

MAX_GUIDELINES_CHARS = 4_000
MAX_SECONDS = 3_600.0
"""Whoever takes longer for a post was away."""


@dataclass(frozen=True)
class Task:
    """One post to be ranked by one person, and how far they are."""

    item_id: int
    post: Post
    answers: tuple[str, ...]
    """In the order in which this person sees them."""
    done: int
    """Posts that this person has ranked, of `total`."""
    total: int


def set_up(
    store: Store,
    author: Person,
    name: str,
    guidelines: str,
    *,
    posts: Sequence[NewItem],
    count: int,
    models: Sequence[NewSystem],
    annotators: Sequence[str],
    checks: int = 0,
    seed: int | None = None,
) -> Round:
    """Set a round up over posts sampled by topic; imported answers are in it, the others are drafted next.

    Args:
        store: where it is kept.
        author: who sets it up.
        name: of the round.
        guidelines: what annotators read beside the task.
        posts: as `read_posts` gives them; whoever answered any of them is a system, too, and must have answered all.
        count: how many of them are ranked and count.
        models: systems that are to answer now.
        annotators: the names of who ranks.
        checks: how many posts more are checks of attention.
        seed: of all that is drawn; None: a new one.

    Raises:
        DeskError: ranking_answers_gap (system, by its number), round_too_small (systems, posts, annotators),
            name_missing, name_too_long (chars, limit), text_too_long (section, chars, limit), or what the store
            refused.
    """
    name, guidelines = accept_name(name), clean(guidelines).text.strip()
    if len(guidelines) > MAX_GUIDELINES_CHARS:
        raise DeskError(
            "text_too_long", section="ranking_guidelines", chars=len(guidelines), limit=MAX_GUIDELINES_CHARS
        )
    imported = imported_systems(posts)
    for system in imported:
        if any(system not in post.answers for post in posts):
            raise DeskError("ranking_answers_gap", system=imported.index(system) + 1)
    systems = [*models, *(NewSystem(system, "imported") for system in imported)]
    seed = secrets.randbelow(2**31) if seed is None else seed
    sampled = sample(posts, count + checks, seed)
    names = [system.name for system in systems]
    people = [accept_name(annotator) for annotator in annotators]
    with desk_errors():
        return store.ranking.create(
            name,
            guidelines,
            seed,
            author.id,
            systems=systems,
            items=with_checks(sampled, names, min(checks, len(sampled)), seed) if names else sampled,
            annotators=[store.person(annotator).id for annotator in people],
        )


def next_task(store: Store, chosen: Round, person: Person) -> Task | None:
    """The first post that this person has not ranked, whenever they come back; None once they have ranked all.

    Raises:
        DeskError: round_state (state, needed), not_an_annotator.
    """
    with desk_errors():
        todo = store.ranking.todo(chosen.id, person.id)
        left = [item for item in item_order(chosen.seed, person.id, list(todo)) if not todo[item]]
        return _task(store, chosen, person, todo, left[0]) if left else None


def task(store: Store, chosen: Round, person: Person, item_id: int) -> Task:
    """A certain post, to be ranked once more.

    Raises:
        DeskError: round_state (state, needed), not_an_annotator, ranking_malformed.
    """
    with desk_errors():
        return _task(store, chosen, person, store.ranking.todo(chosen.id, person.id), item_id)


def rank(
    store: Store,
    chosen: Round,
    person: Person,
    item_id: int,
    groups: Sequence[int],
    *,
    none_fits: bool,
    seconds: float,
) -> None:
    """Keep what a person says of the answers to a post.

    Args:
        store: where it is kept.
        chosen: an open round.
        person: one of its annotators.
        item_id: which post.
        groups: a number for each answer, in the order of `Task.answers`; smaller is better, equal is tied.
        none_fits: no answer would do; `groups` do not count then.
        seconds: that they looked at it.

    Raises:
        DeskError: round_state (state, needed), not_an_annotator, ranking_malformed.
    """
    with desk_errors():
        shown = _shown(store, chosen, person, list(store.ranking.todo(chosen.id, person.id)), item_id)
        if len(groups) != len(shown):
            raise DeskError("ranking_malformed")
        store.ranking.rank(
            chosen.id,
            item_id,
            person.id,
            shown=shown,
            places=places_of(groups, none_fits),
            none_fits=none_fits,
            seconds=min(max(seconds, 0.0), MAX_SECONDS),
        )


def _task(store: Store, chosen: Round, person: Person, todo: dict[int, bool], item_id: int) -> Task:
    blind = store.ranking.blind(chosen.id, item_id, person.id)
    shown = _shown(store, chosen, person, list(todo), item_id)
    return Task(item_id, blind.post, tuple(blind.answers[system] for system in shown), sum(todo.values()), len(todo))


def _shown(store: Store, chosen: Round, person: Person, items: list[int], item_id: int) -> list[int]:
    systems = sorted(store.ranking.blind(chosen.id, item_id, person.id).answers)
    return shown_order(chosen.seed, person.id, items, item_id, systems)
