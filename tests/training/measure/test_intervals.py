"""Intervals over posts and paired differences, against hand-computed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.measure.intervals import SEED, paired_difference, ratio, share_interval


def test_a_constant_difference_has_no_width():
    found = paired_difference([0.5, 0.7, 0.9], [0.4, 0.6, 0.8])
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.posts == 3


def test_the_interval_of_two_posts_is_the_binomial_by_hand():
    """d = 0 and 1: a resampled mean is 0, 0.5 or 1 in 25, 50 and 25 % of cases, so 95 % reach from 0 to 1."""
    found = paired_difference([1.0, 2.0], [1.0, 1.0])
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_pairing_shows_what_two_intervals_hide():
    """Posts differ by 1, the systems by 0.01 on each: far inside either's own interval, yet certain."""
    old = np.linspace(0, 1, 40)
    found = paired_difference(old + 0.01 + 0.002 * np.sin(np.arange(40)), old)
    assert 0 < found.low < 0.01 < found.high
    assert found.verdict(higher_is_better=True) == "better"
    assert found.verdict(higher_is_better=False) == "worse"


def test_the_interval_approaches_the_normal_one():
    """The bootstrap's standard error is that of the mean with the population's deviation."""
    draws = np.random.default_rng(SEED).normal(0.3, 1.0, 400)
    found = paired_difference(draws, np.zeros(400))
    half = 1.96 * draws.std() / math.sqrt(400)
    assert found.low == pytest.approx(draws.mean() - half, abs=0.01)
    assert found.high == pytest.approx(draws.mean() + half, abs=0.01)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_equal_systems_show_no_difference(higher_is_better):
    assert paired_difference([0.2, 0.9], [0.2, 0.9]).verdict(higher_is_better) == "no difference shown"


def test_the_same_scores_give_the_same_interval():
    scores = np.random.default_rng(1).random((2, 30))
    assert paired_difference(*scores) == paired_difference(*scores)


@pytest.mark.parametrize(("new", "old"), [([], []), ([1.0], [1.0, 2.0])])
def test_what_cannot_be_paired_is_refused(new, old):
    with pytest.raises(ValueError, match="score both systems on the same posts"):
        paired_difference(new, old)


def test_wilsons_interval_by_hand():
    """8 of 10, z = 1.96: centre (8 + 1.9207) / 13.8415, half z / 13.8415 * sqrt(1.6 + 0.9604)."""
    assert share_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = share_interval(10, 10)
    assert high == 1.0 and low == pytest.approx(10 / 13.8415, abs=1e-4)


def test_a_ratio_of_means_and_one_over_nothing():
    assert ratio([0.4, 0.8], [0.2, 0.4]) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio([1.0, 1.0], [0.0, 0.0]) is None
