"""Selects, and how their rows become records."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, func, select

from app.chain import SECTIONS, Response
from storage.records import (
    ApprovedItem,
    Draft,
    Origin,
    Override,
    Person,
    Post,
    QueueItem,
    Review,
    Revision,
    StaleSave,
    StoredScore,
    View,
    text_sha256,
    whole,
)
from storage.schema import (
    drafts,
    lint_overrides,
    people,
    posts,
    requests,
    reviews,
    revisions,
    stale_saves,
    writers,
)

EXCERPT_CHARS = 60

authors = people.alias("authors")
editors = people.alias("editors")

SELECT_DRAFT = (
    select(
        drafts,
        *(column for column in requests.c if column is not requests.c.id),
        posts.c.title,
        posts.c.description,
        posts.c.created_at.label("post_created_at"),
        authors.c.name.label("author_name"),
    )
    .join(requests, requests.c.id == drafts.c.request_id)
    .join(posts, posts.c.id == drafts.c.post_id)
    .join(authors, authors.c.id == drafts.c.author_id)
)
SELECT_REVISION = select(revisions, people.c.name).join(people, people.c.id == revisions.c.person_id)
SELECT_STALE_SAVE = select(stale_saves, people.c.name).join(people, people.c.id == stale_saves.c.person_id)
SELECT_OVERRIDE = select(lint_overrides, people.c.name).join(people, people.c.id == lint_overrides.c.person_id)
SELECT_REVIEW = select(reviews, people.c.name).join(people, people.c.id == reviews.c.reviewer_id)

_latest_revision = and_(revisions.c.draft_id == drafts.c.id, revisions.c.version == drafts.c.version)

SELECT_APPROVED = (
    select(revisions, posts.c.title, posts.c.description, reviews.c.text_sha256.label("approved_sha256"))
    .join(drafts, _latest_revision)
    .join(posts, posts.c.id == drafts.c.post_id)
    .join(
        reviews,
        and_(
            reviews.c.draft_id == drafts.c.id,
            reviews.c.version == drafts.c.version,
            reviews.c.decision == "approve",
        ),
    )
    .where(drafts.c.state == "approved")
    .order_by(drafts.c.id)
)


def select_same(author_id: int, title: str, description: str, text_sha256: str) -> Select[tuple[int]]:
    """Drafts of an author whose post and first saved text are these."""
    return (
        select(drafts.c.id)
        .join(posts, posts.c.id == drafts.c.post_id)
        .join(revisions, and_(revisions.c.draft_id == drafts.c.id, revisions.c.version == 1))
        .where(
            drafts.c.author_id == author_id,
            posts.c.title == title,
            posts.c.description == description,
            revisions.c.text_sha256 == text_sha256,
        )
    )


def select_queue(view: View, person_id: int) -> Select[Any]:
    """The drafts of a list with their latest revision, oldest save first."""
    escalated = exists().where(
        reviews.c.draft_id == drafts.c.id,
        reviews.c.version == drafts.c.version,
        reviews.c.decision == "escalate",
    )
    return (
        select(
            drafts.c.id,
            drafts.c.version,
            drafts.c.state,
            drafts.c.author_id,
            authors.c.name.label("author_name"),
            revisions.c.person_id,
            editors.c.name,
            revisions.c.created_at,
            posts.c.title,
            func.substr(posts.c.description, 1, EXCERPT_CHARS).label("excerpt"),
            escalated.label("escalated"),
        )
        .join(revisions, _latest_revision)
        .join(posts, posts.c.id == drafts.c.post_id)
        .join(authors, authors.c.id == drafts.c.author_id)
        .join(editors, editors.c.id == revisions.c.person_id)
        .where(_in_view(view, person_id))
        .order_by(revisions.c.id)
    )


def is_own(person_id: int) -> ColumnElement[bool]:
    """Whether the person has a part in the draft's text, so that somebody else has to review it."""
    return exists().where(writers.c.draft_id == drafts.c.id, writers.c.person_id == person_id)


def _in_view(view: View, person_id: int) -> ColumnElement[bool]:
    own = is_own(person_id)
    match view:
        case "to_review":
            return and_(drafts.c.state == "submitted", ~own)
        case "waiting":
            return and_(drafts.c.state == "submitted", own)
        case "returned":
            return and_(drafts.c.state == "returned", own)
        case _:
            return drafts.c.state == view


def select_recent(person_id: int, limit: int) -> Select[Any]:
    """One draft of each of a person's newest requests."""
    newest = (
        select(drafts.c.request_id)
        .where(drafts.c.author_id == person_id)
        .distinct()
        .order_by(drafts.c.request_id.desc())
        .limit(limit)
    )
    order = (drafts.c.version.desc(), drafts.c.cosine.desc().nulls_last(), drafts.c.candidate)
    place = func.row_number().over(partition_by=drafts.c.request_id, order_by=order).label("place")
    ranked = select(drafts.c.id, place).where(drafts.c.request_id.in_(newest)).subquery()
    first = select(ranked.c.id).where(ranked.c.place == 1)
    return SELECT_DRAFT.where(drafts.c.id.in_(first)).order_by(drafts.c.request_id.desc())


def to_draft(row: RowMapping) -> Draft:
    """From SELECT_DRAFT."""
    return Draft(
        id=row["id"],
        request_id=row["request_id"],
        candidate=row["candidate"],
        origin=Origin(
            parent_id=row["parent_id"],
            from_section=row["from_section"],
            only=row["only"],
            steer=row["steer"],
            aim=row["aim"],
            edited=tuple(row["edited"]),
            part_start=row["part_start"],
            part_end=row["part_end"],
        ),
        post=Post(row["post_id"], row["title"], row["description"], row["post_created_at"]),
        author=Person(row["author_id"], row["author_name"]),
        model_name=row["model_name"],
        model_sha256=row["model_sha256"],
        prompt_version=row["prompt_version"],
        format_version=row["format_version"],
        sampling=row["sampling"],
        seed=row["seed"],
        status=row["status"],
        error_code=row["error_code"],
        sections={name: row[name] for name in SECTIONS if row[name] is not None},
        timings=row["timings"],
        score=_score(row),
        state=row["state"],
        version=row["version"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )


def to_revision(row: RowMapping) -> Revision:
    """From SELECT_REVISION."""
    return Revision(
        row["draft_id"],
        row["version"],
        _person(row),
        _response(row),
        row["text_sha256"],
        _score(row),
        row["created_at"],
    )


def to_stale_save(row: RowMapping) -> StaleSave:
    """From SELECT_STALE_SAVE."""
    return StaleSave(row["draft_id"], row["base_version"], _person(row), _response(row), row["created_at"])


def to_override(row: RowMapping) -> Override:
    """From SELECT_OVERRIDE."""
    return Override(
        row["draft_id"],
        row["version"],
        row["text_sha256"],
        _person(row),
        tuple(row["rules"]),
        row["reason"],
        row["created_at"],
    )


def to_review(row: RowMapping) -> Review:
    """From SELECT_REVIEW."""
    return Review(
        row["draft_id"],
        row["version"],
        row["text_sha256"],
        Person(row["reviewer_id"], row["name"]),
        row["decision"],
        row["reason"],
        row["created_at"],
    )


def to_queue_item(row: RowMapping) -> QueueItem:
    """From `select_queue`."""
    return QueueItem(
        draft_id=row["id"],
        version=row["version"],
        state=row["state"],
        title=row["title"],
        excerpt=row["excerpt"],
        author=Person(row["author_id"], row["author_name"]),
        editor=_person(row),
        saved_at=row["created_at"],
        escalated=bool(row["escalated"]),
    )


def to_approved_item(row: RowMapping) -> ApprovedItem | None:
    """From SELECT_APPROVED; None if the text is not the one whose hash was approved."""
    response = whole(dict(row))
    if response is None or text_sha256(response) != row["approved_sha256"]:
        return None
    return ApprovedItem(row["draft_id"], row["version"], row["title"], row["description"], response)


def score_values(score: StoredScore | None) -> dict[str, object]:
    """A score as columns."""
    if score is None:
        return {}
    return {
        "cosine": score.cosine,
        "passed": score.passed,
        "percentile": score.percentile,
        "reward_sha256": score.reward_sha256,
    }


def _person(row: RowMapping) -> Person:
    return Person(row["person_id"], row["name"])


def _response(row: RowMapping) -> Response:
    return Response(**{name: row[name] for name in SECTIONS})


def _score(row: RowMapping) -> StoredScore | None:
    if row["cosine"] is None:
        return None
    return StoredScore(row["cosine"], row["passed"], row["percentile"], row["reward_sha256"])
