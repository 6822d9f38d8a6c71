"""Agreement against numbers worked out by hand and published ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask

from app.ranking.agreement import alpha_of_ranks, kendall_w, mean_w, ordinal_alpha
from app.ranking.ranks import Rankings

_ = np.nan


def rankings(places: list[list[int]], posts: list[int], people: list[int]) -> Rankings:
    rows = np.array(places)
    shown = np.tile(np.arange(rows.shape[1]), (len(rows), 1))
    return Rankings(rows, shown, np.array(posts), np.array(people), np.zeros(len(rows), bool))


def test_w_without_ties_by_hand() -> None:
    # Sums of ranks 4, 6, 8 about their mean 6: S = 8; W = 12 * 8 / (9 * 24).
    assert kendall_w(np.array([[1, 2, 3], [1, 3, 2], [2, 1, 3]])) == pytest.approx(96 / 216)
    assert kendall_w(np.array([[1, 2, 3], [1, 2, 3]])) == pytest.approx(1)
    assert kendall_w(np.array([[1, 2, 3], [3, 2, 1]])) == pytest.approx(0)


def test_w_with_ties_by_hand() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: sums 2.5, 3.5, 6, S = 6.5; T = 6; W = 12 * 6.5 / (4 * 24 - 2 * 6).
    assert kendall_w(np.array([[1, 1, 2], [1, 2, 3]])) == pytest.approx(78 / 84)
    # The same ties are full agreement.
    assert kendall_w(np.array([[1, 1, 2], [1, 1, 2]])) == pytest.approx(1)


def test_w_is_unknown_of_one_person_and_where_all_is_tied() -> None:
    assert kendall_w(np.array([[1, 2, 3]])) is None
    assert kendall_w(np.array([[1, 1, 1], [1, 1, 1]])) is None
    agreed = rankings([[1, 2], [1, 2], [1, 2], [2, 1], [1, 2]], [1, 1, 2, 2, 3], [1, 2, 1, 2, 1])
    assert mean_w(agreed) == (pytest.approx(0.5), 2)


def test_alpha_is_the_one_of_krippendorffs_own_example() -> None:
    # "Computing Krippendorff's alpha-reliability" (2011), example D: four observers, twelve units, gaps.
    values = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
            [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
        ]
    )
    assert ordinal_alpha(values) == pytest.approx(0.815, abs=0.0005)


@given(st.lists(st.lists(st.integers(1, 2), min_size=2, max_size=2), min_size=2, max_size=8))
def test_alpha_of_two_levels_is_the_nominal_one(rows: list[list[int]]) -> None:
    values = np.array(rows, float).T
    triples = [(person, unit, value) for unit, row in enumerate(rows) for person, value in enumerate(row)]
    if len({value for row in rows for value in row}) == 1:
        assert ordinal_alpha(values) is None
    else:
        assert ordinal_alpha(values) == pytest.approx(AnnotationTask(triples).alpha())


def test_alpha_of_ranks_is_1_for_one_mind_and_below_chance_for_opposites() -> None:
    assert alpha_of_ranks(rankings([[1, 2, 3], [1, 2, 3], [2, 1, 3], [2, 1, 3]], [1, 1, 2, 2], [8, 9, 8, 9])) == 1
    opposed = alpha_of_ranks(rankings([[1, 2, 3], [3, 2, 1]], [1, 1], [8, 9]))
    assert opposed is not None and opposed < 0
    # Nobody saw what another did.
    assert alpha_of_ranks(rankings([[1, 2], [1, 2]], [1, 2], [8, 9])) is None
