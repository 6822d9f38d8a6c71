"""People, posts, drafts, revisions, reviews, what else was done about them, and the index of all texts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrations.guards import append_only, follow, refuse

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCORE_WHOLE = (
    "(cosine IS NULL) = (passed IS NULL) AND (cosine IS NULL) = (percentile IS NULL)"
    " AND (cosine IS NULL) = (reward_sha256 IS NULL)"
)


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _integer(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def _id(table: str) -> list[sa.Column[int] | sa.PrimaryKeyConstraint]:
    return [_integer("id"), sa.PrimaryKeyConstraint("id", name=f"pk_{table}")]


def _sections(nullable: bool) -> list[sa.Column[str]]:
    return [_text(name, nullable) for name in ("L1", "L2", "L3", "L4", "answer")]


def _score(table: str) -> list[sa.Column[float] | sa.Column[bool] | sa.Column[str] | sa.CheckConstraint]:
    return [
        sa.Column("cosine", sa.Float),
        sa.Column("passed", sa.Boolean),
        sa.Column("percentile", sa.Float),
        _text("reward_sha256", nullable=True),
        sa.CheckConstraint(SCORE_WHOLE, name=f"ck_{table}_score_whole"),
    ]


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}")


def upgrade() -> None:
    """Make everything."""
    _create_posts()
    _create_drafts()
    _create_revisions()
    _create_reviews()
    _create_audit_events()
    _create_search()
    append_only("checklists", "revisions", "writers", "stale_saves", "lint_overrides", "reviews", "audit_events")
    follow(
        "drafts_writers",
        "INSERT",
        "drafts",
        "INSERT INTO writers (draft_id, person_id) SELECT NEW.id, NEW.author_id UNION SELECT NEW.id, person_id"
        " FROM writers JOIN requests ON requests.parent_id = writers.draft_id WHERE requests.id = NEW.request_id",
    )
    follow(
        "revisions_writers",
        "INSERT",
        "revisions",
        "INSERT INTO writers (draft_id, person_id) VALUES (NEW.draft_id, NEW.person_id)",
        "NOT EXISTS (SELECT 1 FROM writers WHERE draft_id = NEW.draft_id AND person_id = NEW.person_id)",
    )
    refuse(
        "reviews_no_own",
        "INSERT",
        "reviews",
        "the reviewer has a part in the text of this draft",
        "EXISTS (SELECT 1 FROM writers WHERE draft_id = NEW.draft_id AND person_id = NEW.reviewer_id)",
    )


def _create_posts() -> None:
    op.create_table(
        "people",
        *_id("people"),
        _text("name"),
        _text("key"),
        _text("created_at"),
        sa.UniqueConstraint("key", name="uq_people_key"),
    )
    op.create_table(
        "posts",
        *_id("posts"),
        _text("title"),
        _text("description"),
        _integer("author_id"),
        _text("created_at"),
        _belongs("posts", "author_id", "people"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "checklists",
        *_id("checklists"),
        _integer("post_id"),
        _integer("person_id"),
        _text("created_at"),
        _belongs("checklists", "post_id", "posts"),
        _belongs("checklists", "person_id", "people"),
        sa.UniqueConstraint("post_id", "person_id", name="uq_checklists_post_id_person_id"),
    )


def _create_drafts() -> None:
    op.create_table(
        "requests",
        *_id("requests"),
        _integer("parent_id", nullable=True),
        _text("from_section", nullable=True),
        sa.Column("only", sa.Boolean, nullable=False),
        _text("steer", nullable=True),
        _text("aim", nullable=True),
        sa.Column("edited", sa.JSON, nullable=False),
        _integer("part_start"),
        _integer("part_end", nullable=True),
        # SQLite can name a table that is still to be made; and can add no such constraint later.
        *([] if _postgres() else [_belongs("requests", "parent_id", "drafts")]),
        sa.CheckConstraint("from_section IN ('L1', 'L2', 'L3', 'L4', 'answer')", name="ck_requests_from_section"),
        sa.CheckConstraint("steer IN ('shorter', 'warmer', 'less_advice', 'ask_more')", name="ck_requests_steer"),
        sa.CheckConstraint("aim IN ('listen', 'understand', 'advise')", name="ck_requests_aim"),
        sa.CheckConstraint("(parent_id IS NULL) = (from_section IS NULL)", name="ck_requests_redraft_whole"),
        sa.CheckConstraint("part_start >= 0 AND (part_end IS NULL OR part_end > part_start)", name="ck_requests_part"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "drafts",
        *_id("drafts"),
        _integer("request_id"),
        _integer("candidate"),
        _integer("post_id"),
        _integer("author_id"),
        _text("model_name"),
        _text("model_sha256"),
        _text("prompt_version"),
        _integer("format_version"),
        sa.Column("sampling", sa.JSON, nullable=False),
        _integer("seed"),
        _text("status"),
        _text("error_code", nullable=True),
        *_sections(nullable=True),
        sa.Column("timings", sa.JSON, nullable=False),
        *_score("drafts"),
        _text("state"),
        _integer("version"),
        _text("created_at"),
        _text("finished_at", nullable=True),
        _belongs("drafts", "request_id", "requests"),
        _belongs("drafts", "post_id", "posts"),
        _belongs("drafts", "author_id", "people"),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'stopped', 'failed', 'interrupted')", name="ck_drafts_status"
        ),
        sa.CheckConstraint(
            "state IN ('open', 'submitted', 'approved', 'returned', 'rejected')", name="ck_drafts_state"
        ),
        sa.CheckConstraint("state = 'open' OR version > 0", name="ck_drafts_reviewed_text_is_a_revision"),
        sa.CheckConstraint("candidate BETWEEN 1 AND 8", name="ck_drafts_candidate"),
        sa.UniqueConstraint("id", "author_id", name="uq_drafts_id_author_id"),
        sa.UniqueConstraint("request_id", "candidate", name="uq_drafts_request_id_candidate"),
        sqlite_autoincrement=True,
    )
    if _postgres():
        op.create_foreign_key("fk_requests_parent_id", "requests", "drafts", ["parent_id"], ["id"])
    op.create_index("ix_drafts_author_id", "drafts", ["author_id"])
    op.create_index("ix_drafts_post_id", "drafts", ["post_id"])
    op.create_index("ix_drafts_state", "drafts", ["state"])


def _create_revisions() -> None:
    op.create_table(
        "revisions",
        *_id("revisions"),
        _integer("draft_id"),
        _integer("version"),
        _integer("person_id"),
        *_sections(nullable=False),
        _text("text_sha256"),
        *_score("revisions"),
        _text("created_at"),
        _belongs("revisions", "draft_id", "drafts"),
        _belongs("revisions", "person_id", "people"),
        sa.CheckConstraint("version > 0", name="ck_revisions_version"),
        sa.UniqueConstraint("draft_id", "version", name="uq_revisions_draft_id_version"),
        sa.UniqueConstraint("draft_id", "version", "text_sha256", name="uq_revisions_draft_id_version_text_sha256"),
        sa.UniqueConstraint(
            "draft_id",
            "version",
            "person_id",
            "text_sha256",
            name="uq_revisions_draft_id_version_person_id_text_sha256",
        ),
    )
    op.create_table(
        "writers",
        _integer("draft_id"),
        _integer("person_id"),
        sa.PrimaryKeyConstraint("draft_id", "person_id", name="pk_writers"),
        _belongs("writers", "draft_id", "drafts"),
        _belongs("writers", "person_id", "people"),
    )
    op.create_table(
        "stale_saves",
        *_id("stale_saves"),
        _integer("draft_id"),
        _integer("base_version"),
        _integer("person_id"),
        *_sections(nullable=False),
        _text("text_sha256"),
        _text("created_at"),
        _belongs("stale_saves", "draft_id", "drafts"),
        _belongs("stale_saves", "person_id", "people"),
        sa.UniqueConstraint(
            "draft_id",
            "base_version",
            "person_id",
            "text_sha256",
            name="uq_stale_saves_draft_id_base_version_person_id_text_sha256",
        ),
    )


def _create_reviews() -> None:
    op.create_table(
        "lint_overrides",
        *_id("lint_overrides"),
        _integer("draft_id"),
        _integer("version"),
        _text("text_sha256"),
        _integer("person_id"),
        sa.Column("rules", sa.JSON, nullable=False),
        _text("reason"),
        _text("created_at"),
        _belongs("lint_overrides", "person_id", "people"),
        sa.ForeignKeyConstraint(
            ["draft_id", "version", "text_sha256"],
            ["revisions.draft_id", "revisions.version", "revisions.text_sha256"],
            name="fk_lint_overrides_draft_id_version_text_sha256",
        ),
        sa.CheckConstraint("trim(reason) <> ''", name="ck_lint_overrides_reason"),
    )
    op.create_index("ix_lint_overrides_draft_id", "lint_overrides", ["draft_id"])
    op.create_table(
        "reviews",
        *_id("reviews"),
        _integer("draft_id"),
        _integer("version"),
        _text("text_sha256"),
        _integer("author_id"),
        _integer("editor_id"),
        _integer("reviewer_id"),
        _text("decision"),
        _text("reason"),
        _text("created_at"),
        _belongs("reviews", "reviewer_id", "people"),
        sa.ForeignKeyConstraint(
            ["draft_id", "author_id"], ["drafts.id", "drafts.author_id"], name="fk_reviews_draft_id_author_id"
        ),
        sa.ForeignKeyConstraint(
            ["draft_id", "version", "editor_id", "text_sha256"],
            ["revisions.draft_id", "revisions.version", "revisions.person_id", "revisions.text_sha256"],
            name="fk_reviews_draft_id_version_editor_id_text_sha256",
        ),
        sa.CheckConstraint("decision IN ('approve', 'return', 'reject', 'escalate')", name="ck_reviews_decision"),
        sa.CheckConstraint("author_id <> reviewer_id", name="ck_reviews_author_reviews"),
        sa.CheckConstraint("editor_id <> reviewer_id", name="ck_reviews_editor_reviews"),
        sa.CheckConstraint("decision = 'approve' OR trim(reason) <> ''", name="ck_reviews_reason"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_draft_id_version", "reviews", ["draft_id", "version"])


def _create_audit_events() -> None:
    op.create_table(
        "audit_events",
        *_id("audit_events"),
        _text("code"),
        _integer("person_id", nullable=True),
        _integer("post_id", nullable=True),
        _integer("draft_id", nullable=True),
        _integer("version", nullable=True),
        _integer("count", nullable=True),
        _text("created_at"),
        _belongs("audit_events", "person_id", "people"),
    )


def _create_search() -> None:
    # Filled by storage.search and not by triggers: with trusted_schema off, a trigger may not write to a virtual table.
    if not _postgres():
        op.execute("CREATE VIRTUAL TABLE search USING fts5(text, tokenize = 'trigram')")
        op.execute("CREATE VIRTUAL TABLE search_trigrams USING fts5vocab(search, instance)")
        return
    # "C" compares bytes: the same on every server, and after every update of its locales.
    op.execute(
        'CREATE TABLE search (post_id integer PRIMARY KEY REFERENCES posts (id), text text COLLATE "C" NOT NULL)'
    )
    # Costly on paper, so that the planner asks the index and not every text, however few there are.
    op.execute(
        "CREATE FUNCTION search_pairs(text text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000"
        # The characters beside themselves, one further on. The index takes each pair once, however often it comes.
        " AS $$ SELECT array_agg(one || other) FROM unnest(string_to_array(text, NULL),"
        " (string_to_array(text, NULL))[2:]) AS pairs (one, other) WHERE other IS NOT NULL $$"
    )
    op.execute("CREATE INDEX search_by_pair ON search USING gin (search_pairs(text))")


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
