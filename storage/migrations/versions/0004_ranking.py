"""Rounds of blind ranking: their systems, posts, answers and people, and what these people said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrations.guards import append_only, lift, refuse

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATE = "(SELECT state FROM ranking_rounds WHERE id = NEW.round_id)"


def upgrade() -> None:
    """Make them."""
    _create_rounds()
    _create_items()
    _create_rankings()
    append_only("ranking_systems", "ranking_items", "ranking_answers", "ranking_annotators", "rankings")
    for table, item in (("ranking_items", "OLD.id"), ("ranking_answers", "OLD.item_id"), ("rankings", "OLD.item_id")):
        lift(f"{table}_no_delete", table)
        erased = f"SELECT 1 FROM erasures WHERE post_id = (SELECT post_id FROM ranking_items WHERE id = {item})"
        refuse(f"{table}_no_delete", "DELETE", table, f"{table} is append-only", f"NOT EXISTS ({erased})")
    _guard_rounds()


def _guard_rounds() -> None:
    refuse("ranking_rounds_no_delete", "DELETE", "ranking_rounds", "a round is kept")
    refuse(
        "ranking_rounds_state",
        "UPDATE",
        "ranking_rounds",
        "no such change of a round",
        "OLD.state || '>' || NEW.state NOT IN ('setup>open', 'open>locked')",
    )
    refuse(
        "ranking_rounds_terms",
        "UPDATE OF name, guidelines, seed, author_id, created_at",
        "ranking_rounds",
        "the terms of a round stand",
    )
    for table in ("ranking_systems", "ranking_items", "ranking_answers"):
        refuse(f"{table}_setup", "INSERT", table, "the round is open", f"{STATE} <> 'setup'")
    refuse("ranking_annotators_locked", "INSERT", "ranking_annotators", "the round is locked", f"{STATE} = 'locked'")
    refuse("rankings_open", "INSERT", "rankings", "the round is not open", f"{STATE} <> 'open'")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _integer(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def _id(table: str) -> list[sa.Column[int] | sa.PrimaryKeyConstraint]:
    return [_integer("id"), sa.PrimaryKeyConstraint("id", name=f"pk_{table}")]


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}")


def _of_round(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column, "round_id"], [f"{to}.id", f"{to}.round_id"], name=f"fk_{table}_{column}_round_id"
    )


def _create_rounds() -> None:
    op.create_table(
        "ranking_rounds",
        *_id("ranking_rounds"),
        _text("name"),
        _text("guidelines"),
        _integer("seed"),
        _text("state"),
        _integer("author_id"),
        _text("created_at"),
        _text("opened_at", nullable=True),
        _text("locked_at", nullable=True),
        _belongs("ranking_rounds", "author_id", "people"),
        sa.CheckConstraint("state IN ('setup', 'open', 'locked')", name="ck_ranking_rounds_state"),
        sa.CheckConstraint("trim(name) <> ''", name="ck_ranking_rounds_name"),
        sa.CheckConstraint("seed >= 0", name="ck_ranking_rounds_seed"),
        sa.CheckConstraint("(state = 'setup') = (opened_at IS NULL)", name="ck_ranking_rounds_opened"),
        sa.CheckConstraint("(state = 'locked') = (locked_at IS NOT NULL)", name="ck_ranking_rounds_locked"),
    )
    op.create_table(
        "ranking_systems",
        *_id("ranking_systems"),
        _integer("round_id"),
        _text("name"),
        _text("kind"),
        _text("sha256"),
        _belongs("ranking_systems", "round_id", "ranking_rounds"),
        sa.CheckConstraint("kind IN ('model', 'remote', 'imported')", name="ck_ranking_systems_kind"),
        sa.CheckConstraint("trim(name) <> ''", name="ck_ranking_systems_name"),
        sa.UniqueConstraint("round_id", "name", name="uq_ranking_systems_round_id_name"),
        sa.UniqueConstraint("id", "round_id", name="uq_ranking_systems_id_round_id"),
    )
    op.create_table(
        "ranking_annotators",
        _integer("round_id"),
        _integer("person_id"),
        sa.PrimaryKeyConstraint("round_id", "person_id", name="pk_ranking_annotators"),
        _belongs("ranking_annotators", "round_id", "ranking_rounds"),
        _belongs("ranking_annotators", "person_id", "people"),
    )


def _create_items() -> None:
    op.create_table(
        "ranking_items",
        *_id("ranking_items"),
        _integer("round_id"),
        _integer("post_id"),
        _text("topic"),
        _text("check_kind", nullable=True),
        _integer("planted_system_id", nullable=True),
        _belongs("ranking_items", "round_id", "ranking_rounds"),
        _belongs("ranking_items", "post_id", "posts"),
        _of_round("ranking_items", "planted_system_id", "ranking_systems"),
        sa.CheckConstraint("check_kind IN ('copy', 'off_topic')", name="ck_ranking_items_check_kind"),
        sa.CheckConstraint("(check_kind IS NULL) = (planted_system_id IS NULL)", name="ck_ranking_items_check_whole"),
        sa.UniqueConstraint("round_id", "post_id", name="uq_ranking_items_round_id_post_id"),
        sa.UniqueConstraint("id", "round_id", name="uq_ranking_items_id_round_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ranking_answers",
        _integer("item_id"),
        _integer("system_id"),
        _integer("round_id"),
        _text("text"),
        sa.Column("latency_s", sa.Float),
        _text("created_at"),
        sa.PrimaryKeyConstraint("item_id", "system_id", name="pk_ranking_answers"),
        _of_round("ranking_answers", "item_id", "ranking_items"),
        _of_round("ranking_answers", "system_id", "ranking_systems"),
        sa.CheckConstraint("trim(text) <> ''", name="ck_ranking_answers_text"),
        sa.CheckConstraint("latency_s >= 0", name="ck_ranking_answers_latency_s"),
    )


def _create_rankings() -> None:
    op.create_table(
        "rankings",
        *_id("rankings"),
        _integer("round_id"),
        _integer("item_id"),
        _integer("person_id"),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("none_fits", sa.Boolean, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        _text("created_at"),
        _of_round("rankings", "item_id", "ranking_items"),
        sa.ForeignKeyConstraint(
            ["round_id", "person_id"],
            ["ranking_annotators.round_id", "ranking_annotators.person_id"],
            name="fk_rankings_round_id_person_id",
        ),
        sa.CheckConstraint("seconds >= 0", name="ck_rankings_seconds"),
    )
    op.create_index("ix_rankings_round_id_person_id_item_id", "rankings", ["round_id", "person_id", "item_id"])
