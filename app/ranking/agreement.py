"""How far the people of a round agree: Kendall's W a post, and Krippendorff's alpha over all of it."""

from __future__ import annotations

import numpy as np

from app.ranking.ranks import Floats, Integers, Rankings, ranks


def kendall_w(places: Integers) -> float | None:
    """Kendall's coefficient of concordance with ties, of m people (rows) who ranked the same n answers.

        W = 12 S / (m² (n³ - n) - m Σ_j T_j),   S = Σ_i (R_i - m (n + 1) / 2)²,   T_j = Σ (t³ - t)

    R_i is the sum of the ranks of answer i; T_j runs over the groups of t tied answers of person j.

    Returns:
        0 (no agreement) to 1; None of fewer than two people, and where everybody ties everything.
    """
    people, systems = places.shape
    if people < 2:
        return None
    deviation = ranks(places).sum(0) - people * (systems + 1) / 2
    ties = sum(int(t) ** 3 - int(t) for row in places for t in np.unique(row, return_counts=True)[1])
    most = people**2 * (systems**3 - systems) - people * ties
    return 12 * float((deviation**2).sum()) / most if most else None


def mean_w(rankings: Rankings) -> tuple[float | None, int]:
    """The mean of Kendall's W over the posts that have one, and how many these are."""
    each = [kendall_w(rankings.places[rankings.posts == post]) for post in np.unique(rankings.posts)]
    found = [w for w in each if w is not None]
    return (sum(found) / len(found) if found else None), len(found)


def ordinal_alpha(values: Floats) -> float | None:
    """Krippendorff's alpha for ordinal values, with gaps.

        alpha = 1 - D_o / D_e,   D_o = Σ o_ck d_ck / n,   D_e = Σ n_c n_k d_ck / (n (n - 1))
        d_ck = (Σ_{g=c..k} n_g - (n_c + n_k) / 2)²

    o are the coincidences within units, each unit of m values weighing its pairs by 1/(m - 1); n_c are their sums.

    Args:
        values: (people, units); NaN where a person gave none.

    Returns:
        1 (agreement), 0 (as by chance) or less; None where no unit has two values, or all values are alike.
    """
    levels, index = np.unique(values[~np.isnan(values)], return_inverse=True)
    counts = np.zeros((values.shape[1], len(levels)))
    np.add.at(counts, (np.nonzero(~np.isnan(values))[1], index), 1)
    counts = counts[counts.sum(1) > 1]
    within = counts.sum(1) - 1
    coincidences = (counts / within[:, None]).T @ counts - np.diag((counts / within[:, None]).sum(0))
    totals = coincidences.sum(1)
    below = np.cumsum(totals) - totals / 2
    distances = (below[:, None] - below[None, :]) ** 2
    size = totals.sum()
    expected = float(totals @ distances @ totals)
    return 1 - float((coincidences * distances).sum()) * (size - 1) / expected if expected else None


def alpha_of_ranks(rankings: Rankings) -> float | None:
    """`ordinal_alpha` where a unit is one system's answer to one post, and its values are the ranks people gave it."""
    posts, post = np.unique(rankings.posts, return_inverse=True)
    people, person = np.unique(rankings.people, return_inverse=True)
    values = np.full((len(people), len(posts), rankings.places.shape[1]), np.nan)
    values[person, post] = ranks(rankings.places)
    return ordinal_alpha(values.reshape(len(people), -1))
