"""Strengths, intervals and the test of positions, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ranking.chance import cluster_intervals, position_test
from app.ranking.order import item_order, shown_order
from app.ranking.ranks import Rankings
from app.ranking.strength import bradley_terry


def test_strengths_of_two_are_their_wins_with_a_tie_for_the_prior() -> None:
    # 7 to 2 with one tie: 7.5 + 0.5 to 2.5 + 0.5 of 11.
    places = np.array([[1, 2]] * 7 + [[2, 1]] * 2 + [[1, 1]])
    assert bradley_terry(places) == pytest.approx([8 / 11, 3 / 11])


def test_strengths_solve_their_equation_and_stay_finite() -> None:
    places = np.array([[1, 2, 3], [1, 3, 2], [1, 1, 2], [1, 2, 2]])
    p = bradley_terry(places)
    # What each won: 7.5, 3, 1.5 of twelve comparisons, and half a win in each of its two prior ties.
    won = np.array([8.5, 4.0, 2.5])
    expected = [sum(5 * p[i] / (p[i] + p[j]) for j in range(3) if j != i) for i in range(3)]
    assert expected == pytest.approx(won, abs=1e-6)
    assert p.sum() == pytest.approx(1) and 0 < p.min() and p[0] > p[1] > p[2]


def test_intervals_draw_whole_posts() -> None:
    # Ten posts that say 1 and ten that say 0, five rankings each: the mean of 20 coins, not of 100.
    posts = np.repeat(np.arange(20), 5)
    values = (posts % 2).astype(float)[:, None]
    low, high = cluster_intervals(values, posts, seed=1)
    assert low[0] == pytest.approx(0.5 - 1.96 * 0.5 / 20**0.5, abs=0.06)
    assert high[0] == pytest.approx(0.5 + 1.96 * 0.5 / 20**0.5, abs=0.06)
    again = cluster_intervals(values, posts, seed=1)
    assert (low[0], high[0]) == (again[0][0], again[1][0])


def test_an_interval_of_one_post_has_no_width_and_weighs_rankings_alike() -> None:
    low, high = cluster_intervals(np.array([[1.0], [0.0]]), np.array([7, 7]), seed=1)
    assert low[0] == high[0] == 0.5


def shown_at(positions: np.ndarray, places: np.ndarray) -> Rankings:
    count = len(places)
    return Rankings(places, positions, np.arange(count), np.ones(count, int), np.zeros(count, bool))


def test_who_takes_what_stands_first_is_found_out_and_who_does_not_is_not() -> None:
    random = np.random.default_rng(3)
    positions = np.array([random.permutation(3) for _ in range(60)])
    lazy = position_test(shown_at(positions, positions + 1), seed=5)
    assert lazy.shares.tolist() == [1, 0, 0]
    # O = 60, 0, 0 where 20 each were expected: (40² + 20² + 20²) / 20.
    assert lazy.statistic == pytest.approx(120) and lazy.p == pytest.approx(1 / 2001)
    # The same system each time, each position as often.
    turned = np.array([np.roll(np.arange(3), turn) for turn in range(60)])
    fair = position_test(shown_at(turned, np.tile([1, 2, 3], (60, 1))), seed=5)
    assert fair.shares == pytest.approx([1 / 3] * 3) and fair.statistic == pytest.approx(0) and fair.p == 1


@given(st.integers(0, 2**31), st.integers(1, 99), st.integers(2, 6), st.integers(1, 4))
def test_each_system_stands_at_each_position_equally_often(seed: int, person: int, systems: int, blocks: int) -> None:
    items, names = list(range(10, 10 + systems * blocks)), list(range(systems))
    shown = {item: shown_order(seed, person, items, item, names) for item in items}
    for position in range(systems):
        assert sorted(order[position] for order in shown.values()) == sorted(names * blocks)
    # The same again, however the items are listed.
    assert shown == {item: shown_order(seed, person, items[::-1], item, names) for item in items}


def test_people_differ_in_what_they_see_first_and_the_draw_never_changes() -> None:
    items = list(range(1, 11))
    assert len({tuple(item_order(7, person, items)) for person in range(5)}) == 5
    # Written down, because a stored round must look the same under every later release.
    assert item_order(7, 1, items) == [8, 7, 4, 1, 6, 5, 2, 9, 10, 3]
