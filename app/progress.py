"""How far the candidates of a request are: what the engine tells, as snapshots that a page can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.composing import complete
from app.engine.protocol import Closed, Delta, Event, Reading
from app.errors import DeskError
from storage.records import Draft, StoredScore

Stage = Literal["queued", "reading", "writing", "scoring", "done", "stopped", "failed", "interrupted"]

SectionState = Literal["waiting", "streaming", "done", "edited"]


@dataclass(frozen=True)
class Snapshot:
    """How far a draft is.

    `section` is the one being written, `ahead` the number of requests before a queued one; `edited` names sections that
    were kept and that no model wrote. A candidate that is written waits in `scoring` for the others of its request.
    """

    draft_id: int
    stage: Stage
    parts: Mapping[str, str]
    section: str = ""
    ahead: int = 0
    read_tokens: int = 0
    prompt_tokens: int = 0
    score: StoredScore | None = None
    error: DeskError | None = None
    candidate: int = 1
    edited: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Nothing more will be written."""
        return self.stage in ("done", "stopped", "failed", "interrupted")

    def state(self, section: str) -> SectionState:
        """Where one section stands, a person's revision of this draft aside."""
        if section in self.edited:
            return "edited"
        if section == self.section:
            return "streaming"
        return "done" if self.parts.get(section) else "waiting"


def queued(draft: Draft) -> Snapshot:
    """Of a draft that has just been asked for."""
    return Snapshot(draft.id, "queued", draft.sections, candidate=draft.candidate, edited=draft.origin.edited)


def stored(draft: Draft) -> Snapshot:
    """Of a draft that is not being written in this process."""
    # A row that says `running` belongs to a desk that has ended.
    stage: Stage = "interrupted" if draft.status == "running" else draft.status
    error = DeskError(draft.error_code) if draft.error_code else None
    return replace(queued(draft), stage=stage, score=draft.score, error=error)


def ranked(candidates: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Best score first; without a score by number, and what failed last."""
    return tuple(
        sorted(
            candidates,
            key=lambda now: (now.stage == "failed", -(now.score.cosine if now.score else -2.0), now.candidate),
        )
    )


def after(now: tuple[Snapshot, ...], event: Event, last: str) -> tuple[Snapshot, ...]:
    """The candidates once an event has happened; `last` is the section with which one is written."""
    if isinstance(event, Reading):
        return tuple(replace(one, read_tokens=event.done_tokens, prompt_tokens=event.total_tokens) for one in now)
    if isinstance(event, Delta):
        one = now[event.candidate]
        parts = {**one.parts, event.section: one.parts.get(event.section, "") + event.text}
        return _put(now, event.candidate, replace(one, stage="writing", section=event.section, parts=parts))
    if isinstance(event, Closed) and event.section == last:
        return _put(now, event.candidate, replace(now[event.candidate], stage="scoring", section=""))
    return now


def outcomes(now: Iterable[Snapshot], error: DeskError | None = None) -> list[Snapshot]:
    """How candidates end that will not be written any further: whole ones are done, others failed or were stopped."""
    return [_outcome(one, error) for one in now]


def _outcome(one: Snapshot, error: DeskError | None) -> Snapshot:
    if one.stage == "scoring":
        try:
            return replace(one, stage="done", parts=complete(one.parts).parts())
        except DeskError as malformed:
            error = malformed
    return replace(one, stage="failed" if error else "stopped", section="", error=error)


def _put(now: tuple[Snapshot, ...], number: int, one: Snapshot) -> tuple[Snapshot, ...]:
    return (*now[:number], one, *now[number + 1 :])
