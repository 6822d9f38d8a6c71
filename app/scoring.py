"""The reward score of an answer: how near it lies to its post, and where that stands among human answers.

Never shown as a bare number: `Score` carries whether the threshold is met and the share of human answers that score
lower.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.catalog import Card
from app.chain import scored_answer, scored_post
from app.engine.protocol import Engine
from app.errors import DeskError


@dataclass(frozen=True)
class Score:
    """`cosine` of post and answer; `passed` where it reaches the threshold; `percentile` among human answers, 0-100."""

    cosine: float
    passed: bool
    percentile: float


def percentile_among(quantiles: Sequence[float], cosine: float) -> float:
    """Share of human answers that score lower, in percent, linear between the quantiles.

    Args:
        quantiles: scores at equal steps from 0 to 100 %, ascending.
        cosine: the score to place.
    """
    upper = bisect_left(quantiles, cosine)
    if upper == 0:
        return 0.0
    if upper == len(quantiles):
        return 100.0
    low, high = quantiles[upper - 1], quantiles[upper]
    return (upper - 1 + (cosine - low) / (high - low)) * 100 / (len(quantiles) - 1)


class Scorer:
    """Scores pairs with the engine's reward model and the card that belongs to it."""

    def __init__(self, engine: Engine, reward: Card):
        if reward.threshold is None or reward.human_quantiles is None:
            raise DeskError("card_unreadable", model=reward.name)
        self.reward = reward
        self._engine = engine
        self._threshold = reward.threshold
        self._quantiles = reward.human_quantiles

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """One score a (post, answer), in order; a post that occurs twice is encoded once.

        Raises:
            DeskError: as the engine's `embed`.
        """
        posts = list(dict.fromkeys(post for post, _ in pairs))
        texts = [scored_post(post) for post in posts] + [scored_answer(answer) for _, answer in pairs]
        vectors = [np.asarray(vector) for vector in self._engine.embed(texts)]
        post_vectors = dict(zip(posts, vectors[: len(posts)], strict=True))
        scores = []
        for (post, _), answer_vector in zip(pairs, vectors[len(posts) :], strict=True):
            cosine = float(post_vectors[post] @ answer_vector)
            scores.append(Score(cosine, cosine >= self._threshold, percentile_among(self._quantiles, cosine)))
        return scores
