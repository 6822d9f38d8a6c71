"""Scores: cosine, threshold and percentile against hand-computed values, through the shipped scripted engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog import Card
from app.engine.scripted import ScriptedEngine
from app.errors import DeskError
from app.scoring import Scorer, percentile_among

QUANTILES = (0.0, 0.2, 0.4, 0.6, 0.8)  # 0, 25, 50, 75, 100 %


def reward_model(**values) -> Card:
    entry = {"threshold": 0.5, "human_quantiles": QUANTILES} | values
    return Card("judge", "reward", Path("judge.gguf"), "", 0, 0, 512, "评分", "Score", **entry)


@pytest.mark.parametrize(
    ("cosine", "percent"), [(-1.0, 0), (0.0, 0), (0.1, 12.5), (0.2, 25), (0.5, 62.5), (0.8, 100), (0.9, 100)]
)
def test_percentile_is_linear_between_quantiles(cosine, percent):
    assert percentile_among(QUANTILES, cosine) == pytest.approx(percent)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_score_never_stands_lower(a, b):
    low, high = sorted((a, b))
    assert percentile_among(QUANTILES, low) <= percentile_among(QUANTILES, high)


def test_equal_quantiles_do_not_divide_by_zero():
    assert percentile_among((0.1, 0.5, 0.5, 0.5, 0.9), 0.5) == pytest.approx(25)


def test_scores_come_in_order_and_do_not_depend_on_their_neighbours():
    pairs = [("信一", "回信一"), ("信二", "回信二"), ("信一", "回信三")]
    scorer = Scorer(ScriptedEngine(), reward_model())
    together = scorer.score(pairs)
    assert [scorer.score([pair])[0] for pair in pairs] == together


def test_the_threshold_itself_passes():
    engine = ScriptedEngine()
    cosine = Scorer(engine, reward_model()).score([("信", "回")])[0].cosine
    assert Scorer(engine, reward_model(threshold=cosine)).score([("信", "回")])[0].passed
    assert not Scorer(engine, reward_model(threshold=cosine + 1e-9)).score([("信", "回")])[0].passed


def test_no_pairs_give_no_scores():
    assert Scorer(ScriptedEngine(), reward_model()).score([]) == []


def test_a_reward_model_without_threshold_cannot_score():
    with pytest.raises(DeskError) as caught:
        Scorer(ScriptedEngine(), reward_model(threshold=None))
    assert caught.value.code == "card_unreadable"
