"""What a model card tells of a reward model, out of `run/reward/report.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe

KINDS = {
    "random": "an answer to any other post",
    "irrelevant": "an answer to a post of another topic",
    "mismatched": "an answer to a post of the same topic, other emotions",
    "generic": "a reply that would fit anybody",
    "echo": "the post copied",
    "echo_addressed": "the post said back to its writer",
}


def trained_how(recipe: Recipe) -> str:
    """The loss, and where it departs from the paper."""
    settings = recipe.reward
    loss = (
        "Trained with the triplet loss of arXiv:2509.14851, Eq. 5."
        if settings.loss == "triplet"
        else "Trained with a contrastive loss, under which a post's answer has to score above all others of the batch: "
        "a deviation from arXiv:2509.14851, Eq. 5."
    )
    departures = []
    if settings.role_prefixes:
        departures.append("posts and answers carry different prefixes")
    if settings.negatives.get("echo"):
        departures.append("copied posts are among the negatives")
    return f"{loss} Ours, too: {' and '.join(departures)}." if departures else loss


def reward_section(report: Mapping[str, Any]) -> str:
    """The figures on held-out posts that a reader can use."""
    lines = [
        "| against the post's own answer | own scores higher | 95 % interval | ROC AUC | reaches T |",
        "|---|---:|---|---:|---:|",
    ]
    for kind, share in report["pairwise_accuracy"].items():
        low, high = report["pairwise_interval"][kind]
        lines.append(
            f"| {KINDS[kind]} | {share:.1%} | {low:.1%} to {high:.1%} | {report['auc'][kind]:.3f} | "
            f"{report['passing'][kind]:.1%} |"
        )
    error = report["calibration"]["expected_calibration_error"]
    cut = report["cut_texts"]
    told = [
        f"{report['held_out_posts']} posts with {report['held_out_answers']} answers of people, of which "
        f"{report['passing']['own']:.1%} reach T = {report['threshold']}; balanced accuracy "
        f"{report['balanced_accuracy']:.3f}, ROC AUC {report['auc']['together']:.3f}, every kind of wrong answer "
        "weighing the same.",
        f"T and the quantiles of human answers are from {report['threshold_chosen_on_posts']} other posts.",
        "Read as the chance that an answer is the post's own and not a random one, at even odds, the score is off by "
        f"{error:.3f} on average (expected calibration error; the mapping is from the other posts, too).",
        f"Not read to the end: {cut['posts']:.1%} of posts, {cut['answers']:.1%} of answers.",
    ]
    return "\n".join(lines) + "\n\n" + " ".join(told)
