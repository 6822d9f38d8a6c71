"""The review lists: which drafts stand on which, in what order, and how their lines read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, exists, func, select

from storage import rows, search
from storage.records import Order, Person, QueueItem, View
from storage.review_tables import claims, urgencies
from storage.schema import drafts, people, posts, reviews, revisions

editors = people.alias("editors")


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed down to: words that post or drafts contain, and an author's name (part of it)."""

    words: str = ""
    author: str = ""


EVERYTHING = Filter()


def select_queue(view: View, person_id: int, now: datetime, narrowed: Filter, order: Order) -> Select[Any]:
    """The drafts of a list with their latest revision."""
    return (
        select(
            drafts.c.id,
            drafts.c.version,
            drafts.c.author_id,
            rows.standing(now).label("standing"),
            rows.authors.c.name.label("author_name"),
            revisions.c.person_id,
            revisions.c.cosine,
            revisions.c.passed,
            revisions.c.percentile,
            revisions.c.reward_sha256,
            editors.c.name,
            revisions.c.created_at,
            posts.c.title,
            func.substr(posts.c.description, 1, rows.EXCERPT_CHARS).label("excerpt"),
            urgencies.c.urgency,
        )
        .select_from(_drafts().join(editors, editors.c.id == revisions.c.person_id))
        .where(*_conditions(view, person_id, narrowed))
        .order_by(*_in_order(order))
    )


def select_count(view: View, person_id: int) -> Select[int]:
    """How many drafts a list holds."""
    return select(func.count()).select_from(_drafts()).where(*_conditions(view, person_id, Filter()))


def select_holders(draft_ids: list[int], but: int, now: datetime) -> Select[Any]:
    """Who else has drafts open at this moment."""
    return (
        select(claims.c.draft_id, claims.c.person_id, people.c.name)
        .join(people, people.c.id == claims.c.person_id)
        .where(claims.c.draft_id.in_(draft_ids), claims.c.person_id != but, claims.c.expires_at > now)
        .order_by(people.c.id)
    )


def to_queue_item(row: RowMapping, holders: tuple[Person, ...]) -> QueueItem:
    """From `select_queue` and `select_holders`."""
    return QueueItem(
        draft_id=row["id"],
        version=row["version"],
        standing=row["standing"],
        title=row["title"],
        excerpt=row["excerpt"],
        author=Person(row["author_id"], row["author_name"]),
        editor=rows.person(row),
        saved_at=row["created_at"],
        score=rows.score(row),
        urgency=row["urgency"],
        holders=holders,
    )


def _drafts() -> Any:
    return (
        drafts.join(revisions, rows.LATEST_REVISION)
        .join(posts, posts.c.id == drafts.c.post_id)
        .join(rows.authors, rows.authors.c.id == drafts.c.author_id)
        .outerjoin(urgencies, urgencies.c.post_id == drafts.c.post_id)
    )


def _conditions(view: View, person_id: int, narrowed: Filter) -> list[ColumnElement[bool]]:
    conditions = [_in_view(view, person_id), *search.matches(narrowed.words)]
    if narrowed.author:
        conditions.append(rows.authors.c.key.contains(narrowed.author.casefold(), autoescape=True))
    return conditions


def _in_view(view: View, person_id: int) -> ColumnElement[bool]:
    own = rows.is_own(person_id)
    done = exists().where(rows.OF_SUBMISSION, reviews.c.reviewer_id == person_id)
    others = and_(drafts.c.state == "submitted", ~own, ~done)
    match view:
        case "to_review":
            return others
        case "urgent":
            return and_(others, urgencies.c.urgency == "act_now")
        case "low_score":
            return and_(others, revisions.c.passed.is_(False))
        case "disagreement":
            return and_(rows.escalated(), ~own)
        case "waiting":
            return and_(drafts.c.state == "submitted", own)
        case "returned":
            return and_(drafts.c.state == "returned", own)
        case _:
            return drafts.c.state == view


def _in_order(order: Order) -> list[ColumnElement[Any]]:
    match order:
        case "urgency":
            soon = case((urgencies.c.urgency == "act_now", 0), (urgencies.c.urgency == "assess_first", 1), else_=2)
            return [soon, revisions.c.id.asc()]
        case "oldest":
            return [revisions.c.id.asc()]
        case "newest":
            return [revisions.c.id.desc()]
        case "score":
            return [revisions.c.cosine.asc().nulls_last(), revisions.c.id.asc()]
