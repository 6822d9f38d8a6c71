"""The tables of curation: what people have said of a case that lets it leave, keeps it, or ends it.

What a person stated is never changed: the latest row counts. Rows of a case go when it is erased, and only then; that
it was, by whom and why is what remains.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from storage.curation_records import ErasureReason, Purpose
from storage.schema import Prose, created_at, metadata, one_of

APPEND_ONLY = ("consents", "deidentifications", "signatures", "holds", "erasures")


def _post() -> Column[int]:
    return Column("post_id", ForeignKey("posts.id"), nullable=False)


def _person() -> Column[int]:
    return Column("person_id", ForeignKey("people.id"), nullable=False)


def _text() -> list[Column[int] | Column[str]]:
    return [
        Column("draft_id", Integer, nullable=False),
        Column("version", Integer, nullable=False),
        Column("text_sha256", Text, nullable=False),
    ]


def _of_revision() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["draft_id", "version", "text_sha256"],
        ["revisions.draft_id", "revisions.version", "revisions.text_sha256"],
    )


# Whether the help-seeker agrees to a use of the case, as somebody wrote it down.
consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    _post(),
    Column("purpose", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    _person(),
    created_at(),
    one_of("purpose", Purpose),
    Index(None, "post_id"),
)

# Who has read a post, a text that answers it and the model's draft of that text, and found nobody named in them.
deidentifications = Table(
    "deidentifications",
    metadata,
    Column("id", Integer, primary_key=True),
    *_text(),
    _person(),
    created_at(),
    _of_revision(),
    UniqueConstraint("draft_id", "version", "person_id"),
)

# Who stands for a text beside the reviewer who approved it: neither that reviewer nor one of its writers (a trigger).
signatures = Table(
    "signatures",
    metadata,
    Column("id", Integer, primary_key=True),
    *_text(),
    _person(),
    created_at(),
    _of_revision(),
    UniqueConstraint("draft_id", "version", "person_id"),
)

# With which edition of the phrases a post was read for signals; what they found stands in `urgencies`.
scans = Table(
    "scans",
    metadata,
    Column("post_id", ForeignKey("posts.id"), primary_key=True),
    Column("edition", Text, nullable=False),
    created_at(),
)

# Whether a case has to stay, whatever is asked.
holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    _post(),
    Column("held", Boolean, nullable=False),
    Column("reason", Prose, nullable=False),
    _person(),
    created_at(),
    CheckConstraint("trim(reason) <> ''", name="reason"),
    Index(None, "post_id"),
)

# What remains of a case. The row comes first, and lets the rows of its case go (triggers); a case on hold gets none.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Integer, primary_key=True),
    # No foreign key: that post is gone. Numbers of posts are never given again.
    Column("post_id", Integer, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    _person(),
    created_at(),
    one_of("reason", ErasureReason),
)
