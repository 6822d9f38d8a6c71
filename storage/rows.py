"""Selects, and how their rows become records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, exists, func, or_, select

from app.chain import SECTIONS, Response
from storage.records import (
    ApprovedItem,
    Assessment,
    Draft,
    Origin,
    Override,
    Person,
    Post,
    Review,
    Revision,
    StaleSave,
    StoredScore,
    text_sha256,
    whole,
)
from storage.review_tables import claims, submissions, undone_reviews
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

STANDS = ~exists().where(undone_reviews.c.review_id == reviews.c.id)
"""Of a review: its reviewer has not taken it back."""
OF_SUBMISSION = and_(
    reviews.c.draft_id == drafts.c.id,
    reviews.c.version == drafts.c.version,
    reviews.c.id
    > select(func.max(submissions.c.after_review))
    .where(submissions.c.draft_id == drafts.c.id)
    .correlate(drafts)
    .scalar_subquery(),
    STANDS,
)
"""Of a review: it stands, and was made since the draft's latest text was last handed on."""

SELECT_REVIEW = select(reviews, people.c.name).join(people, people.c.id == reviews.c.reviewer_id).where(STANDS)

LATEST_REVISION = and_(revisions.c.draft_id == drafts.c.id, revisions.c.version == drafts.c.version)

SELECT_APPROVED = (
    select(
        revisions,
        posts.c.title,
        posts.c.description,
        # The hash that each approval names; all of them name that of the text.
        select(reviews.c.text_sha256)
        .where(OF_SUBMISSION, reviews.c.decision == "approve")
        .order_by(reviews.c.id.desc())
        .limit(1)
        .correlate(drafts)
        .scalar_subquery()
        .label("approved_sha256"),
    )
    .join(drafts, LATEST_REVISION)
    .join(posts, posts.c.id == drafts.c.post_id)
    .where(drafts.c.state == "approved")
    .order_by(drafts.c.id)
)


def escalated() -> ColumnElement[bool]:
    """Of a submitted draft: a reviewer called for somebody senior, or those who reviewed its text disagree."""
    different = (
        select(func.count(reviews.c.decision.distinct())).where(OF_SUBMISSION).correlate(drafts).scalar_subquery()
    )
    return and_(
        drafts.c.state == "submitted",
        or_(exists().where(OF_SUBMISSION, reviews.c.decision == "escalate"), different > 1),
    )


def standing(now: datetime) -> ColumnElement[str]:
    """The state of a draft as its people see it at a moment."""
    held = exists().where(claims.c.draft_id == drafts.c.id, claims.c.expires_at > now)
    return case(
        (escalated(), "escalated"),
        (and_(drafts.c.state == "submitted", held), "claimed"),
        else_=drafts.c.state,
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


def is_own(person_id: int) -> ColumnElement[bool]:
    """Whether the person has a part in the draft's text, so that somebody else has to review it."""
    return exists().where(writers.c.draft_id == drafts.c.id, writers.c.person_id == person_id)


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
        score=score(row),
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
        person(row),
        _response(row),
        row["text_sha256"],
        score(row),
        row["created_at"],
    )


def to_stale_save(row: RowMapping) -> StaleSave:
    """From SELECT_STALE_SAVE."""
    return StaleSave(row["draft_id"], row["base_version"], person(row), _response(row), row["created_at"])


def to_override(row: RowMapping) -> Override:
    """From SELECT_OVERRIDE."""
    return Override(
        row["draft_id"],
        row["version"],
        row["text_sha256"],
        person(row),
        tuple(row["rules"]),
        row["reason"],
        row["created_at"],
    )


def to_review(row: RowMapping, assessment: Assessment) -> Review:
    """From SELECT_REVIEW, and what hangs on it."""
    return Review(
        row["id"],
        row["draft_id"],
        row["version"],
        row["text_sha256"],
        Person(row["reviewer_id"], row["name"]),
        row["decision"],
        row["reason"],
        row["created_at"],
        assessment,
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


def person(row: RowMapping) -> Person:
    """Whose row it is."""
    return Person(row["person_id"], row["name"])


def _response(row: RowMapping) -> Response:
    return Response(**{name: row[name] for name in SECTIONS})


def score(row: RowMapping) -> StoredScore | None:
    """From the columns of a score."""
    if row["cosine"] is None:
        return None
    return StoredScore(row["cosine"], row["passed"], row["percentile"], row["reward_sha256"])
