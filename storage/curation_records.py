"""What the store hands out about curation: what keeps a text from leaving, what leaves, and what an erasure did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from app.chain import Response
from storage.records import Person, Post

Purpose = Literal["draft", "training"]
"""To have a reply drafted by a model here; to be trained on, and so to leave the desk."""

Missing = Literal["consent", "deidentified", "unread", "second_signature"]
"""Why an approved text may not leave: nobody noted the help-seeker's consent to training, or it was withdrawn; nobody
confirmed that post and text name no one; the post has not been read for signals; it has some, and nobody but the
approving reviewer signed the text."""

ErasureReason = Literal["asked", "withdrawn", "retention", "mistake"]
"""The help-seeker asked for it; consent was withdrawn; its time is over; it should never have been kept."""


@dataclass(frozen=True)
class Consent:
    """A line of a case's consents; of each purpose the latest counts."""

    purpose: Purpose
    granted: bool
    person: Person
    created_at: datetime


@dataclass(frozen=True)
class Hold:
    """A line of a case's holds; the latest counts."""

    held: bool
    reason: str
    person: Person
    created_at: datetime


@dataclass(frozen=True)
class Candidate:
    """An approved text, and what is missing before it may leave; nothing, if it may."""

    draft_id: int
    version: int
    text_sha256: str
    post_id: int
    title: str
    urgency: str | None
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Item:
    """An approved text, found to be exactly the one that was approved, with what an export says and asks of it.

    `draft` is what the model wrote, None if that was no whole response. `saved_at` is when the text was.
    """

    draft_id: int
    version: int
    response: Response
    text_sha256: str
    draft: Response | None
    model_name: str
    model_sha256: str
    prompt_version: str
    format_version: int
    reviewers: tuple[int, ...]
    saved_at: datetime
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Dossier:
    """A post with all its approved texts, and those that reviewers rejected and somebody found to name no one."""

    post: Post
    approved: tuple[Item, ...]
    rejected: tuple[Response, ...]


@dataclass(frozen=True)
class DueCase:
    """A case that nobody has worked on for so long that it need not be kept; `hold` says why it must be, if it must."""

    post: Post
    last_at: datetime
    hold: Hold | None


@dataclass(frozen=True)
class Erased:
    """What an erasure did, and what it could not reach.

    `rows` were deleted. The case was in `exports` files that have left, and may be in these `backups`, which a person
    has to delete. `unreached`: the database is a server's, whose vacuum and log are its own; or somebody was reading,
    and the log of the file still has to be emptied (`Retention.clear_log`).
    """

    number: int
    rows: int
    exports: int
    backups: tuple[Path, ...]
    unreached: Literal["server", "log"] | None
