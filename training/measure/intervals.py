"""How sure a mean over posts is, and whether two systems differ: bootstraps over posts, as pure functions.

An interval tells what other posts would have given; with fewer than about 30 posts it is too narrow. Two systems are
compared by the paired difference of their scores on the same posts, never by whether their intervals overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 42

Scores = dict[tuple[str, str], float]
"""One post's scores by name and tokenizer."""


@dataclass(frozen=True)
class Metric:
    """A mean over posts, with the 95 % percentile interval of a bootstrap over posts.

    The interval tells what other posts would have given; with fewer than about 30 posts it is too narrow.
    """

    name: str
    tokenizer: str
    value: float
    low: float
    high: float
    posts: int


@dataclass(frozen=True)
class Difference:
    """The mean over posts of one system's score less another's on the same post, with its 95 % interval."""

    value: float
    low: float
    high: float
    posts: int

    def verdict(self, higher_is_better: bool) -> str:
        """`better` or `worse` where the interval excludes zero, else `no difference shown`."""
        if self.low <= 0 <= self.high:
            return "no difference shown"
        return "better" if (self.low > 0) == higher_is_better else "worse"


def summary(rows: Sequence[Scores]) -> list[Metric]:
    """Mean and interval of every score; all are resampled together, so the same posts are drawn for each.

    Args:
        rows: the scores of each post, all of the same names; at least one row.
    """
    scores = np.array([list(row.values()) for row in rows], float)  # (posts, scores)
    lows, highs = _interval(scores)
    return [
        Metric(name, tokenizer, float(value), float(low), float(high), len(rows))
        for (name, tokenizer), value, low, high in zip(rows[0], scores.mean(axis=0), lows, highs, strict=True)
    ]


def paired_difference(new: Sequence[float], old: Sequence[float]) -> Difference:
    """Compare two systems by a score each has for the same posts:  d_i = new_i - old_i

    The interval is the 95 % percentile interval of the mean of d under a bootstrap over posts. Posts differ from each
    other far more than two systems do on one post, so this shows differences that two intervals apart would hide.

    Raises:
        ValueError: if there is no post, or not a score of each system for each.
    """
    if not len(new) or len(new) != len(old):
        raise ValueError(f"{len(new)} and {len(old)} scores cannot be paired; score both systems on the same posts.")
    differences = np.subtract(new, old, dtype=float)[:, None]  # (posts, 1)
    (low,), (high,) = _interval(differences)
    return Difference(float(differences.mean()), float(low), float(high), len(differences))


def ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, float, float] | None:
    """The ratio of two means over the same posts, with its 95 % interval; None where `below` may be 0."""
    scores = np.array([above, below], float).T  # (posts, 2)
    means = np.vstack([scores.mean(axis=0), _resampled(scores)])
    if not means[:, 1].all():
        return None
    ratios = means[:, 0] / means[:, 1]
    low, high = np.percentile(ratios[1:], (2.5, 97.5))
    return float(ratios[0]), float(low), float(high)


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; unlike a bootstrap's it is not empty where all agree."""
    z = 1.959964
    centre = (count + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(count * (total - count) / total + z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def _interval(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % percentile interval of the mean over posts, each (scores,), of scores (posts, scores)."""
    low, high = np.percentile(_resampled(scores), (2.5, 97.5), axis=0)
    return low, high


def _resampled(scores: np.ndarray) -> np.ndarray:
    """Means over posts of bootstrap samples, (resamples, scores), of scores (posts, scores)."""
    posts = len(scores)
    drawn = np.random.default_rng(SEED).integers(posts, size=(RESAMPLES, posts))
    # As counts of how often each sample holds a post, all samples are one product of matrices.
    places = (drawn + posts * np.arange(RESAMPLES)[:, None]).ravel()
    counts = np.bincount(places, minlength=RESAMPLES * posts).reshape(RESAMPLES, posts)
    return counts @ scores / posts
