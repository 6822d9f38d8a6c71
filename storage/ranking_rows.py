"""Selects of blind ranking, and how their rows become records."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Select, func, select

from storage.ranking_records import Answer, Item, Ranked, Round, System
from storage.ranking_tables import ranking_answers, ranking_items, ranking_rounds, ranking_systems, rankings
from storage.records import Person, Post
from storage.schema import people, posts

SELECT_ROUND = select(ranking_rounds, people.c.name.label("author_name")).join(
    people, people.c.id == ranking_rounds.c.author_id
)


def select_systems(round_id: int) -> Select[Any]:
    """In the order in which they were named."""
    return select(ranking_systems).where(ranking_systems.c.round_id == round_id).order_by(ranking_systems.c.id)


def select_items(round_id: int) -> Select[Any]:
    """With their posts."""
    return (
        select(ranking_items, posts.c.title, posts.c.description, posts.c.created_at)
        .join(posts, posts.c.id == ranking_items.c.post_id)
        .where(ranking_items.c.round_id == round_id)
        .order_by(ranking_items.c.id)
    )


def select_answers(round_id: int) -> Select[Any]:
    """Of all items."""
    return (
        select(ranking_answers)
        .where(ranking_answers.c.round_id == round_id)
        .order_by(ranking_answers.c.item_id, ranking_answers.c.system_id)
    )


def select_latest(round_id: int) -> Select[Any]:
    """Of each person for each item, the ranking that counts."""
    latest = (
        select(func.max(rankings.c.id))
        .where(rankings.c.round_id == round_id)
        .group_by(rankings.c.item_id, rankings.c.person_id)
    )
    return select(rankings).where(rankings.c.id.in_(latest)).order_by(rankings.c.id)


def to_round(row: RowMapping) -> Round:
    """From SELECT_ROUND."""
    author = Person(row["author_id"], row["author_name"])
    return Round(
        row["id"], row["name"], row["guidelines"], row["seed"], row["state"], author, row["created_at"]
    )  # fmt: skip


def to_system(row: RowMapping) -> System:
    """From `select_systems`."""
    return System(row["id"], row["name"], row["kind"], row["sha256"])


def to_item(row: RowMapping) -> Item:
    """From `select_items`."""
    post = Post(row["post_id"], row["title"], row["description"], row["created_at"])
    return Item(row["id"], post, row["topic"], row["check_kind"], row["planted_system_id"])


def to_answer(row: RowMapping) -> Answer:
    """From `select_answers`."""
    return Answer(row["item_id"], row["system_id"], row["text"], row["latency_s"])


def to_ranked(row: RowMapping) -> Ranked:
    """From `select_latest`."""
    return Ranked(
        item_id=row["item_id"],
        person_id=row["person_id"],
        shown=tuple(row["shown"]),
        places=tuple(row["places"]),
        none_fits=row["none_fits"],
        seconds=row["seconds"],
        created_at=row["created_at"],
    )
