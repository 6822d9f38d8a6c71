"""The tables of reviewing beside `reviews` itself: who has what open, what was said of which section, and undoing.

A review is one row of `reviews` and what hangs on it here; a centre's list of reasons can grow and shrink, but a reason
that was once given keeps its words.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
)

from app.chain import SECTIONS
from storage.records import Aspect, Verdict
from storage.schema import Moment, Prose, created_at, metadata, one_of

MAX_RATING = 5


def _review_id(primary: bool) -> Column[Any]:
    return Column("review_id", ForeignKey("reviews.id"), primary_key=primary, nullable=False)


# Each time a text was handed on. Its reviews are those with a higher id than `after_review`: a text that came back and
# is submitted again as it was has to be reviewed again.
submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("after_review", Integer, nullable=False),
    created_at(),
    ForeignKeyConstraint(["draft_id", "version"], ["revisions.draft_id", "revisions.version"]),
    Index(None, "draft_id"),
)

# Who has a submitted text open, so that no two people do the same work.
claims = Table(
    "claims",
    metadata,
    Column("draft_id", ForeignKey("drafts.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("expires_at", Moment, nullable=False),
    Index(None, "person_id"),
)

# What a reviewer has said so far, until they decide: typed text is not lost with a page.
unfinished_reviews = Table(
    "unfinished_reviews",
    metadata,
    Column("draft_id", ForeignKey("drafts.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("said", JSON, nullable=False),
)

undone_reviews = Table("undone_reviews", metadata, _review_id(primary=True), created_at())

verdicts = Table(
    "verdicts",
    metadata,
    _review_id(primary=True),
    Column("section", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    one_of("section", Literal[SECTIONS]),
    one_of("verdict", Verdict),
)

ratings = Table(
    "ratings",
    metadata,
    _review_id(primary=True),
    Column("aspect", Text, primary_key=True),
    Column("rating", Integer, nullable=False),
    one_of("aspect", Aspect),
    CheckConstraint(f"rating BETWEEN 1 AND {MAX_RATING}", name="rating"),
)

comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    _review_id(primary=False),
    Column("section", Text, nullable=False),
    # The words that are meant; empty: the whole section.
    Column("quote", Prose, nullable=False),
    Column("text", Prose, nullable=False),
    one_of("section", Literal[SECTIONS]),
    CheckConstraint("trim(text) <> ''", name="text"),
    Index(None, "review_id"),
)

reasons = Table(
    "reasons",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", Prose, nullable=False, unique=True),
    Column("offered", Boolean, nullable=False),
    CheckConstraint("trim(label) <> ''", name="label"),
)

review_reasons = Table(
    "review_reasons",
    metadata,
    _review_id(primary=True),
    Column("reason_id", ForeignKey("reasons.id"), primary_key=True),
)

# How soon somebody must act on a post, as the desk read it when its text was handed on.
urgencies = Table(
    "urgencies",
    metadata,
    Column("post_id", ForeignKey("posts.id"), primary_key=True),
    Column("urgency", Text, nullable=False),
    CheckConstraint("urgency IN ('act_now', 'assess_first')", name="urgency"),
)
