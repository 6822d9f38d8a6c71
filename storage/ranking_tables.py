"""The tables of blind ranking.

Deciding rules stand in the database too: answers and annotators are really those of the round (composite foreign keys);
triggers, made by the migration, let answers come only while a round is set up and rankings only while it is open, let
a round go on to the next state alone, and keep the rest from UPDATE and DELETE; but items go with an erased case.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from storage.ranking_records import CheckKind, RoundState, SystemKind
from storage.schema import Moment, Prose, created_at, metadata, one_of

ranking_rounds = Table(
    "ranking_rounds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Prose, nullable=False),
    Column("guidelines", Prose, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("author_id", ForeignKey("people.id"), nullable=False),
    created_at(),
    Column("opened_at", Moment),
    Column("locked_at", Moment),
    one_of("state", RoundState),
    CheckConstraint("trim(name) <> ''", name="name"),
    CheckConstraint("seed >= 0", name="seed"),
    CheckConstraint("(state = 'setup') = (opened_at IS NULL)", name="opened"),
    CheckConstraint("(state = 'locked') = (locked_at IS NOT NULL)", name="locked"),
)

ranking_systems = Table(
    "ranking_systems",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("round_id", ForeignKey("ranking_rounds.id"), nullable=False),
    Column("name", Prose, nullable=False),
    Column("kind", Text, nullable=False),
    # Of the model file; empty where there is none to look at.
    Column("sha256", Text, nullable=False),
    one_of("kind", SystemKind),
    CheckConstraint("trim(name) <> ''", name="name"),
    UniqueConstraint("round_id", "name"),
    UniqueConstraint("id", "round_id"),
)

ranking_items = Table(
    "ranking_items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("round_id", ForeignKey("ranking_rounds.id"), nullable=False),
    Column("post_id", ForeignKey("posts.id"), nullable=False),
    Column("topic", Prose, nullable=False),
    # An attention check: the answer under this system's name is a planted one.
    Column("check_kind", Text),
    Column("planted_system_id", Integer),
    one_of("check_kind", CheckKind),
    CheckConstraint("(check_kind IS NULL) = (planted_system_id IS NULL)", name="check_whole"),
    ForeignKeyConstraint(["planted_system_id", "round_id"], ["ranking_systems.id", "ranking_systems.round_id"]),
    UniqueConstraint("round_id", "post_id"),
    UniqueConstraint("id", "round_id"),
    sqlite_autoincrement=True,
)

ranking_answers = Table(
    "ranking_answers",
    metadata,
    Column("item_id", Integer, primary_key=True),
    Column("system_id", Integer, primary_key=True),
    Column("round_id", Integer, nullable=False),
    Column("text", Prose, nullable=False),
    Column("latency_s", Float),
    created_at(),
    CheckConstraint("trim(text) <> ''", name="text"),
    CheckConstraint("latency_s >= 0", name="latency_s"),
    ForeignKeyConstraint(["item_id", "round_id"], ["ranking_items.id", "ranking_items.round_id"]),
    ForeignKeyConstraint(["system_id", "round_id"], ["ranking_systems.id", "ranking_systems.round_id"]),
)

ranking_annotators = Table(
    "ranking_annotators",
    metadata,
    Column("round_id", ForeignKey("ranking_rounds.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
)

# Of several by one person for one item the latest counts.
rankings = Table(
    "rankings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("round_id", Integer, nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("person_id", Integer, nullable=False),
    # The systems in the order in which their answers were shown, and the place of each.
    Column("shown", JSON, nullable=False),
    Column("places", JSON, nullable=False),
    Column("none_fits", Boolean, nullable=False),
    Column("seconds", Float, nullable=False),
    created_at(),
    CheckConstraint("seconds >= 0", name="seconds"),
    ForeignKeyConstraint(["item_id", "round_id"], ["ranking_items.id", "ranking_items.round_id"]),
    ForeignKeyConstraint(["round_id", "person_id"], ["ranking_annotators.round_id", "ranking_annotators.person_id"]),
    Index(None, "round_id", "person_id", "item_id"),
)
