"""What the store hands out: frozen copies of rows, with no way back into the database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.chain import SECTIONS, FormatError, Response, render
from app.chain.steer import Aim, Steer

Status = Literal["running", "done", "stopped", "failed", "interrupted"]
"""Of the generation job. `interrupted`: the desk ended while it ran; its partial text is kept."""

State = Literal["open", "submitted", "approved", "returned", "rejected"]
"""Of the text between its people."""

Decision = Literal["approve", "return", "reject", "escalate"]

Standing = State | Literal["claimed", "escalated"]
"""A state as its people see it (`storage.states`)."""

Verdict = Literal["keep", "change", "wrong"]
"""Of a reviewer, on one section."""

Aspect = Literal["fluency", "identification", "comforting", "suggestion"]
"""What the paper's section 4.1.5 judges an answer by, from 1 to 5 here."""

View = Literal["to_review", "urgent", "low_score", "disagreement", "waiting", "returned", "approved", "rejected"]
"""What a person can list. Of what others submitted and this person has not reviewed: all, those whose post asks for
somebody at once, those whose score does not pass, and what waits for somebody senior. Of one's own: what waits for
others, and what came back. Everybody's approved and rejected drafts."""

Order = Literal["urgency", "oldest", "newest", "score"]
"""Of a list: what is urgent and then longest saved first; by the time of the last save; the lowest score first."""


def text_sha256(response: Response) -> str:
    """The identity of a text: what an approval is bound to, and what an export checks."""
    # A lone surrogate has a hash too; it is refused where it would be written.
    return hashlib.sha256(render(response).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Person:
    """Somebody who works at this desk."""

    id: int
    name: str


@dataclass(frozen=True)
class Post:
    """The help-seeker's text, as cleaned at the door."""

    id: int
    title: str
    description: str
    created_at: datetime


@dataclass(frozen=True)
class StoredScore:
    """A score with what gives it meaning: threshold passed or not, percentile among human answers, and its model."""

    cosine: float
    passed: bool
    percentile: float
    reward_sha256: str


@dataclass(frozen=True)
class Origin:
    """What the candidates of a request began from; the defaults are those of a new draft of a post.

    A redraft has a parent, whose sections before `from_section` it keeps, and with `only` those behind it too. `edited`
    names the kept sections that no model wrote: a person's text, a steered strategy, an aim. Of a post that is too long
    for the model, this reads [part_start, part_end) in characters; None is the end of the post.
    """

    parent_id: int | None = None
    from_section: str | None = None
    only: bool = False
    steer: Steer | None = None
    aim: Aim | None = None
    edited: tuple[str, ...] = ()
    part_start: int = 0
    part_end: int | None = None

    def read(self, post: str) -> str:
        """What of a post the model reads."""
        return post[self.part_start : self.part_end]


@dataclass(frozen=True)
class Draft:
    """One candidate of a request, and how far its people are with its text.

    `sections` holds what was kept for it and what the model wrote so far, also of an unfinished draft; a person's edits
    are revisions. `version` is the number of the latest revision, 0 while nobody has saved one. `timings` are those of
    the whole request.
    """

    id: int
    request_id: int
    candidate: int
    origin: Origin
    post: Post
    author: Person
    model_name: str
    model_sha256: str
    prompt_version: str
    format_version: int
    sampling: Mapping[str, int | float]
    seed: int
    status: Status
    error_code: str | None
    sections: Mapping[str, str]
    timings: Mapping[str, int | float]
    score: StoredScore | None
    state: State
    version: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def response(self) -> Response | None:
        """What the model wrote, once it is a whole response."""
        return whole(self.sections) if self.status == "done" else None


@dataclass(frozen=True)
class Revision:
    """A person's text of a draft; versions count from 1 and are never rewritten."""

    draft_id: int
    version: int
    person: Person
    response: Response
    text_sha256: str
    score: StoredScore | None
    created_at: datetime


@dataclass(frozen=True)
class Version:
    """A line of a draft's version list: who saved it and when, without its text."""

    version: int
    person: Person
    created_at: datetime


@dataclass(frozen=True)
class Case:
    """A line of the history: a post, and the draft at which it was left.

    `excerpt` is the beginning of the post's description; `drafts` counts all drafts of the post.
    """

    post_id: int
    title: str
    excerpt: str
    created_at: datetime
    draft_id: int
    author: Person
    status: Status
    state: State
    version: int
    drafts: int


@dataclass(frozen=True)
class StaleSave:
    """A text whose save was refused: somebody had saved since `base_version`, or the draft was in review by then."""

    draft_id: int
    base_version: int
    person: Person
    response: Response
    created_at: datetime


@dataclass(frozen=True)
class Override:
    """Why a person handed on a version although findings of these rules of the lint stood in its text."""

    draft_id: int
    version: int
    text_sha256: str
    person: Person
    rules: tuple[str, ...]
    reason: str
    created_at: datetime


@dataclass(frozen=True)
class Comment:
    """What a reviewer says of a section, or of the words of it that are quoted."""

    section: str
    text: str
    quote: str = ""


@dataclass(frozen=True)
class Assessment:
    """What a reviewer finds beside the decision: by section, by aspect (1-5), and the ids of the reasons given."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    ratings: Mapping[Aspect, int] = field(default_factory=dict)
    comments: tuple[Comment, ...] = ()
    reasons: tuple[int, ...] = ()


NOTHING_SAID = Assessment()


@dataclass(frozen=True)
class Reason:
    """A line of the centre's list of reasons; one that is no longer offered keeps its words where it was given."""

    id: int
    label: str
    offered: bool


@dataclass(frozen=True)
class Review:
    """One decision on the exact text of one version."""

    id: int
    draft_id: int
    version: int
    text_sha256: str
    reviewer: Person
    decision: Decision
    reason: str
    created_at: datetime
    assessment: Assessment


@dataclass(frozen=True)
class QueueItem:
    """A line of a review list.

    `excerpt` is the beginning of the post's description; `holders` are others who have it open just now.
    """

    draft_id: int
    version: int
    standing: Standing
    title: str
    excerpt: str
    author: Person
    editor: Person
    saved_at: datetime
    score: StoredScore | None
    urgency: str | None
    holders: tuple[Person, ...]


@dataclass(frozen=True)
class ApprovedItem:
    """A text that a second person approved, found to be exactly the one they saw."""

    draft_id: int
    version: int
    title: str
    description: str
    response: Response


def whole(sections: Mapping[str, str]) -> Response | None:
    """The sections as a response, or None where one is missing or breaks the format."""
    try:
        return Response(**{name: sections[name] for name in SECTIONS})
    except (KeyError, FormatError):
        return None
