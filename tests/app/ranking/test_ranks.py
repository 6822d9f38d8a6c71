"""The rule for ties, by hand and as properties; and the arithmetic of the paper's table 2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.ranking.ranks import places_of, ranks, wins

PLACES = arrays(
    np.int64, st.tuples(st.integers(1, 12), st.integers(2, 7)), elements=st.integers(1, 7)
)  # any ties, any gaps


@given(PLACES)
def test_shares_sum_to_k_and_ranks_to_those_without_ties(places: np.ndarray) -> None:
    systems = places.shape[1]
    for k in (1, 2):
        assert wins(places, k).sum(1) == pytest.approx(np.full(len(places), k))
        assert wins(places, k).min() >= 0 and wins(places, k).max() <= 1
    assert ranks(places).sum(1) == pytest.approx(np.full(len(places), systems * (systems + 1) / 2))


@given(PLACES)
def test_only_the_order_counts(places: np.ndarray) -> None:
    told = np.array([places_of(row, False) for row in places.tolist()])
    assert np.array_equal(ranks(told), ranks(places)) and np.array_equal(wins(told, 2), wins(places, 2))
    assert set(map(min, told.tolist())) == {1}


@pytest.mark.parametrize(
    ("places", "expected", "first", "two"),
    [
        ([1, 2, 3], [1, 2, 3], [1, 0, 0], [1, 1, 0]),
        ([1, 1, 2], [1.5, 1.5, 3], [1 / 2, 1 / 2, 0], [1, 1, 0]),
        ([2, 1, 2], [2.5, 1, 2.5], [0, 1, 0], [1 / 2, 1, 1 / 2]),
        ([4, 4, 4, 9], [2, 2, 2, 4], [1 / 3, 1 / 3, 1 / 3, 0], [2 / 3, 2 / 3, 2 / 3, 0]),
    ],
)
def test_ties_share_ranks_and_wins(places, expected, first, two) -> None:
    rows = np.array([places])
    assert ranks(rows).tolist() == [expected]
    assert wins(rows, 1)[0] == pytest.approx(first) and wins(rows, 2)[0] == pytest.approx(two)


def test_none_fits_ties_everything_whatever_was_given() -> None:
    assert places_of((3, 1, 2), True) == (1, 1, 1)
    assert places_of((5, 2, 5), False) == (2, 1, 2)
    assert ranks(np.array([[1, 1, 1]])).tolist() == [[2, 2, 2]]


def test_the_arithmetic_of_table_2_of_the_paper() -> None:
    """Six systems, 1000 strict rankings; 44.30 and 16.30 are the paper's two best Win@1, the others are made up."""
    firsts = [443, 163, 131, 104, 90, 69]
    random = np.random.default_rng(0)
    rows = []
    for winner, count in enumerate(firsts):
        others = [system for system in range(6) if system != winner]
        for _ in range(count):
            places = np.empty(6, int)
            places[[winner, *random.permutation(others)]] = range(1, 7)
            rows.append(places)
    places = np.array(rows)
    win1, win2, mean = (100 * wins(places, 1).mean(0), 100 * wins(places, 2).mean(0), ranks(places).mean(0))
    assert win1 == pytest.approx([44.3, 16.3, 13.1, 10.4, 9.0, 6.9])
    assert win1.sum() == pytest.approx(100) and win2.sum() == pytest.approx(200) and mean.sum() == pytest.approx(21)
    # What the paper calls "nearly four times".
    assert win1[0] / win1[1] == pytest.approx(2.72, abs=0.005)
