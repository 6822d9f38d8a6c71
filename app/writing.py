"""Writing a request: what the engine does becomes snapshots for a page and rows in the store.

Each candidate is a row from its first moment; what has been written is put into it about twice a second, so a killed
process costs half a second of text.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.chain import ANSWER_TAG, prompt_pieces
from app.composing import timings_of
from app.engine.protocol import Closed, Delta, Engine, Finished, Sampling
from app.errors import DeskError
from app.progress import Snapshot, after, outcomes
from app.script import Plan
from storage.errors import StorageError
from storage.records import StoredScore
from storage.store import Store

if TYPE_CHECKING:
    from app.scoring import Scorer

SAVE_EVERY_S = 0.5

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """A request that is not over."""

    post: str
    author_id: int
    plan: Plan
    samplings: Sequence[Sampling]
    now: tuple[Snapshot, ...]
    """A candidate each, in order. Replaced as a whole, so any thread may read it without a lock."""
    stop_wanted: bool = False
    looked_at: float = field(default_factory=time.monotonic)
    timings: dict[str, int | float] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Nothing more will be written."""
        return all(one.over for one in self.now)


class RequestWriter:
    """Writes one request at a time, on the thread that calls."""

    def __init__(self, store: Store, engine: Engine, scorer: Scorer | None):
        self._store = store
        self._engine = engine
        self._scorer = scorer

    def write(self, job: Job, is_left: Callable[[Job], bool]) -> None:
        """From the first token to the last row, whatever happens in between; one that `is_left` is stopped."""
        try:
            self._follow(job, is_left)
            self._finish(job)
        except (DeskError, StorageError) as error:
            self.end(job, outcomes(job.now, DeskError(error.code, **error.values)))
        except Exception as error:  # the desk must outlive whatever one request does to it
            _log.error("draft %s failed: %s", job.now[0].draft_id, type(error).__name__)
            self.end(job, outcomes(job.now, DeskError("internal")))

    def scores(self, post: str, answers: Sequence[str]) -> Sequence[StoredScore | None]:
        """In order; none without a reward model or on a failure: a draft without a score is still a draft."""
        if self._scorer is None:
            return [None] * len(answers)
        try:
            scores = self._scorer.score([(post, answer) for answer in answers])
        except DeskError as error:
            _log.warning("not scored: %s", error.code)
            return [None] * len(answers)
        sha256 = self._scorer.reward.sha256
        return [StoredScore(score.cosine, score.passed, score.percentile, sha256) for score in scores]

    def end(self, job: Job, ended: Iterable[Snapshot]) -> None:
        """Write the last word into each row. If even that fails, the text stays in memory and the page keeps it."""
        job.now = tuple([self._ended(job, one) for one in ended])

    def _follow(self, job: Job, is_left: Callable[[Job], bool]) -> None:
        """Follow the engine to the end of the script, or to a stop."""
        if job.stop_wanted:
            return
        job.now = tuple(replace(one, stage="reading") for one in job.now)
        saved_at = time.monotonic()
        for event in self._engine.generate(prompt_pieces(job.post), job.plan.script, job.samplings):
            if job.stop_wanted or is_left(job):
                # A stop that came before the engine had begun found nothing to stop.
                self._engine.stop()
            job.now = after(job.now, event, job.plan.last)
            if isinstance(event, Finished):
                job.timings = {**timings_of(event), "candidates": len(job.now)}
            elif isinstance(event, Closed) or (isinstance(event, Delta) and _due(saved_at)):
                self._store.save_progress({one.draft_id: one.parts for one in job.now})
                saved_at = time.monotonic()

    def _finish(self, job: Job) -> None:
        """Score together what has been written whole, and end every candidate."""
        ended = outcomes(job.now)
        whole = [one for one in ended if one.stage == "done"]
        if whole:
            began = time.monotonic()
            scores = self.scores(job.post, [one.parts[ANSWER_TAG] for one in whole])
            job.timings["score_s"] = time.monotonic() - began
            score_of = {one.draft_id: score for one, score in zip(whole, scores, strict=True)}
            ended = [replace(one, score=score_of.get(one.draft_id)) for one in ended]
        self.end(job, ended)

    def _ended(self, job: Job, one: Snapshot) -> Snapshot:
        assert one.stage in ("done", "stopped", "failed")
        try:
            self._store.finish_draft(
                one.draft_id,
                one.stage,
                one.parts,
                timings=job.timings,
                score=one.score,
                error_code=one.error.code if one.error else None,
            )
        except StorageError as refused:
            return replace(one, stage="failed", error=DeskError(refused.code, **refused.values))
        return one


def _due(saved_at: float) -> bool:
    return time.monotonic() - saved_at >= SAVE_EVERY_S
