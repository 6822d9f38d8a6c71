"""Consent, and what else lets a case leave or stay; and the erasure of a case from tables that only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrations.guards import append_only, lift, refuse

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OF_POST = "OLD.post_id"
OF_DRAFT = "(SELECT post_id FROM drafts WHERE id = OLD.draft_id)"
OF_REVIEW = (
    "(SELECT drafts.post_id FROM drafts JOIN reviews ON reviews.draft_id = drafts.id WHERE reviews.id = OLD.review_id)"
)
CASE = {
    **dict.fromkeys(("checklists", "urgencies", "consents", "holds"), OF_POST),
    **dict.fromkeys(("revisions", "writers", "stale_saves", "lint_overrides", "submissions", "reviews"), OF_DRAFT),
    **dict.fromkeys(("deidentifications", "signatures"), OF_DRAFT),
    **dict.fromkeys(("undone_reviews", "verdicts", "ratings", "comments", "review_reasons"), OF_REVIEW),
}
"""Of which post a row of an append-only table is."""


def upgrade() -> None:
    """Make them."""
    _create_statements()
    _create_ends()
    append_only("consents", "deidentifications", "signatures", "holds", "erasures")
    for table, post in CASE.items():
        lift(f"{table}_no_delete", table)
        _only_with_case(table, post, f"{table} is append-only")
    _only_with_case("posts", "OLD.id", "a post goes when its case is erased")
    _only_with_case("drafts", OF_POST, "a draft goes when its case is erased")
    # What was consented to, confirmed and approved was said of this text.
    refuse("posts_no_update", "UPDATE OF title, description", "posts", "a post is never rewritten")
    refuse(
        "signatures_second",
        "INSERT",
        "signatures",
        "the signer wrote or approved this text",
        "EXISTS (SELECT 1 FROM writers WHERE draft_id = NEW.draft_id AND person_id = NEW.person_id)"
        " OR EXISTS (SELECT 1 FROM reviews WHERE draft_id = NEW.draft_id AND reviewer_id = NEW.person_id"
        " AND text_sha256 = NEW.text_sha256 AND decision = 'approve'"
        " AND NOT EXISTS (SELECT 1 FROM undone_reviews WHERE review_id = reviews.id))",
    )
    refuse(
        "erasures_held",
        "INSERT",
        "erasures",
        "the case is on hold",
        "EXISTS (SELECT 1 FROM holds WHERE post_id = NEW.post_id AND held"
        " AND id = (SELECT max(id) FROM holds WHERE post_id = NEW.post_id))",
    )


def _only_with_case(table: str, post: str, message: str) -> None:
    refuse(
        f"{table}_no_delete", "DELETE", table, message, f"NOT EXISTS (SELECT 1 FROM erasures WHERE post_id = {post})"
    )


def _id(table: str) -> list[sa.Column[int] | sa.PrimaryKeyConstraint]:
    return [_integer("id"), sa.PrimaryKeyConstraint("id", name=f"pk_{table}")]


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}")


def _create_statements() -> None:
    op.create_table(
        "consents",
        *_id("consents"),
        _integer("post_id"),
        _text("purpose"),
        sa.Column("granted", sa.Boolean, nullable=False),
        _integer("person_id"),
        _text("created_at"),
        _belongs("consents", "post_id", "posts"),
        _belongs("consents", "person_id", "people"),
        sa.CheckConstraint("purpose IN ('draft', 'training')", name="ck_consents_purpose"),
    )
    op.create_index("ix_consents_post_id", "consents", ["post_id"])
    for table in ("deidentifications", "signatures"):
        op.create_table(
            table,
            *_id(table),
            _integer("draft_id"),
            _integer("version"),
            _text("text_sha256"),
            _integer("person_id"),
            _text("created_at"),
            _belongs(table, "person_id", "people"),
            sa.ForeignKeyConstraint(
                ["draft_id", "version", "text_sha256"],
                ["revisions.draft_id", "revisions.version", "revisions.text_sha256"],
                name=f"fk_{table}_draft_id_version_text_sha256",
            ),
            sa.UniqueConstraint("draft_id", "version", "person_id", name=f"uq_{table}_draft_id_version_person_id"),
        )
    op.create_table(
        "scans",
        _integer("post_id"),
        _text("edition"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("post_id", name="pk_scans"),
        _belongs("scans", "post_id", "posts"),
    )


def _create_ends() -> None:
    op.create_table(
        "holds",
        *_id("holds"),
        _integer("post_id"),
        sa.Column("held", sa.Boolean, nullable=False),
        _text("reason"),
        _integer("person_id"),
        _text("created_at"),
        _belongs("holds", "post_id", "posts"),
        _belongs("holds", "person_id", "people"),
        sa.CheckConstraint("trim(reason) <> ''", name="ck_holds_reason"),
    )
    op.create_index("ix_holds_post_id", "holds", ["post_id"])
    op.create_table(
        "erasures",
        *_id("erasures"),
        _integer("post_id"),
        _text("reason"),
        _integer("person_id"),
        _text("created_at"),
        _belongs("erasures", "person_id", "people"),
        sa.UniqueConstraint("post_id", name="uq_erasures_post_id"),
        sa.CheckConstraint("reason IN ('asked', 'withdrawn', 'retention', 'mistake')", name="ck_erasures_reason"),
    )
