"""The equations of arXiv:2509.14851 as pure functions: the tested oracle of what TRL and sentence-transformers compute.

Eq. 1 is the group advantage, Eq. 5 the reward model's loss, Eq. 6 the answer reward; Eq. 2-4 are the usual GRPO
objective with its KL penalty and the sum of the two rewards (`training.rewards.PAPER_WEIGHTS`). Which of the three has
which number is not known here, so that they are named by what they compute.
"""

from __future__ import annotations

import torch
from torch import Tensor


def group_advantages(rewards: Tensor, group_size: int, eps: float = 1e-4) -> Tensor:
    """Compare each reward with those of the other completions of the same post.

    Eq. 1:  A_i = (r_i - mean(r_group)) / std(r_group)

    Deviation: `eps` is added to the standard deviation, since the paper divides by zero where a group agrees.

    Args:
        rewards: (N,) float, N = B * group_size, groups contiguous.
        group_size: completions per post (G), at least 2.
        eps: as TRL's.

    Returns:
        (N,) advantages; 0 throughout a group of equal rewards.

    Raises:
        ValueError: if group_size < 2 or N is not a multiple of it.
    """
    if group_size < 2 or len(rewards) % group_size:
        raise ValueError(
            f"{len(rewards)} rewards do not form groups of {group_size}; G must be 2 or more and divide N."
        )
    groups = rewards.view(-1, group_size)  # (B, G)
    centred = groups - groups.mean(dim=1, keepdim=True)
    return (centred / (groups.std(dim=1, keepdim=True) + eps)).flatten()


def kl_penalty(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """The estimator of KL(policy || reference) that GRPO subtracts, never negative.

    Among Eq. 2-4:  pi_ref / pi - log(pi_ref / pi) - 1, per token

    Args:
        log_probs: (N, C) of the policy.
        reference_log_probs: (N, C) of the reference model.
    """
    log_ratio = reference_log_probs - log_probs
    return log_ratio.exp() - log_ratio - 1


def grpo_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    reference_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip: float,
    kl_beta: float,
) -> Tensor:
    """The negative of the clipped objective with its KL penalty: mean over tokens, then over completions.

    Among Eq. 2-4:  mean_i 1/|o_i| sum_t [ min(rho A, clip(rho, 1-e, 1+e) A) - beta KL ],  rho = pi / pi_old

    Args:
        log_probs, old_log_probs, reference_log_probs: (N, C).
        advantages: (N,).
        mask: (N, C), 1 for completion tokens (the end token counts), 0 for padding.
        clip: e.
        kl_beta: beta.

    Returns:
        A scalar to minimise.
    """
    ratio = (log_probs - old_log_probs).exp()
    gain = advantages.unsqueeze(1)  # (N, 1)
    surrogate = torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)
    per_token = surrogate - kl_beta * kl_penalty(log_probs, reference_log_probs)
    return -((per_token * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).mean()


def triplet_loss(post: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Eq. 5: mean of max(0, m - cos(E(q), E(a+)) + cos(E(q), E(a-))) over a batch of triplets.

    Args:
        post, positive, negative: (B, H) embeddings, not necessarily normalised.
        margin: m, in units of cosine.
    """
    cosine = torch.nn.functional.cosine_similarity
    return (margin - cosine(post, positive) + cosine(post, negative)).clamp(min=0).mean()


def answer_rewards(cosines: Tensor, threshold: float) -> Tensor:
    """Eq. 6: r_answer is 1 where the score reaches the threshold T, else 0. cosines: (N,)."""
    return (cosines >= threshold).float()
