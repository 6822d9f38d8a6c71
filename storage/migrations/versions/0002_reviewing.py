"""Claims, what is said in a review and of which section, and the changes of state that a draft can go through."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrations.guards import append_only, refuse

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SECTIONS = "section IN ('L1', 'L2', 'L3', 'L4', 'answer')"
CHANGES = (
    "'open>submitted', 'returned>submitted', 'rejected>open', 'approved>open', 'submitted>approved',"
    " 'submitted>returned', 'submitted>rejected', 'approved>submitted', 'returned>submitted', 'rejected>submitted'"
)


def upgrade() -> None:
    """Make them."""
    _create_claims()
    _create_assessments()
    _create_reasons()
    append_only("submissions", "undone_reviews", "verdicts", "ratings", "comments", "review_reasons", "urgencies")
    refuse(
        "drafts_state",
        "UPDATE OF state",
        "drafts",
        "no such change of state",
        f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({CHANGES})",
    )
    refuse(
        "drafts_approved",
        "UPDATE OF state",
        "drafts",
        "nobody has approved this text",
        "NEW.state = 'approved' AND OLD.state <> 'approved' AND NOT EXISTS (SELECT 1 FROM reviews WHERE"
        " draft_id = NEW.id AND version = NEW.version AND decision = 'approve'"
        " AND NOT EXISTS (SELECT 1 FROM undone_reviews WHERE review_id = reviews.id))",
    )
    refuse(
        "revisions_held",
        "INSERT",
        "revisions",
        "the text is in review or approved",
        "EXISTS (SELECT 1 FROM drafts WHERE id = NEW.draft_id AND state IN ('submitted', 'approved'))",
    )


def _id(table: str) -> list[sa.Column[int] | sa.PrimaryKeyConstraint]:
    return [sa.Column("id", sa.Integer, nullable=False), sa.PrimaryKeyConstraint("id", name=f"pk_{table}")]


def _of_review(table: str, *key: str) -> list[sa.Column[int] | sa.Constraint]:
    return [
        sa.Column("review_id", sa.Integer, nullable=False),
        _belongs(table, "review_id", "reviews"),
        *([sa.PrimaryKeyConstraint("review_id", *key, name=f"pk_{table}")] if key or table == "undone_reviews" else []),
    ]


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _create_claims() -> None:
    op.create_table(
        "submissions",
        *_id("submissions"),
        sa.Column("draft_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("after_review", sa.Integer, nullable=False),
        _text("created_at"),
        _belongs("submissions", "person_id", "people"),
        sa.ForeignKeyConstraint(
            ["draft_id", "version"],
            ["revisions.draft_id", "revisions.version"],
            name="fk_submissions_draft_id_version",
        ),
    )
    op.create_index("ix_submissions_draft_id", "submissions", ["draft_id"])
    # What waited for a review before this table was there.
    op.execute(
        "INSERT INTO submissions (draft_id, version, person_id, after_review, created_at) SELECT drafts.id,"
        " drafts.version, revisions.person_id, 0, revisions.created_at FROM drafts JOIN revisions ON"
        " revisions.draft_id = drafts.id AND revisions.version = drafts.version WHERE drafts.state <> 'open'"
    )
    op.create_table(
        "claims",
        sa.Column("draft_id", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        _text("expires_at"),
        sa.PrimaryKeyConstraint("draft_id", "person_id", name="pk_claims"),
        _belongs("claims", "draft_id", "drafts"),
        _belongs("claims", "person_id", "people"),
    )
    op.create_index("ix_claims_person_id", "claims", ["person_id"])
    op.create_table(
        "unfinished_reviews",
        sa.Column("draft_id", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("draft_id", "person_id", name="pk_unfinished_reviews"),
        _belongs("unfinished_reviews", "draft_id", "drafts"),
        _belongs("unfinished_reviews", "person_id", "people"),
    )
    op.create_table(
        "urgencies",
        sa.Column("post_id", sa.Integer, nullable=False),
        _text("urgency"),
        sa.PrimaryKeyConstraint("post_id", name="pk_urgencies"),
        _belongs("urgencies", "post_id", "posts"),
        sa.CheckConstraint("urgency IN ('act_now', 'assess_first')", name="ck_urgencies_urgency"),
    )


def _create_assessments() -> None:
    op.create_table("undone_reviews", *_of_review("undone_reviews"), _text("created_at"))
    op.create_table(
        "verdicts",
        *_of_review("verdicts", "section"),
        _text("section"),
        _text("verdict"),
        sa.CheckConstraint(SECTIONS, name="ck_verdicts_section"),
        sa.CheckConstraint("verdict IN ('keep', 'change', 'wrong')", name="ck_verdicts_verdict"),
    )
    op.create_table(
        "ratings",
        *_of_review("ratings", "aspect"),
        _text("aspect"),
        sa.Column("rating", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "aspect IN ('fluency', 'identification', 'comforting', 'suggestion')", name="ck_ratings_aspect"
        ),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="ck_ratings_rating"),
    )
    op.create_table(
        "comments",
        *_id("comments"),
        *_of_review("comments"),
        _text("section"),
        _text("quote"),
        _text("text"),
        sa.CheckConstraint(SECTIONS, name="ck_comments_section"),
        sa.CheckConstraint("trim(text) <> ''", name="ck_comments_text"),
    )
    op.create_index("ix_comments_review_id", "comments", ["review_id"])


def _create_reasons() -> None:
    op.create_table(
        "reasons",
        *_id("reasons"),
        _text("label"),
        sa.Column("offered", sa.Boolean, nullable=False),
        sa.UniqueConstraint("label", name="uq_reasons_label"),
        sa.CheckConstraint("trim(label) <> ''", name="ck_reasons_label"),
    )
    op.create_table(
        "review_reasons",
        *_of_review("review_reasons", "reason_id"),
        sa.Column("reason_id", sa.Integer, nullable=False),
        _belongs("review_reasons", "reason_id", "reasons"),
    )
