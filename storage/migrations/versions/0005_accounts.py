"""Who may sign in, and as what; with accounts, only some may review, and fewer decide what was called up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrations.guards import refuse

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "accounts",
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.Text),
        sa.Column("closed_at", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_accounts_person_id"),
        sa.CheckConstraint("role IN ('counselor', 'reviewer', 'lead')", name="ck_accounts_role"),
        sa.CheckConstraint("failures >= 0", name="ck_accounts_failures"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_sha256", sa.Text, nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_sign_ins"),
        sa.ForeignKeyConstraint(["person_id"], ["accounts.person_id"], name="fk_sign_ins_person_id"),
    )
    op.create_index("ix_sign_ins_person_id", "sign_ins", ["person_id"])
    for table, person in (("reviews", "reviewer_id"), ("signatures", "person_id")):
        refuse(
            f"{table}_role",
            "INSERT",
            table,
            "this person has no account that may review",
            f"EXISTS (SELECT 1 FROM accounts) AND NOT EXISTS (SELECT 1 FROM accounts WHERE person_id = NEW.{person}"
            " AND closed_at IS NULL AND role IN ('reviewer', 'lead'))",
        )
