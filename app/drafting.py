"""Drafting: from a post to a stored draft, one at a time, whether or not a page is looking.

A draft is a row from its first moment; what has been written is put into it about twice a second, so a reload, a closed
browser or a killed process costs half a second of text. Knows neither pages nor SQL.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.chain import ANSWER_TAG, SECTIONS, FormatError, Response, frame, post_text, prompt_pieces
from app.engine.protocol import Closed, Delta, Engine, Event, Finished, Reading, Sampling, Script, Section
from app.errors import DeskError
from app.intake import accept_post
from app.reviewing import desk_errors
from storage.errors import StorageError
from storage.records import Draft, Person, StoredScore
from storage.store import Store

if TYPE_CHECKING:
    from app.catalog import Card
    from app.scoring import Scorer

LAYER_TOKENS = 200
ANSWER_TOKENS = 640
SAVE_EVERY_S = 0.5
MAX_JOBS_A_PERSON = 2
"""One that is written and one that waits."""

Stage = Literal["queued", "reading", "writing", "scoring", "done", "stopped", "failed", "interrupted"]

_log = logging.getLogger(__name__)


def response_script() -> Script:
    """The format as the engine writes it: the frame's fixed text forced, its sections free."""
    script: list[str | Section] = []
    for fixed, name in frame():
        script.append(fixed)
        if name:
            script.append(Section(name, ANSWER_TOKENS if name == ANSWER_TAG else LAYER_TOKENS))
    return tuple(script)


def compose(engine: Engine, post: str, sampling: Sampling) -> Iterator[Event]:
    """Let the engine read a post and write a whole response."""
    return engine.generate(prompt_pieces(post), response_script(), [sampling])


def compose_whole(engine: Engine, post: str, sampling: Sampling) -> tuple[Response, dict[str, int | float]]:
    """`compose` for who cannot watch: the response and its timings.

    Raises:
        DeskError: response_malformed (section), or what the engine raises.
    """
    parts: dict[str, str] = {}
    timings: dict[str, int | float] = {}
    for event in compose(engine, post, sampling):
        if isinstance(event, Delta):
            parts[event.section] = parts.get(event.section, "") + event.text
        elif isinstance(event, Finished):
            timings = _timings(event)
    return complete(parts), timings


def complete(parts: Mapping[str, str]) -> Response:
    """The written sections as a response.

    Raises:
        DeskError: response_malformed (section), when the model wrote nothing into a section.
    """
    try:
        return Response(**{name: parts.get(name, "").strip() for name in SECTIONS})
    except FormatError as broken:
        raise DeskError("response_malformed", section=broken.section) from broken


@dataclass(frozen=True)
class Snapshot:
    """How far a draft is. `section` is the one being written, `ahead` the number of drafts before a queued one."""

    draft_id: int
    stage: Stage
    parts: Mapping[str, str]
    section: str = ""
    ahead: int = 0
    read_tokens: int = 0
    prompt_tokens: int = 0
    score: StoredScore | None = None
    error: DeskError | None = None

    @property
    def over(self) -> bool:
        """Nothing more will be written."""
        return self.stage in ("done", "stopped", "failed", "interrupted")


@dataclass
class _Job:
    post: str
    author_id: int
    sampling: Sampling
    now: Snapshot
    """Replaced as a whole, so any thread may read it without a lock."""
    stop_wanted: bool = False
    timings: dict[str, int | float] = field(default_factory=dict)


class Drafter:
    """Runs drafts one after another on a thread of its own. Every method may be called from any thread."""

    def __init__(self, store: Store, engine: Engine, card: Card, scorer: Scorer | None):
        self._store = store
        self._engine = engine
        self._card = card
        self._scorer = scorer
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._scoring = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="drafter", daemon=True)
        self._thread.start()

    def start(self, author: Person, title: str, description: str, previous: Draft | None = None) -> int:
        """Queue a draft of a post and return its id.

        Args:
            author: who asks for the draft.
            title: as typed.
            description: as typed.
            previous: the draft on the same page; if it is of the same text, the new one is of the same post.

        Raises:
            DeskError: post_empty, post_too_long_chars, draft_pending (limit), or what the store refused.
        """
        title, description = accept_post(title, description)
        sampling = Sampling(seed=secrets.randbelow(2**31))
        with self._changed:
            if sum(job.author_id == author.id for job in self._unfinished()) >= MAX_JOBS_A_PERSON:
                raise DeskError("draft_pending", limit=MAX_JOBS_A_PERSON)
            draft = self._new_row(author, title, description, previous, sampling)
            job = _Job(post_text(title, description), author.id, sampling, Snapshot(draft.id, "queued", {}))
            self._jobs[draft.id] = job
            self._waiting.append(job)
            self._changed.notify()
        return draft.id

    def snapshot(self, draft_id: int) -> Snapshot:
        """How far a draft is: from memory while it runs, from the store afterwards."""
        with self._changed:
            job = self._jobs.get(draft_id)
            if job is not None:
                queued = job in self._waiting
                ahead = self._waiting.index(job) + (self._running is not None) if queued else 0
                return dataclasses.replace(job.now, ahead=ahead)
        with desk_errors():
            return _stored(self._store.draft(draft_id))

    def stop(self, draft_id: int) -> None:
        """End a draft and keep what it has; one that is over stays as it is."""
        with self._changed:
            job = self._jobs.get(draft_id)
            if job is None:
                return
            job.stop_wanted = True
            queued = job in self._waiting
            if queued:
                self._waiting.remove(job)
            elif job is self._running:
                self._engine.stop()
        if queued:
            self._end(job, "stopped")

    def score(self, draft: Draft, response: Response) -> StoredScore | None:
        """Score a person's text of a draft.

        None without a reward model, on a failure, and while a draft is written or another text is scored: the engine
        does one thing at a time, and whoever asked may ask again.
        """
        if self._running is not None or not self._scoring.acquire(blocking=False):
            return None
        try:
            return self._score(post_text(draft.post.title, draft.post.description), response)
        except DeskError:
            return None
        finally:
            self._scoring.release()

    def close(self) -> None:
        """Stop the running draft, keep what it has, and end the thread."""
        with self._changed:
            self._closed = True
            waiting = list(self._jobs)
            self._changed.notify()
        for draft_id in waiting:
            self.stop(draft_id)
        self._thread.join(timeout=5)

    def _unfinished(self) -> list[_Job]:
        return [job for job in self._jobs.values() if not job.now.over]

    def _new_row(
        self, author: Person, title: str, description: str, previous: Draft | None, sampling: Sampling
    ) -> Draft:
        with desk_errors():
            if previous is not None and (previous.post.title, previous.post.description) == (title, description):
                post = previous.post
            else:
                post = self._store.add_post(title, description, author.id)
            return self._store.start_draft(
                post.id,
                author.id,
                model_name=self._card.name,
                model_sha256=self._card.sha256,
                sampling=dataclasses.asdict(sampling),
                seed=sampling.seed,
            )

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                stopped = self._write(job)
                self._finish(job, stopped)
            except (DeskError, StorageError) as error:
                self._end(job, "failed", DeskError(error.code, **error.values))
            except Exception as error:  # the thread must outlive whatever one draft does to it
                _log.error("draft %s failed: %s", job.now.draft_id, type(error).__name__)
                self._end(job, "failed", DeskError("internal"))

    def _next(self) -> _Job | None:
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            self._running = self._waiting.popleft()
            return self._running

    def _write(self, job: _Job) -> bool:
        """Follow the engine to the end of the script. Returns whether it was stopped before."""
        job.now = dataclasses.replace(job.now, stage="reading")
        stopped, saved_at = job.stop_wanted, time.monotonic()
        if stopped:
            return True
        for event in compose(self._engine, job.post, job.sampling):
            if job.stop_wanted:
                # A stop that came before the engine had begun found nothing to stop.
                self._engine.stop()
            job.now = _after(job.now, event)
            if isinstance(event, Finished):
                stopped = event.stopped
                job.timings = _timings(event)
            elif isinstance(event, Closed) or (isinstance(event, Delta) and _due(saved_at)):
                self._store.save_progress(job.now.draft_id, job.now.parts)
                saved_at = time.monotonic()
        return stopped

    def _finish(self, job: _Job, stopped: bool) -> None:
        if stopped:
            self._end(job, "stopped")
            return
        response = complete(job.now.parts)
        job.now = dataclasses.replace(job.now, stage="scoring", section="", parts=response.parts())
        began, score = time.monotonic(), None
        try:
            score = self._score(job.post, response)
        except DeskError as error:
            # A draft without a score is still a draft; the page says that there is none.
            _log.warning("draft %s not scored: %s", job.now.draft_id, error.code)
        job.timings["score_s"] = time.monotonic() - began
        job.now = dataclasses.replace(job.now, score=score)
        self._end(job, "done")

    def _score(self, post: str, response: Response) -> StoredScore | None:
        if self._scorer is None:
            return None
        (score,) = self._scorer.score([(post, response.answer)])
        return StoredScore(score.cosine, score.passed, score.percentile, self._scorer.reward.sha256)

    def _end(self, job: _Job, status: Literal["done", "stopped", "failed"], error: DeskError | None = None) -> None:
        """Write the last word into the row. If even that fails, the text stays in memory and the page keeps it."""
        draft_id = job.now.draft_id
        try:
            self._store.finish_draft(
                draft_id,
                status,
                job.now.parts,
                timings=job.timings,
                score=job.now.score,
                error_code=error.code if error else None,
            )
        except StorageError as refused:
            error = DeskError(refused.code, **refused.values)
        job.now = dataclasses.replace(job.now, stage="failed" if error else status, section="", error=error)
        if error is None:
            # From here on the store answers. A failed job stays: the row holds its code, not the values beside it.
            with self._changed:
                self._jobs.pop(draft_id, None)


def _timings(finished: Finished) -> dict[str, int | float]:
    return {name: value for name, value in dataclasses.asdict(finished).items() if name != "stopped"}


def _due(saved_at: float) -> bool:
    return time.monotonic() - saved_at >= SAVE_EVERY_S


def _after(now: Snapshot, event: Event) -> Snapshot:
    """The snapshot once an event has happened."""
    if isinstance(event, Reading):
        return dataclasses.replace(now, read_tokens=event.done_tokens, prompt_tokens=event.total_tokens)
    if isinstance(event, Delta):
        parts = {**now.parts, event.section: now.parts.get(event.section, "") + event.text}
        return dataclasses.replace(now, stage="writing", section=event.section, parts=parts)
    return now


def _stored(draft: Draft) -> Snapshot:
    # A row that says `running` without a job here belongs to a desk that has ended.
    stage = "interrupted" if draft.status == "running" else draft.status
    error = DeskError(draft.error_code) if draft.error_code else None
    return Snapshot(draft.id, stage, draft.sections, score=draft.score, error=error)
