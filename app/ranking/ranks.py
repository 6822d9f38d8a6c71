"""From what people say of the answers to a post to ranks: the rule for ties and for "none fits".

All figures follow it:

- A place is a number that a person gives an answer; smaller is better, and answers of one place are tied. The order
  alone counts: places 1, 1, 2 say what 2, 2, 7 say.
- Tied answers share the mean of the ranks that they fill together, so the ranks of n answers sum to n(n + 1)/2.
- Win@k of an answer is its share of the first k ranks: t tied answers that fill s of these have s/t each. So two that
  are tied first win half each, and the shares of n answers sum to k.
- "None fits" ties all n answers: rank (n + 1)/2 and Win@k of k/n each. It favours nobody, and is counted beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rankings:
    """N rankings, each of the same n systems by one person for one post."""

    places: Integers
    """(N, n): smaller is better, equal is tied."""
    shown: Integers
    """(N, n): where each system's answer stood on the page, counted from 0."""
    posts: Integers
    """(N,): ids."""
    people: Integers
    """(N,): ids."""
    none_fits: NDArray[np.bool_]
    """(N,)"""

    def __len__(self) -> int:
        return len(self.posts)

    def where(self, chosen: NDArray[np.bool_]) -> Rankings:
        """The rankings that a (N,) mask chooses."""
        return Rankings(
            self.places[chosen], self.shown[chosen], self.posts[chosen], self.people[chosen], self.none_fits[chosen]
        )


def places_of(groups: Sequence[int], none_fits: bool) -> tuple[int, ...]:
    """A person's numbers in their one form: 1 for the best, tied answers alike, no number left out.

    Args:
        groups: what was given to each answer.
        none_fits: all are tied, whatever was given.
    """
    if none_fits:
        return (1,) * len(groups)
    order = {group: place for place, group in enumerate(sorted(set(groups)), start=1)}
    return tuple(order[group] for group in groups)


def ranks(places: Integers) -> Floats:
    """(N, n) ranks: 1 + the answers that are better + half of the others that are tied."""
    better, tied = _better_and_tied(places)
    return better + (tied + 1) / 2


def wins(places: Integers, k: int) -> Floats:
    """(N, n) shares of the first k ranks: min(max(k - better, 0), tied) / tied, where an answer is tied with itself."""
    better, tied = _better_and_tied(places)
    filled: Floats = np.clip(k - better, 0, tied) / tied
    return filled


def _better_and_tied(places: Integers) -> tuple[Floats, Floats]:
    # (N, n, n): of each answer i, all answers j.
    own, other = places[..., :, None], places[..., None, :]
    return (other < own).sum(-1).astype(float), (other == own).sum(-1).astype(float)
