"""The tables of who may sign in. While `accounts` is empty, the desk is one person's and asks for a name alone."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from storage.schema import Moment, created_at, metadata, one_of

Role = Literal["counselor", "reviewer", "lead"]
"""Each may do what those before it may: write; review; decide what was called up, and keep the accounts."""

accounts = Table(
    "accounts",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    # Since the last success; what locks an account, and until when.
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    # Closed accounts stay, because their person's reviews do.
    Column("closed_at", Moment),
    created_at(),
    one_of("role", Role),
    CheckConstraint("failures >= 0", name="failures"),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    # Of the cookie: whoever reads the table cannot sign in with it.
    Column("token_sha256", Text, primary_key=True),
    Column("person_id", ForeignKey("accounts.person_id"), nullable=False),
    Column("expires_at", Moment, nullable=False),
    created_at(),
    Index(None, "person_id"),
)
