"""The figures of the reward model's card, on scores small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.measure.reward import (
    Scores,
    accuracies,
    balanced_accuracy,
    calibration,
    choose_threshold,
    draw_roc,
    passing,
    present_kinds,
    score_pairs,
    top_1,
)
from training.negatives import ROLES
from training.pairs import Pair

NONE = np.nan

# Post 0 has two answers, post 1 one.
SCORES = Scores(
    post=np.array([0, 0, 1]),
    own=np.array([0.9, 0.3, 0.6]),
    against={
        "random": np.array([[NONE, NONE, 0.5], [NONE, NONE, 0.5], [0.7, 0.1, NONE]]),
        "irrelevant": np.array([[NONE, NONE, 0.5], [NONE, NONE, 0.5], [NONE, NONE, NONE]]),
        "mismatched": np.full((3, 3), NONE),
        "generic": np.array([[0.0, 0.2], [0.0, 0.2], [0.0, 0.2]]),
        "echo": np.array([[0.95], [0.95], [0.4]]),
        "echo_addressed": np.array([[0.1], [0.1], [0.1]]),
    },
)


def test_accuracy_is_a_mean_over_posts_and_not_over_answers():
    assert list(accuracies(SCORES, "random")) == [0.5, 0.5]
    assert list(accuracies(SCORES, "generic")) == [1, 1]
    assert list(accuracies(SCORES, "echo")) == [0, 1]


def test_a_post_without_a_negative_of_a_kind_does_not_count_for_it():
    assert list(accuracies(SCORES, "irrelevant")) == [0.5]
    assert present_kinds(SCORES) == ["irrelevant", "generic", "echo", "echo_addressed"]


def test_a_negative_passes_at_the_threshold():
    assert list(passing(SCORES, "random", 0.5)) == [1, 0.5]
    assert list(passing(SCORES, "echo", 0.96)) == [0, 0]


def test_top_1_is_the_chance_that_no_better_answer_is_drawn():
    # Three others, one of them better: two others are drawn without it with probability C(2, 2) / C(3, 2).
    rows = np.array([[NONE, 0.1, 0.2, 0.8]])
    scores = Scores(np.array([0]), np.array([0.5]), {"random": rows})
    assert top_1(scores, 3) == pytest.approx([1 / 3])
    assert top_1(scores, 2) == pytest.approx([2 / 3])
    # Fewer others than are asked for: all of them are drawn.
    assert top_1(scores) == pytest.approx([0])
    assert top_1(Scores(np.array([0]), np.array([0.9]), {"random": rows})) == pytest.approx([1])


def test_an_equal_score_does_not_win():
    scores = Scores(np.array([0]), np.array([0.5]), {"random": np.array([[NONE, 0.5]]), "echo": np.array([[0.5]])})
    assert top_1(scores) == pytest.approx([0])
    assert list(accuracies(scores, "echo")) == [0]


def one_kind(own: list[float], random: list[float]) -> Scores:
    """Scores of one answer a post, each with one random other; nothing stands against it but these, as `generic`."""
    rows = np.array(random)[:, None]
    against = {kind: np.full((len(own), 1), NONE) for kind in ("irrelevant", "mismatched", "echo", "echo_addressed")}
    return Scores(np.arange(len(own)), np.array(own), {**against, "random": rows, "generic": rows})


def test_the_threshold_is_the_cut_with_the_best_balanced_accuracy():
    scores = one_kind([0.9, 0.8, 0.4], [0.1, 0.5, 0.45])
    # At 0.8: 2 of 3 pass, no negative does. At 0.4: all pass, and 2 of 3 negatives.
    assert choose_threshold(scores) == 0.8
    assert balanced_accuracy(scores, 0.8) == pytest.approx((2 / 3 + 1) / 2)
    assert balanced_accuracy(scores, 0.45) == pytest.approx((2 / 3 + 1 - 2 / 3) / 2)


def test_every_kind_of_negative_weighs_the_same():
    # At 0.45: two of three own pass; of the irrelevant all, of the generic none, of the echoes two thirds, of the
    # addressed none. The irrelevant weigh 2, since one answer has none; the other kinds weigh 3.
    assert balanced_accuracy(SCORES, 0.45) == pytest.approx((2 / 3 + 1 - (2 + 2) / (2 + 3 + 3 + 3)) / 2)


def test_a_calibration_that_holds_has_no_error_and_one_that_does_not_has_the_difference():
    fitted = one_kind([0.8, 0.8], [0.2, 0.2])
    assert calibration(fitted, fitted)["expected_calibration_error"] == 0
    # A score of 0.8 was always an own answer; here it is one in half the cases.
    elsewhere = calibration(fitted, one_kind([0.8, 0.8], [0.8, 0.8]))
    assert elsewhere["expected_calibration_error"] == pytest.approx(0.5)
    [entry] = elsewhere["bins"]
    assert entry == pytest.approx({"score": 0.8, "chance": 1, "own_share": 0.5, "weight": 1})


def test_the_curve_is_drawn(tmp_path):
    draw_roc(SCORES, choose_threshold(SCORES), tmp_path / "roc.png")
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


class Lengths:
    """An encoder of one axis and a bias, from nothing but a text's length: a stand-in for 8 million parameters."""

    @staticmethod
    def encode(texts: list[str], normalize_embeddings: bool, batch_size: int) -> np.ndarray:
        vectors = np.array([[len(text), 10.0] for text in texts])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_every_answer_is_scored_with_its_own_post_and_against_all_kinds():
    pairs = [
        Pair("g1", "work", "", "我" * 10, "答" * 10),
        Pair("g1", "work", "", "我" * 10, "答" * 30),
        Pair("g2", "home", "", "我" * 90, "答" * 90),
    ]
    scores = score_pairs(Lengths(), pairs, ["嗯"], ROLES)
    assert list(scores.post) == [0, 0, 1]
    # Both texts carry a prefix of three characters, so a copy of the same length scores 1 here.
    assert scores.own[[0, 2]] == pytest.approx([1, 1]) and scores.own[1] < 1
    assert scores.against["echo"] == pytest.approx(np.ones((3, 1)))
    assert np.isnan(scores.against["random"]).tolist() == [
        [True, True, False],
        [True, True, False],
        [False] * 2 + [True],
    ]
    assert np.isnan(scores.against["mismatched"]).all()
    assert list(accuracies(scores, "random")) == [1, 1]


def test_one_post_cannot_be_measured():
    with pytest.raises(ValueError, match="1 held-out posts cannot be told apart"):
        score_pairs(Lengths(), [Pair("g1", "work", "", "我", "答")], ["嗯"], ROLES)
