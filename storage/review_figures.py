"""What was found by whom, and how long it took: the rows that agreement and progress are counted from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from storage import assessments, rows
from storage.database import Database
from storage.records import Aspect, Decision, Verdict
from storage.review_tables import submissions
from storage.schema import people, reviews


@dataclass(frozen=True)
class Finding:
    """One review that stands, of one submission of a text; several reviewers of it share its `submission_id`."""

    submission_id: int
    reviewer: str
    decision: Decision
    verdicts: Mapping[str, Verdict]
    ratings: Mapping[Aspect, int]
    submitted_at: datetime
    reviewed_at: datetime


def findings(database: Database, since: datetime) -> list[Finding]:
    """All reviews from a moment on, oldest first."""
    of = (
        select(func.max(submissions.c.id))
        .where(
            submissions.c.draft_id == reviews.c.draft_id,
            submissions.c.version == reviews.c.version,
            submissions.c.after_review < reviews.c.id,
        )
        .correlate(reviews)
        .scalar_subquery()
    )
    query = (
        select(
            reviews.c.id,
            reviews.c.decision,
            reviews.c.created_at,
            submissions.c.id.label("submission_id"),
            submissions.c.created_at.label("submitted_at"),
            people.c.name,
        )
        .join(submissions, submissions.c.id == of)
        .join(people, people.c.id == reviews.c.reviewer_id)
        .where(and_(reviews.c.created_at >= since, rows.STANDS))
        .order_by(reviews.c.id)
    )
    with database.read() as connection:
        found = list(connection.execute(query).mappings())
        said = assessments.read(connection, [row["id"] for row in found])
    return [
        Finding(
            row["submission_id"],
            row["name"],
            row["decision"],
            said[row["id"]].verdicts,
            said[row["id"]].ratings,
            row["submitted_at"],
            row["created_at"],
        )
        for row in found
    ]
