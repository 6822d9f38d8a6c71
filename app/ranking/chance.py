"""What chance may have done: intervals over posts, and whether the place on the page decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.ranking.ranks import Floats, Integers, Rankings, wins

RESAMPLES = 2_000
SHUFFLES = 2_000
LEVEL = 0.95


def cluster_intervals(values: Floats, posts: Integers, seed: int) -> tuple[Floats, Floats]:
    """Percentile bootstrap of column means, where whole posts are drawn.

    Rankings of one post resemble each other; to draw them one by one would make the intervals too narrow.

    Args:
        values: (N, n), a row a ranking.
        posts: (N,), of which post.
        seed: the same seed gives the same intervals.

    Returns:
        Lower and upper ends, (n,) each, of the 95 % interval.
    """
    names, index = np.unique(posts, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, index, values)
    sizes = np.bincount(index)
    # (RESAMPLES, posts): how often each post is drawn.
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    means = (drawn @ sums) / (drawn @ sizes)[:, None]
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high


@dataclass(frozen=True)
class PositionTest:
    """Whether an answer was placed first for where it stood on the page."""

    shares: Floats
    """(n,): of the first places, what each position took; 1/n each if the position does not matter."""
    statistic: float
    p: float


def position_test(rankings: Rankings, seed: int) -> PositionTest:
    """Permutation test of X² = Σ_p (O_p - N/n)² / (N/n), O_p being the first places that position p took.

    Had the position no effect, the first place would have stood anywhere: each ranking's are shuffled over the
    positions `SHUFFLES` times. p = (1 + shuffles with an X² as large) / (1 + shuffles). Unlike the chi-square
    distribution this holds for shared first places too.
    """
    systems = rankings.places.shape[1]
    first = np.empty(rankings.places.shape)
    np.put_along_axis(first, rankings.shown, wins(rankings.places, 1), axis=1)
    expected = len(rankings) / systems

    def statistic(taken: Floats) -> float:
        return float(((taken - expected) ** 2).sum() / expected)

    random = np.random.default_rng(seed)
    found = statistic(first.sum(0))
    # Sums of shares in another order may differ in their last digits.
    least = found - 1e-9
    as_large = sum(statistic(random.permuted(first, axis=1).sum(0)) >= least for _ in range(SHUFFLES))
    return PositionTest(first.sum(0) / len(rankings), found, (1 + as_large) / (1 + SHUFFLES))
