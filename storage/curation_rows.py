"""Which texts are approved, what keeps each from leaving, and how their rows become records."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, func, select

from app.chain import SECTIONS
from storage import rows
from storage.curation_records import Candidate, Item, Missing, Purpose
from storage.curation_tables import consents, deidentifications, holds, scans, signatures
from storage.errors import StorageError
from storage.records import text_sha256, whole
from storage.review_tables import urgencies
from storage.schema import drafts, people, posts, reviews, revisions, writers

SELECT_CONSENT = select(consents, people.c.name).join(people, people.c.id == consents.c.person_id)
SELECT_HOLD = select(holds, people.c.name).join(people, people.c.id == holds.c.person_id)

_APPROVES = and_(
    reviews.c.draft_id == drafts.c.id,
    reviews.c.version == drafts.c.version,
    reviews.c.decision == "approve",
    rows.STANDS,
)

SELECT_APPROVERS = (
    select(reviews.c.draft_id, reviews.c.reviewer_id)
    .join(drafts, drafts.c.id == reviews.c.draft_id)
    .where(_APPROVES)
    .order_by(reviews.c.id)
)


def consented(purpose: Purpose) -> ColumnElement[bool]:
    """Of a post: the last word on this purpose is yes. No word is a no."""
    last = (
        select(consents.c.granted)
        .where(consents.c.post_id == posts.c.id, consents.c.purpose == purpose)
        .order_by(consents.c.id.desc())
        .limit(1)
        .correlate(posts)
        .scalar_subquery()
    )
    return func.coalesce(last, False)


def _deidentified() -> ColumnElement[bool]:
    return exists().where(
        deidentifications.c.draft_id == revisions.c.draft_id,
        deidentifications.c.version == revisions.c.version,
        deidentifications.c.text_sha256 == revisions.c.text_sha256,
    )


def _signed() -> ColumnElement[bool]:
    # Asked again here: whoever signed may have approved since.
    approver = exists().where(_APPROVES, reviews.c.reviewer_id == signatures.c.person_id)
    writer = exists().where(writers.c.draft_id == drafts.c.id, writers.c.person_id == signatures.c.person_id)
    return exists().where(
        signatures.c.draft_id == revisions.c.draft_id,
        signatures.c.version == revisions.c.version,
        signatures.c.text_sha256 == revisions.c.text_sha256,
        ~approver,
        ~writer,
    )


def select_approved(edition: str) -> Select[Any]:
    """Approved texts with what their leaving depends on, by post and draft.

    Args:
        edition: of the phrases that a post has to have been read with.
    """
    return (
        rows.SELECT_APPROVED.outerjoin(urgencies, urgencies.c.post_id == posts.c.id)
        .add_columns(
            posts.c.created_at.label("post_created_at"),
            *(drafts.c[name].label(f"draft_{name}") for name in SECTIONS),
            drafts.c.status,
            drafts.c.model_name,
            drafts.c.model_sha256,
            drafts.c.prompt_version,
            drafts.c.format_version,
            *_conditions(edition),
        )
        .order_by(None)
        .order_by(posts.c.id, drafts.c.id)
    )


def select_leaving(edition: str) -> Select[Any]:
    """The same without any text: a check of all of them is to be quick."""
    return (
        rows.SELECT_APPROVED.outerjoin(urgencies, urgencies.c.post_id == posts.c.id)
        .with_only_columns(
            revisions.c.draft_id,
            revisions.c.version,
            revisions.c.text_sha256,
            *_conditions(edition),
            maintain_column_froms=True,
        )
        .order_by(None)
    )


def _conditions(edition: str) -> list[ColumnElement[Any]]:
    return [
        posts.c.id.label("post_id"),
        urgencies.c.urgency,
        consented("training").label("consented"),
        _deidentified().label("deidentified"),
        exists().where(scans.c.post_id == posts.c.id, scans.c.edition == edition).label("read"),
        _signed().label("signed"),
    ]


def select_rejected(post_ids: list[int]) -> Select[Any]:
    """Texts at which drafts of these posts were rejected, if somebody found that they name no one."""
    return (
        select(revisions, drafts.c.post_id)
        .join(drafts, rows.LATEST_REVISION)
        .where(drafts.c.post_id.in_(post_ids), drafts.c.state == "rejected", _deidentified())
        .order_by(drafts.c.id)
    )


def missing(row: RowMapping) -> tuple[Missing, ...]:
    """What keeps a row of `select_approved` from leaving."""
    conditions: dict[Missing, bool] = {
        "consent": row["consented"],
        "deidentified": row["deidentified"],
        "unread": row["read"],
        "second_signature": row["urgency"] is None or row["signed"],
    }
    return tuple(name for name, fulfilled in conditions.items() if not fulfilled)


def to_candidate(row: RowMapping) -> Candidate:
    """From `select_approved`."""
    return Candidate(
        row["draft_id"],
        row["version"],
        row["text_sha256"],
        row["post_id"],
        row["title"],
        row["urgency"],
        missing(row),
    )


def to_item(row: RowMapping, reviewers: tuple[int, ...]) -> Item:
    """From `select_approved`.

    Raises:
        StorageError: export_mismatch (draft_id), if the text is not the one whose hash was approved.
    """
    response = whole(dict(row))
    if response is None or text_sha256(response) != row["approved_sha256"]:
        raise StorageError("export_mismatch", draft_id=row["draft_id"])
    written = {name: row[f"draft_{name}"] for name in SECTIONS if row[f"draft_{name}"] is not None}
    return Item(
        draft_id=row["draft_id"],
        version=row["version"],
        response=response,
        text_sha256=row["approved_sha256"],
        draft=whole(written) if row["status"] == "done" else None,
        model_name=row["model_name"],
        model_sha256=row["model_sha256"],
        prompt_version=row["prompt_version"],
        format_version=row["format_version"],
        reviewers=reviewers,
        saved_at=row["created_at"],
        missing=missing(row),
    )
