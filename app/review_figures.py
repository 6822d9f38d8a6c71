"""How reviewers agree, and how far they are: numbers over the reviews of a time, with what each is counted from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import get_args

from app.chain import SECTIONS
from app.reviewing import desk_errors
from storage.records import Aspect
from storage.review_figures import Finding
from storage.store import Store

MIN_SHARED = 2
"""Texts that two or more have judged; of fewer, no agreement can be told."""


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha of one question: 1 full agreement, 0 as by chance; None where there is too little, or where
    all gave the same answer, so that chance would have agreed as well.

    `texts` were judged by two or more, `judgements` is what these gave together.
    """

    question: str
    alpha: float | None
    texts: int
    judgements: int


@dataclass(frozen=True)
class Progress:
    """What one reviewer did: reviews, by decision; and the median hours a text had waited for them."""

    reviewer: str
    reviews: int
    decisions: dict[str, int]
    waited_hours: float


@dataclass(frozen=True)
class Figures:
    """Of all reviews since a moment."""

    agreement: list[Agreement]
    progress: list[Progress]


def figures(store: Store, since: datetime) -> Figures:
    """Agreement by question, and progress by reviewer, the busiest first."""
    with desk_errors():
        found = store.reviewing.findings(since)
    return Figures(agreement(found), progress(found))


def agreement(found: Sequence[Finding]) -> list[Agreement]:
    """Of the decision, of the verdict on each section, and of each aspect's rating.

    Decisions and verdicts agree or do not; ratings differ by the square of their distance.
    """
    questions = [_alpha("decision", [(one, one.decision) for one in found], apart=False)]
    for section in SECTIONS:
        given = [(one, one.verdicts[section]) for one in found if section in one.verdicts]
        questions.append(_alpha(section, given, apart=False))
    aspects: tuple[Aspect, ...] = get_args(Aspect)
    for aspect in aspects:
        rated = [(one, one.ratings[aspect]) for one in found if aspect in one.ratings]
        questions.append(_alpha(aspect, rated, apart=True))
    return questions


def progress(found: Iterable[Finding]) -> list[Progress]:
    """By reviewer."""
    of: dict[str, list[Finding]] = defaultdict(list)
    for one in found:
        of[one.reviewer].append(one)
    rows = [
        Progress(
            reviewer=name,
            reviews=len(theirs),
            decisions=dict(Counter(one.decision for one in theirs)),
            waited_hours=median((one.reviewed_at - one.submitted_at).total_seconds() / 3600 for one in theirs),
        )
        for name, theirs in of.items()
    ]
    return sorted(rows, key=lambda row: (-row.reviews, row.reviewer))


def _alpha(question: str, given: Sequence[tuple[Finding, str | int]], *, apart: bool) -> Agreement:
    judged: dict[int, list[tuple[str, str | int]]] = defaultdict(list)
    for one, value in given:
        judged[one.submission_id].append((one.reviewer, value))
    shared = {text: values for text, values in judged.items() if len(values) > 1}
    values = [value for row in shared.values() for _, value in row]
    alpha = None
    if len(shared) >= MIN_SHARED and len(set(values)) > 1:
        # Only here: it takes a second to load.
        from nltk.metrics.agreement import AnnotationTask
        from nltk.metrics.distance import binary_distance, interval_distance

        triples = [(reviewer, text, value) for text, row in shared.items() for reviewer, value in row]
        alpha = float(AnnotationTask(triples, interval_distance if apart else binary_distance).alpha())
    return Agreement(question, alpha, len(shared), len(values))
