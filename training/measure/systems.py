"""What the completions of one policy come to, row by row over the posts, and how two policies compare.

Nothing is forced, and no completion is dropped: one that is no response counts as wrong format, as an empty answer
(overlap 0) and as not passed, with the repetition of its raw text and the reward that GRPO would give it. What needs a
chain or a cosine (layers, support, echo, length, score) is known of the readable ones alone, and two policies are
compared in it over the posts that both answered readably.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from app.chain import TAGS, FormatError, Response, parse
from training.measure.intervals import Metric, Scores, paired_difference, ratio, share_interval, summary
from training.measure.metrics import AGAINST_A_REFERENCE, Post, answer_scores, chain_scores, characters, repetition
from training.measure.scorecard import Comparison, Figure, System
from training.recipe import Recipe
from training.reward import cosines
from training.rewards import Judge, graded_terms, weighted

OVERLAP = (*AGAINST_A_REFERENCE, "Distinct-1", "NAvg")
COMPARED = {
    ("format", "completions"): True,
    ("graded reward", "completions"): True,
    ("passed", "completions"): True,
    ("score", "completions"): True,
    ("NAvg", "characters"): True,
    ("NAvg", "jieba"): True,
    ("BLEU-1", "characters"): True,
    ("ROUGE-L", "characters"): True,
    ("METEOR", "characters"): True,
    ("response repetition", "characters"): False,
    ("L1 support", "jieba"): True,
}
"""What two systems are compared in, and whether higher is better."""


def read_response(completion: str) -> Response | None:
    """The response of a completion, or None if it is none."""
    try:
        return parse(completion)
    except FormatError:
        return None


def response_repetition(completion: str) -> float:
    """Repetition of all that was written, tags taken out: known of unreadable completions too."""
    for tag in TAGS:
        completion = completion.replace(tag, "")
    return repetition(characters(completion))


def answer_rows(
    judge: Judge, posts: Sequence[Post], completions: Sequence[str], answers: Sequence[str | None]
) -> list[Scores]:
    """One row of scores a post; an unreadable answer (None) has those alone that count it.

    Args:
        judge: the reward model.
        posts: posts with their references.
        completions: what was written, one a post.
        answers: the answer in it, None where it has none.
    """
    readable = [place for place, answer in enumerate(answers) if answer is not None]
    rows = answer_scores(posts, [answer or "" for answer in answers])
    for place, row in enumerate(rows):
        if answers[place] is None:
            for key in [key for key in row if key[0] not in OVERLAP]:
                del row[key]
        row["format", "completions"] = float(answers[place] is not None)
        row["passed", "completions"] = 0.0
        row["response repetition", "characters"] = response_repetition(completions[place])
    if readable:
        scores = cosines(judge.encoder, [posts[i][0] for i in readable], [str(answers[i]) for i in readable])
        for place, score in zip(readable, scores, strict=True):
            rows[place]["score", "completions"] = float(score)
            rows[place]["passed", "completions"] = float(score >= judge.threshold)
    return rows


def score(judge: Judge, recipe: Recipe, posts: Sequence[Post], completions: Sequence[str]) -> list[Scores]:
    """All scores of completions in the response format, one row a post."""
    responses = [read_response(completion) for completion in completions]
    texts = [post for post, _ in posts]
    rows = answer_rows(judge, posts, completions, [response and response.answer for response in responses])
    terms = graded_terms(judge, texts, completions, recipe.grpo.weights)
    rewards = weighted(terms, recipe.grpo.weights)
    for place, row in enumerate(rows):
        row["graded reward", "completions"] = float(rewards[place])
        if responses[place]:
            row |= {(f"reward term {name}", "completions"): float(column[place]) for name, column in terms.items()}
    readable = [place for place, response in enumerate(responses) if response]
    if len(readable) > 1:
        chains = chain_scores([texts[i] for i in readable], [r for r in responses if r])
        for place, chain in zip(readable, chains, strict=True):
            rows[place] |= chain
    return rows


def system(rows: Sequence[Scores], seconds: float) -> System:
    """What the rows of one policy come to."""
    counting_all = (*OVERLAP, "passed", "graded reward", "response repetition")
    share = [row["format", "completions"] for row in rows]
    low, high = share_interval(round(sum(share)), len(share))
    rate = Metric("format", "completions", sum(share) / len(share), low, high, len(share))
    readable = [row for row in rows if row["format", "completions"]]
    per_readable = summary(readable) if len(readable) > 1 else []
    support = [row.get(("L1 support", "jieba"), 0.0) for row in readable]
    chance = [row.get(("L1 support, other post", "jieba"), 0.0) for row in readable]
    if per_readable and (over_chance := ratio(support, chance)):
        per_readable.append(Metric("L1 support ratio", "jieba", *over_chance, len(readable)))
    everywhere = [{key: value for key, value in row.items() if key[0] in counting_all} for row in rows]
    return {
        "figures": figures([rate, *summary(everywhere)]),
        "readable": figures([metric for metric in per_readable if metric.name != "format"]),
        "seconds": round(seconds, 1),
    }


def compare(new: str, old: str, rows: Mapping[str, Sequence[Scores]]) -> list[Comparison]:
    """Paired differences of two systems in everything they share, over the posts where both have the score."""
    found: list[Comparison] = []
    for (name, tokenizer), higher_is_better in COMPARED.items():
        key = (name, tokenizer)
        pairs = [(a[key], b[key]) for a, b in zip(rows[new], rows[old], strict=True) if key in a and key in b]
        if len(pairs) < 2:
            continue
        difference = paired_difference(*zip(*pairs, strict=True))
        found.append(
            {
                "new": new,
                "old": old,
                "name": name,
                "tokenizer": tokenizer,
                "higher_is_better": higher_is_better,
                **asdict(difference),
                "verdict": difference.verdict(higher_is_better),
            }
        )
    return found


def figures(metrics: Sequence[Metric]) -> list[Figure]:
    """Metrics as they stand in a file."""
    return [Figure(**asdict(metric)) for metric in metrics]
