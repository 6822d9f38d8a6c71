"""The reward model's card: how well its score tells an answer from what is none, on posts that it has not seen.

The threshold, the quantiles and the calibration are taken from the valid split, all figures from the test split. Human
answers, generic replies and copies all stand against each answer; no draw decides a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import hypergeom
from sentence_transformers import SentenceTransformer
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score, roc_curve

from training.curves import INK, SOFT
from training.measure.intervals import summary
from training.negatives import Marks, Negatives, addressed
from training.pairs import Pair

RANDOM = "random"
NEGATIVES = ("irrelevant", "mismatched", "generic", "echo", "echo_addressed")
"""What T has to tell from answers, each kind with the same weight; the last is the post said back to its writer."""
CANDIDATES = 32
BINS = 10
FALSE_ALARMS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Where the ROC curve is printed."""


@dataclass(frozen=True)
class Scores:
    """Cosines of answers with their own posts, and of these posts with what stands against the answers.

    post: (N,) number of the post that each of N answers belongs to. own: (N,) cosines. against: by kind, (N, K)
    cosines of the answer's post with K other texts, NaN where a text is not of that kind for this post.
    """

    post: np.ndarray
    own: np.ndarray
    against: dict[str, np.ndarray]

    def by_post(self, values: np.ndarray) -> np.ndarray:
        """Means over each post's answers of values (N,), posts without any number left out."""
        means = [values[(self.post == post) & ~np.isnan(values)] for post in np.unique(self.post)]
        return np.array([of_post.mean() for of_post in means if len(of_post)])

    def labelled(self, kinds: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores, whether each is of an own answer, and weights, (M,) each; a kind weighs 1 an answer in all."""
        scores, weights = [self.own], [np.ones(len(self.own))]
        for kind in kinds:
            rows = self.against[kind]
            present = ~np.isnan(rows)
            share = 1 / np.maximum(present.sum(axis=1, keepdims=True), 1)
            scores.append(rows[present])
            weights.append(np.broadcast_to(share, rows.shape)[present])
        joined = np.concatenate(scores)
        return joined, np.arange(len(joined)) < len(self.own), np.concatenate(weights)


def embed(encoder: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors (N, H) of texts as the encoder reads them, marks included."""
    return encoder.encode(list(texts), normalize_embeddings=True, batch_size=32)


def score_pairs(encoder: SentenceTransformer, pairs: Sequence[Pair], generic: Sequence[str], marks: Marks) -> Scores:
    """Score every answer and everything that stands against it.

    Raises:
        ValueError: if all pairs are of one post.
    """
    posts = list(dict.fromkeys(pair.post for pair in pairs))
    if len({pair.group for pair in pairs}) < 2:
        raise ValueError(f"{len(posts)} held-out posts cannot be told apart; build the corpus from more data.")
    number = {post: i for i, post in enumerate(posts)}
    of_pair = np.array([number[pair.post] for pair in pairs])

    left = embed(encoder, [marks.post(post) for post in posts])[of_pair]  # (N, H)
    answers = left @ embed(encoder, [marks.answer(pair.answer) for pair in pairs]).T  # (N, N)
    kinds = Negatives(pairs, generic)

    def where(fits: Callable[[Pair, Pair], bool]) -> np.ndarray:
        mask = np.array([[fits(pair, other) for other in pairs] for pair in pairs])
        return np.where(mask, answers, np.nan)

    def copied(copy: Callable[[str], str]) -> np.ndarray:
        copies = embed(encoder, [marks.answer(copy(post)) for post in posts])[of_pair]
        return (left * copies).sum(axis=1, keepdims=True)

    return Scores(
        of_pair,
        np.diag(answers).copy(),
        {
            RANDOM: where(lambda pair, other: pair.group != other.group),
            "irrelevant": where(kinds.irrelevant),
            "mismatched": where(kinds.mismatched),
            "generic": left @ embed(encoder, [marks.answer(text) for text in generic]).T,
            "echo": copied(str),
            "echo_addressed": copied(addressed),
        },
    )


def present_kinds(scores: Scores) -> list[str]:
    """The kinds of negatives that any post has; a small set may hold no two posts of one topic."""
    return [kind for kind in NEGATIVES if not np.isnan(scores.against[kind]).all()]


def accuracies(scores: Scores, kind: str) -> np.ndarray:
    """Of each post, the share of (answer, other text) in which the answer scores higher; (P,), posts with any."""
    return _share(scores, kind, scores.own[:, None] > scores.against[kind])


def passing(scores: Scores, kind: str, threshold: float) -> np.ndarray:
    """Of each post, the share of the texts of a kind that reach T; (P,), posts with any."""
    return _share(scores, kind, scores.against[kind] >= threshold)


def _share(scores: Scores, kind: str, counted: np.ndarray) -> np.ndarray:
    there = (~np.isnan(scores.against[kind])).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return scores.by_post(counted.sum(axis=1) / there)


def top_1(scores: Scores, candidates: int = CANDIDATES) -> np.ndarray:
    """Of each post, how often an answer is the best of `candidates`: itself and others drawn at random, (P,).

    Of M other answers r score as high or higher; no draw of k = candidates - 1 holds one of these with probability
    C(M - r, k) / C(M, k).  With fewer than k others, all of them are drawn.
    """
    rows = scores.against[RANDOM]
    others = (~np.isnan(rows)).sum(axis=1)
    better = (rows >= scores.own[:, None]).sum(axis=1)
    return scores.by_post(hypergeom.pmf(0, others, better, np.minimum(candidates - 1, others)))


def choose_threshold(scores: Scores) -> float:
    """T, the score that separates best, negatives weighing the same by kind:  argmax_T (TPR(T) + 1 - FPR(T)) / 2"""
    false, true, cuts = _roc(scores, present_kinds(scores))
    # The first cut is infinite: nothing passes.
    return float(cuts[1 + np.argmax(true[1:] - false[1:])])


def balanced_accuracy(scores: Scores, threshold: float) -> float:
    """(TPR(T) + 1 - FPR(T)) / 2, negatives weighing the same by kind."""
    values, labels, weights = scores.labelled(present_kinds(scores))
    true, false = (np.average(values[of] >= threshold, weights=weights[of]) for of in (labels, ~labels))
    return float((true + 1 - false) / 2)


def calibration(fitted_on: Scores, measured_on: Scores) -> dict[str, Any]:
    """How far the score can be read as the chance that an answer is the post's own and not a random one, at even odds.

    A rising map from score to chance (isotonic regression) is fitted on one split and measured on the other:
    ECE = sum over bins of weight * |mean chance - share of own answers|
    """
    values, labels, weights = fitted_on.labelled([RANDOM])
    chance = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(values, labels, weights)
    values, labels, weights = measured_on.labelled([RANDOM])
    predicted = chance.predict(values)
    edges = np.quantile(measured_on.own, np.linspace(0, 1, BINS + 1)[1:-1])
    of_bin = np.digitize(values, edges)
    bins = []
    for number in np.unique(of_bin):
        inside = of_bin == number
        weight = weights[inside].sum()
        score, expected, share = (of[inside] @ weights[inside] / weight for of in (values, predicted, labels))
        bins.append({"score": score, "chance": expected, "own_share": share, "weight": weight / weights.sum()})
    error = sum(entry["weight"] * abs(entry["chance"] - entry["own_share"]) for entry in bins)
    return {"expected_calibration_error": error, "bins": bins}


def cut_share(encoder: SentenceTransformer, texts: Sequence[str], length: int) -> float:
    """Share of texts that the encoder does not read to their end."""
    ids = encoder.tokenizer(list(texts), truncation=False)["input_ids"]
    return float(np.mean([len(of_text) > length for of_text in ids]))


def draw_roc(scores: Scores, threshold: float, path: Path) -> None:
    """Draw the curve of all negatives together, a pale one for each kind, and where T lies."""
    figure, axes = plt.subplots(figsize=(4.5, 4.2), layout="constrained")
    for kind in present_kinds(scores):
        false, true, _ = _roc(scores, [kind])
        axes.plot(false, true, color=SOFT, linewidth=0.8)
    false, true, cuts = _roc(scores, present_kinds(scores))
    axes.plot(false, true, color=INK, linewidth=1.4)
    last = np.flatnonzero(cuts >= threshold)[-1]
    axes.plot(false[last], true[last], "o", color=INK, markersize=5)
    place = (false[last], true[last])
    axes.annotate(f"T = {threshold:.3f}", place, (8, -12), textcoords="offset points", fontsize=8, color=INK)
    axes.set_xlabel("negatives that pass", fontsize=8)
    axes.set_ylabel("own answers that pass", fontsize=8)
    axes.tick_params(labelsize=7, length=2, colors="#444")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def measure(
    encoder: SentenceTransformer, valid: Sequence[Pair], test: Sequence[Pair], generic: Sequence[str], marks: Marks
) -> tuple[dict[str, Any], Scores]:
    """The report of `run/reward/report.json`, and the scores of the test split.

    Shares are means over posts, with 95 % bootstrap intervals over posts. `pairwise_accuracy`: an answer above another
    text; the kinds echo and echo_addressed are the echo test. `passing`: scores at or above T.
    """
    chosen_on, scores = (score_pairs(encoder, pairs, generic, marks) for pairs in (valid, test))
    threshold = round(choose_threshold(chosen_on), 4)
    kinds = [RANDOM, *present_kinds(scores)]
    by_kind = {kind: summary([{(kind, ""): share} for share in accuracies(scores, kind)])[0] for kind in kinds}
    best = summary([{("top_1", ""): share} for share in top_1(scores)])[0]
    false, true, _ = _roc(scores, present_kinds(scores))
    length = encoder.max_seq_length
    report = {
        "threshold": threshold,
        "threshold_chosen_on_posts": len(np.unique(chosen_on.post)),
        "human_quantiles": list(np.quantile(chosen_on.own, np.linspace(0, 1, 101))),
        "held_out_posts": len(np.unique(scores.post)),
        "held_out_answers": len(scores.own),
        "pairwise_accuracy": {kind: metric.value for kind, metric in by_kind.items()},
        "pairwise_interval": {kind: [metric.low, metric.high] for kind, metric in by_kind.items()},
        "top_1_of_32": {"value": best.value, "low": best.low, "high": best.high},
        "auc": {"together": _auc(scores, present_kinds(scores)), **{kind: _auc(scores, [kind]) for kind in kinds}},
        "balanced_accuracy": balanced_accuracy(scores, threshold),
        "passing": {
            "own": float(scores.by_post((scores.own >= threshold).astype(float)).mean()),
            **{kind: float(passing(scores, kind, threshold).mean()) for kind in kinds},
        },
        "roc": [[rate, float(np.interp(rate, false, true))] for rate in FALSE_ALARMS],
        "calibration": calibration(chosen_on, scores),
        "cut_texts": {
            "posts": cut_share(encoder, [marks.post(pair.post) for pair in test], length),
            "answers": cut_share(encoder, [marks.answer(pair.answer) for pair in test], length),
        },
    }
    return _rounded(report), scores


def _roc(scores: Scores, kinds: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, labels, weights = scores.labelled(kinds)
    return roc_curve(labels, values, sample_weight=weights, drop_intermediate=False)


def _auc(scores: Scores, kinds: Sequence[str]) -> float:
    values, labels, weights = scores.labelled(kinds)
    return float(roc_auc_score(labels, values, sample_weight=weights))


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {key: _rounded(entry) for key, entry in value.items()}
        case list():
            return [_rounded(entry) for entry in value]
        case int():
            return value
    return round(float(value), 4)
