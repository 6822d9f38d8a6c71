"""The paper's equations against hand-computed values, and against what TRL and sentence-transformers compute."""

from __future__ import annotations

import math

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import TripletDistanceMetric

from training.equations import answer_rewards, group_advantages, grpo_loss, kl_penalty, triplet_loss


def test_advantages_by_hand():
    # Group 1: mean 1, standard deviation 1 (n - 1). Group 2: all equal.
    advantages = group_advantages(torch.tensor([0.0, 1.0, 2.0, 2.0, 2.0, 2.0]), 3, eps=0.0001)
    expected = [-1 / 1.0001, 0.0, 1 / 1.0001, 0.0, 0.0, 0.0]
    assert advantages.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("rewards", "group_size"), [([1.0, 2.0], 1), ([1.0, 2.0, 3.0], 2)])
def test_rewards_that_form_no_groups_are_refused(rewards, group_size):
    with pytest.raises(ValueError, match="G must be 2 or more"):
        group_advantages(torch.tensor(rewards), group_size)


def test_kl_is_zero_for_equal_policies_and_positive_otherwise():
    log_probs = torch.tensor([[-1.0, -2.0]])
    assert kl_penalty(log_probs, log_probs).tolist() == [[0.0, 0.0]]
    # The reference is half as likely: 1/2 - ln(1/2) - 1.
    halved = kl_penalty(log_probs, log_probs + math.log(0.5))
    assert halved.flatten().tolist() == pytest.approx([0.5 + math.log(2) - 1] * 2)


def test_loss_by_hand_with_clipping_padding_and_kl():
    old = torch.zeros(2, 2)
    # Completion 1, gain +1: ratios 2 (clipped to 1.2) and 1. Completion 2, gain -1: ratio 0.5 (to 0.8), one token.
    log_probs = torch.tensor([[math.log(2.0), 0.0], [math.log(0.5), 5.0]])
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    loss = grpo_loss(log_probs, old, log_probs, torch.tensor([1.0, -1.0]), mask, clip=0.2, kl_beta=0.1)
    assert loss.item() == pytest.approx(-(((1.2 + 1.0) / 2) + -0.8) / 2)
    with_kl = grpo_loss(old, old, old + math.log(0.5), torch.tensor([0.0, 0.0]), mask, clip=0.2, kl_beta=0.1)
    assert with_kl.item() == pytest.approx(0.1 * (0.5 + math.log(2) - 1))


def test_triplet_loss_by_hand():
    post = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    positive = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # cosine 1 and 0
    negative = torch.tensor([[0.0, 3.0], [1.0, 0.0]])  # cosine 0 and 1
    assert triplet_loss(post, positive, negative, 0.3).item() == pytest.approx((0.0 + 1.3) / 2)


def test_triplet_loss_is_what_sentence_transformers_minimises():
    torch.manual_seed(0)
    post, positive, negative = torch.randn(3, 8, 16)
    distance = TripletDistanceMetric.COSINE
    theirs = torch.relu(distance(post, positive) - distance(post, negative) + 0.3).mean()
    assert triplet_loss(post, positive, negative, 0.3).item() == pytest.approx(theirs.item(), abs=1e-6)


def test_answer_reward_is_a_step_that_includes_the_threshold():
    assert answer_rewards(torch.tensor([0.49, 0.5, 0.9]), 0.5).tolist() == [0.0, 1.0, 1.0]
