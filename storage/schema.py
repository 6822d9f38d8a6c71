"""The tables as the newest migration leaves them; a test holds the two together.

Deciding rules stand in the database too: a review's author and editor are really those of the reviewed text (composite
foreign keys) and neither is its reviewer (CHECK); a score is whole or absent; triggers, made by the migration, fill
`writers` and refuse a review by any of them, and keep the APPEND_ONLY tables from every UPDATE and DELETE.
The full text index beside these tables is in `storage.search`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from app.chain import SECTIONS
from app.chain.steer import Aim, Steer
from storage.errors import StorageError
from storage.records import Decision, State, Status

HEAD = "0005"
"""The newest migration; lets an up-to-date database open without loading Alembic."""

APPEND_ONLY = (
    "checklists",
    "revisions",
    "writers",
    "stale_saves",
    "lint_overrides",
    "reviews",
    "submissions",
    "undone_reviews",
    "verdicts",
    "ratings",
    "comments",
    "review_reasons",
    "urgencies",
    "audit_events",
)

MAX_CANDIDATES = 8


class Prose(TypeDecorator[str]):
    """Text as people and models write it. Refuses what would come back cut or not at all."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Let through what UTF-8 and C strings can hold."""
        if value is not None and ("\0" in value or any("\ud800" <= char <= "\udfff" for char in value)):
            raise StorageError("text_not_storable")
        return value


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as ISO-8601 text in UTC."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write it in UTC."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read it back, aware."""
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def one_of(column: str, choices: Any) -> CheckConstraint:
    """A column holds one of the words of a Literal."""
    names = ", ".join(f"'{name}'" for name in get_args(choices))
    return CheckConstraint(f"{column} IN ({names})", name=column)


def _sections(nullable: bool) -> list[Column[str]]:
    return [Column(name, Prose, nullable=nullable) for name in SECTIONS]


def _score() -> list[Column[Any] | CheckConstraint]:
    return [
        Column("cosine", Float),
        Column("passed", Boolean),
        Column("percentile", Float),
        Column("reward_sha256", Text),
        CheckConstraint(
            "(cosine IS NULL) = (passed IS NULL) AND (cosine IS NULL) = (percentile IS NULL)"
            " AND (cosine IS NULL) = (reward_sha256 IS NULL)",
            name="score_whole",
        ),
    ]


def created_at() -> Column[datetime]:
    """When a row was written."""
    return Column("created_at", Moment, nullable=False)


people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Prose, nullable=False),
    # The name casefolded, so that one person is not two.
    Column("key", Prose, nullable=False, unique=True),
    created_at(),
)

posts = Table(
    "posts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", Prose, nullable=False),
    Column("description", Prose, nullable=False),
    Column("author_id", ForeignKey("people.id"), nullable=False),
    created_at(),
    # Here and below: the number of what was erased is never given again.
    sqlite_autoincrement=True,
)

# Who went through the checklist of a post whose signals ask for a person at once.
checklists = Table(
    "checklists",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("post_id", ForeignKey("posts.id"), nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    created_at(),
    UniqueConstraint("post_id", "person_id"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    # use_alter: else the two tables, which name each other, could not be put in order.
    Column("parent_id", ForeignKey("drafts.id", use_alter=True)),
    Column("from_section", Text),
    Column("only", Boolean, nullable=False),
    Column("steer", Text),
    Column("aim", Text),
    Column("edited", JSON, nullable=False),
    Column("part_start", Integer, nullable=False),
    Column("part_end", Integer),
    one_of("from_section", Literal[SECTIONS]),
    one_of("steer", Steer),
    one_of("aim", Aim),
    CheckConstraint("(parent_id IS NULL) = (from_section IS NULL)", name="redraft_whole"),
    CheckConstraint("part_start >= 0 AND (part_end IS NULL OR part_end > part_start)", name="part"),
    sqlite_autoincrement=True,
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("candidate", Integer, nullable=False),
    Column("post_id", ForeignKey("posts.id"), nullable=False),
    Column("author_id", ForeignKey("people.id"), nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_sha256", Text, nullable=False),
    Column("prompt_version", Text, nullable=False),
    Column("format_version", Integer, nullable=False),
    Column("sampling", JSON, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text),
    *_sections(nullable=True),
    Column("timings", JSON, nullable=False),
    *_score(),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    created_at(),
    Column("finished_at", Moment),
    one_of("status", Status),
    one_of("state", State),
    CheckConstraint("state = 'open' OR version > 0", name="reviewed_text_is_a_revision"),
    CheckConstraint(f"candidate BETWEEN 1 AND {MAX_CANDIDATES}", name="candidate"),
    UniqueConstraint("id", "author_id"),
    UniqueConstraint("request_id", "candidate"),
    Index(None, "author_id"),
    Index(None, "post_id"),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", ForeignKey("drafts.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    *_sections(nullable=False),
    Column("text_sha256", Text, nullable=False),
    *_score(),
    created_at(),
    CheckConstraint("version > 0", name="version"),
    UniqueConstraint("draft_id", "version"),
    # What the foreign keys below name.
    UniqueConstraint("draft_id", "version", "text_sha256"),
    UniqueConstraint("draft_id", "version", "person_id", "text_sha256"),
)

# Everybody with a part in a draft's text: its author, who saved a version of it, and the writers of the draft that it
# was redrafted from. Filled by triggers alone.
writers = Table(
    "writers",
    metadata,
    Column("draft_id", ForeignKey("drafts.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
)

stale_saves = Table(
    "stale_saves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", ForeignKey("drafts.id"), nullable=False),
    Column("base_version", Integer, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    *_sections(nullable=False),
    Column("text_sha256", Text, nullable=False),
    created_at(),
    UniqueConstraint("draft_id", "base_version", "person_id", "text_sha256"),
)

# Why a person handed on a text in which blocking findings stand.
lint_overrides = Table(
    "lint_overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text_sha256", Text, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("rules", JSON, nullable=False),
    Column("reason", Prose, nullable=False),
    created_at(),
    CheckConstraint("trim(reason) <> ''", name="reason"),
    ForeignKeyConstraint(
        ["draft_id", "version", "text_sha256"],
        ["revisions.draft_id", "revisions.version", "revisions.text_sha256"],
    ),
    Index(None, "draft_id"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text_sha256", Text, nullable=False),
    Column("author_id", Integer, nullable=False),
    Column("editor_id", Integer, nullable=False),
    Column("reviewer_id", ForeignKey("people.id"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("reason", Prose, nullable=False),
    created_at(),
    one_of("decision", Decision),
    CheckConstraint("author_id <> reviewer_id", name="author_reviews"),
    CheckConstraint("editor_id <> reviewer_id", name="editor_reviews"),
    CheckConstraint("decision = 'approve' OR trim(reason) <> ''", name="reason"),
    ForeignKeyConstraint(["draft_id", "author_id"], ["drafts.id", "drafts.author_id"]),
    ForeignKeyConstraint(
        ["draft_id", "version", "editor_id", "text_sha256"],
        ["revisions.draft_id", "revisions.version", "revisions.person_id", "revisions.text_sha256"],
    ),
    Index(None, "draft_id", "version"),
    sqlite_autoincrement=True,
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("person_id", ForeignKey("people.id")),
    # No foreign keys: what was done to an erased case stays on record.
    Column("post_id", Integer),
    Column("draft_id", Integer),
    Column("version", Integer),
    Column("count", Integer),
    created_at(),
)
