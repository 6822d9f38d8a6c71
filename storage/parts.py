"""Parts of people in a draft's review, found out inside the transaction that acts on them."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from sqlalchemy import Connection, and_, delete, insert, select

from storage import rows, steps
from storage.account_tables import Role, accounts
from storage.errors import StorageError
from storage.records import Decision, Draft, Standing
from storage.review_tables import claims
from storage.schema import drafts, reviews
from storage.states import Part

CLAIM_MINUTES = 15
"""A claim lasts so long after the last sign of its reviewer."""


def standing(connection: Connection, draft: Draft) -> Standing:
    """The draft's state as its people see it."""
    found = connection.execute(select(rows.standing(steps.now())).where(drafts.c.id == draft.id)).scalar_one()
    return cast(Standing, found)


def require(connection: Connection, part: Part, draft: Draft, person_id: int, reviewers: int) -> None:
    """Let a person act on a submitted text, and give them one of its seats.

    Raises:
        StorageError: own_review, not_a_reviewer, lead_needed, already_reviewed, or claimed (minutes): as many others
            as it needs are reviewing it.
    """
    if steps.is_own(connection, draft.id, person_id):
        raise StorageError("own_review")
    role = role_of(connection, person_id)
    if role == "counselor":
        raise StorageError("not_a_reviewer")
    if part == "lead":
        if role != "lead":
            raise StorageError("lead_needed")
        seats = 1
    else:
        given = decisions(connection, draft)
        if person_id in given:
            raise StorageError("already_reviewed")
        seats = reviewers - len(given)
    _take_seat(connection, draft, person_id, seats)


def role_of(connection: Connection, person_id: int) -> Role:
    """As what a person works here; where nobody has an account, everybody is everything.

    Raises:
        StorageError: not_a_reviewer, if others have accounts and this person has none that is open.
    """
    row = connection.execute(
        select(accounts.c.role).where(accounts.c.person_id == person_id, accounts.c.closed_at.is_(None))
    ).first()
    if row is not None:
        role: Role = row.role
        return role
    if connection.execute(select(accounts.c.person_id).limit(1)).first() is None:
        return "lead"
    raise StorageError("not_a_reviewer")


def decisions(connection: Connection, draft: Draft) -> dict[int, Decision]:
    """What stands decided since the draft was last handed on, by reviewer, oldest first."""
    query = (
        select(reviews.c.reviewer_id, reviews.c.decision)
        .select_from(reviews)
        .join(drafts, rows.OF_SUBMISSION)
        .where(drafts.c.id == draft.id)
        .order_by(reviews.c.id)
    )
    return {row.reviewer_id: row.decision for row in connection.execute(query)}


def leave(connection: Connection, draft_id: int, person_id: int) -> None:
    """Give a seat back."""
    connection.execute(delete(claims).where(claims.c.draft_id == draft_id, claims.c.person_id == person_id))


def _take_seat(connection: Connection, draft: Draft, person_id: int, seats: int) -> None:
    now = steps.now()
    connection.execute(delete(claims).where(claims.c.expires_at <= now))
    others = and_(claims.c.draft_id == draft.id, claims.c.person_id != person_id)
    ends = list(connection.execute(select(claims.c.expires_at).where(others)).scalars())
    if len(ends) >= seats:
        raise StorageError("claimed", minutes=max(1, round((min(ends) - now).total_seconds() / 60)))
    leave(connection, draft.id, person_id)
    connection.execute(
        insert(claims).values(draft_id=draft.id, person_id=person_id, expires_at=now + timedelta(minutes=CLAIM_MINUTES))
    )
