"""Drafting: from a post to stored drafts, one request at a time, whether or not a page is looking.

A request has one candidate or several, which the engine writes in step; people take turns. Knows neither pages nor SQL.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from app.chain import Response, post_text, prompt_pieces
from app.chain.steer import Aim, Steer
from app.composing import complete, compose, compose_whole
from app.engine.protocol import Engine, Sampling
from app.errors import DeskError
from app.fair_queue import FairQueue
from app.intake import accept_post
from app.progress import Snapshot, outcomes, queued, ranked, stored
from app.reviewing import desk_errors
from app.score_reasons import ScoreReasons, reasons
from app.script import Plan, first_plan, redraft_plan
from app.writing import Job, RequestWriter
from storage.records import Draft, Person, Post, StoredScore
from storage.store import Store

if TYPE_CHECKING:
    from app.catalog import Card
    from app.scoring import Scorer

__all__ = ["Drafter", "Snapshot", "complete", "compose", "compose_whole"]

Asked = TypeVar("Asked")

MAX_JOBS_A_PERSON = 2
"""Requests: one that is written and one that waits."""

UNWATCHED_S = 30.0
"""A request that nobody has looked at for so long is stopped where somebody else waits. What it has written is kept."""


class Drafter:
    """Runs requests one after another on a thread of its own. Every method may be called from any thread.

    A draft's id stands for its whole request where one is started, followed or stopped.
    """

    def __init__(
        self, store: Store, engine: Engine, card: Card, scorer: Scorer | None, *, unwatched_s: float = UNWATCHED_S
    ):
        self._store = store
        self._engine = engine
        self._card = card
        self._scorer = scorer
        self._writer = RequestWriter(store, engine, scorer)
        self._unwatched_s = unwatched_s
        self._jobs: dict[int, Job] = {}
        """By the id of each candidate."""
        self._waiting: FairQueue[Job] = FairQueue()
        self._running: Job | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._scoring = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="drafter", daemon=True)
        self._thread.start()

    @property
    def most_candidates(self) -> int:
        """How many drafts a request may ask for."""
        return self._engine.candidates

    def start(
        self,
        author: Person,
        title: str,
        description: str,
        previous: Draft | None = None,
        *,
        candidates: int = 1,
        aim: Aim | None = None,
    ) -> int:
        """Queue drafts of a post and return the id of the first.

        Args:
            author: who asks for them.
            title: as typed.
            description: as typed.
            previous: the draft on the same page; if it is of the same text, the new ones are of the same post.
            candidates: how many are written in step, 1 to `most_candidates`.
            aim: what the answer is to be for, where a person decides it and not the model.

        Raises:
            DeskError: post_empty, post_too_long_chars, candidates_limit (limit), draft_pending (limit), or what the
                store refused.
        """
        title, description = accept_post(title, description)
        post = None
        if previous is not None and (previous.post.title, previous.post.description) == (title, description):
            post = previous.post
        plan = first_plan(post_text(title, description), aim)
        return self._queue(author, post or (title, description), plan, candidates)

    def start_part(
        self, author: Person, draft: Draft, part: tuple[int, int], *, candidates: int = 1, aim: Aim | None = None
    ) -> int:
        """Queue drafts that read a part, [start, end) in characters, of a post that is too long for the model.

        The post stays whole for everything else: signals, lint, and who reviews.

        Raises:
            DeskError: as `start`.
        """
        post = post_text(draft.post.title, draft.post.description)
        start, end = part
        if not 0 <= start < end <= len(post):
            raise ValueError(f"[{start}, {end}) is no part of {len(post)} characters")
        plan = first_plan(post, aim, part)
        return self._queue(author, draft.post, plan, candidates)

    def redraft(
        self,
        author: Person,
        draft: Draft,
        kept: Mapping[str, str],
        only: bool = False,
        steer: Steer | None = None,
        candidates: int = 1,
        *,
        aim: Aim | None = None,
    ) -> int:
        """Queue drafts that keep part of an earlier one, and return the id of the first; the earlier one stays.

        Args:
            author: who asks for them.
            draft: the earlier one.
            kept: texts by section, as they stand in the boxes; the first section that is missing is written anew.
            only: write that section alone and keep those behind it.
            steer: keep the chain, add to its strategy and write the answer anew.
            candidates: as in `start`.
            aim: keep what stands before the intent, set that, and write the rest anew.

        Raises:
            DeskError: section_empty (section), text_too_long (section, chars, limit), candidates_limit (limit),
                draft_pending (limit), or what the store refused.
        """
        return self._queue(author, draft.post, redraft_plan(draft, kept, only=only, steer=steer, aim=aim), candidates)

    def read_ahead(self, title: str, description: str) -> None:
        """Let the engine read a post that is perhaps drafted soon; does nothing if it has anything else to do."""
        with self._changed:
            if self._running is not None or self._waiting:
                return
        try:
            post = post_text(*accept_post(title, description))
        except DeskError:
            return  # not a post yet, or too long; whoever asks for a draft of it is told
        self._engine.read_ahead(prompt_pieces(post))

    def snapshot(self, draft_id: int) -> Snapshot:
        """How far a draft is: from memory while it runs, from the store afterwards."""
        return next(one for one in self.candidates(draft_id) if one.draft_id == draft_id)

    def candidates(self, draft_id: int) -> tuple[Snapshot, ...]:
        """How far each candidate of a draft's request is, the best first."""
        with self._changed:
            job = self._jobs.get(draft_id)
            if job is not None:
                job.looked_at = time.monotonic()
                place = self._waiting.place(job)
                ahead = 0 if place is None else place + (self._running is not None)
                return ranked(dataclasses.replace(one, ahead=ahead) for one in job.now)
        with desk_errors():
            return ranked(map(stored, self._store.candidates(draft_id)))

    def stop(self, draft_id: int) -> None:
        """End a draft with all candidates of its request and keep what they have; one that is over stays as it is."""
        with self._changed:
            job = self._jobs.get(draft_id)
            if job is None:
                return
            job.stop_wanted = True
            waited = self._waiting.remove(job)
            if job is self._running:
                self._engine.stop()
        if waited:
            self._writer.end(job, outcomes(job.now))
            self._forget(job)

    def score(self, draft: Draft, response: Response) -> StoredScore | None:
        """Score a person's text of a draft.

        None without a reward model, on a failure, and while a draft is written or another text is scored: the engine
        does one thing at a time, and whoever asked may ask again.
        """
        post = read_by_the_model(draft)
        scores = self._unless_busy(lambda: self._writer.scores(post, [response.answer]))
        return scores[0] if scores else None

    def explain(self, draft: Draft, answer: str) -> ScoreReasons | None:
        """Why an answer to a draft's post scores as it does; None where `score` is.

        Raises:
            DeskError: what the engine raises.
        """
        scorer, post = self._scorer, read_by_the_model(draft)
        return self._unless_busy(lambda: reasons(scorer, post, answer)) if scorer else None

    def _unless_busy(self, ask: Callable[[], Asked]) -> Asked | None:
        if self._running is not None or not self._scoring.acquire(blocking=False):
            return None
        try:
            return ask()
        finally:
            self._scoring.release()

    def close(self) -> None:
        """Stop the running request, keep what it has, and end the thread."""
        with self._changed:
            self._closed = True
            draft_ids = list(self._jobs)
            self._changed.notify()
        for draft_id in draft_ids:
            self.stop(draft_id)
        self._thread.join(timeout=5)

    def _queue(self, author: Person, post: Post | tuple[str, str], plan: Plan, candidates: int) -> int:
        if not 1 <= candidates <= self.most_candidates:
            raise DeskError("candidates_limit", limit=self.most_candidates)
        samplings = [Sampling(seed=secrets.randbelow(2**31)) for _ in range(candidates)]
        with self._changed:
            unfinished = {job for job in self._jobs.values() if not job.over and job.author_id == author.id}
            if len(unfinished) >= MAX_JOBS_A_PERSON:
                raise DeskError("draft_pending", limit=MAX_JOBS_A_PERSON)
            drafts = self._new_rows(author, post, plan, samplings)
            job = Job(read_by_the_model(drafts[0]), author.id, plan, samplings, tuple(map(queued, drafts)))
            self._jobs.update((draft.id, job) for draft in drafts)
            self._waiting.put(author.id, job)
            self._changed.notify()
        return drafts[0].id

    def _new_rows(
        self, author: Person, post: Post | tuple[str, str], plan: Plan, samplings: Sequence[Sampling]
    ) -> list[Draft]:
        with desk_errors():
            if not isinstance(post, Post):
                post = self._store.add_post(*post, author.id)
            return self._store.start_drafts(
                post.id,
                author.id,
                model_name=self._card.name,
                model_sha256=self._card.sha256,
                samplings=list(map(dataclasses.asdict, samplings)),
                origin=plan.origin,
                kept=plan.kept,
            )

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._writer.write(job, self._is_left)
            self._forget(job)

    def _is_left(self, job: Job) -> bool:
        """Whether a request holds up others though its page has been closed."""
        return bool(self._waiting) and time.monotonic() - job.looked_at > self._unwatched_s

    def _forget(self, job: Job) -> None:
        """From here on the store answers. A failed job stays: its row holds a code, not the values beside it."""
        with self._changed:
            if not any(one.stage == "failed" for one in job.now):
                for one in job.now:
                    self._jobs.pop(one.draft_id, None)

    def _next(self) -> Job | None:
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            self._running = self._waiting.take()
            return self._running


def read_by_the_model(draft: Draft) -> str:
    """A draft's post, or the part of it that fits into the model."""
    return draft.origin.read(post_text(draft.post.title, draft.post.description))
