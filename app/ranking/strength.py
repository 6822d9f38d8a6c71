"""One scale for all systems from who is placed before whom."""

from __future__ import annotations

import numpy as np

from app.ranking.ranks import Floats, Integers

PRIOR_TIES = 1
"""Added to each pair of systems: without it one that was always first would be infinitely strong."""

_CLOSE = 1e-12
_MOST_STEPS = 10_000


def bradley_terry(places: Integers) -> Floats:
    """Strengths under Bradley-Terry, by the MM algorithm of Hunter (2004).

        P(i before j) = p_i / (p_i + p_j),   p_i <- W_i / Σ_j N_ij / (p_i + p_j)

    N_ij counts the comparisons of i and j, W_i what i won of its own: a ranking compares each pair once, and a tie is
    half a win for both. Every pair begins with `PRIOR_TIES` ties.

    Args:
        places: (N, n).

    Returns:
        (n,) positive, with sum 1.
    """
    systems = places.shape[1]
    own, other = places[:, :, None], places[:, None, :]
    won = ((own < other) + (own == other) / 2).sum(0) + PRIOR_TIES / 2
    np.fill_diagonal(won, 0)
    compared = won + won.T
    strengths = np.full(systems, 1 / systems)
    for _ in range(_MOST_STEPS):
        last = strengths
        strengths = won.sum(1) / (compared / (last[:, None] + last[None, :])).sum(1)
        strengths /= strengths.sum()
        if np.abs(strengths - last).max() < _CLOSE:
            break
    return strengths
