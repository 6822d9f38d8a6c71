"""The rewards of GRPO: the paper's two parts, and a graded one whose terms have a slope where the paper has a step.

Each term is a number between 0 and 1 for one completion, or NaN where a completion is no response: what cannot be
scored is never 0. Windows are what people write, measured on the answers of the training split and on the hand-written
chains; what lies within them gains nothing by going further, so that no term is raised by copying or repeating. They
are measured on Chinese and hold for Chinese.

Deviation: the paper has `format` and `answer` alone, both 0 or 1, and nothing that reads the chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from app.chain import LAYERS, FormatError, Response, format_reward, parse
from training.device import reward_device
from training.equations import answer_rewards
from training.measure.metrics import MIN_CONTENT_CHARS, characters, echoed, repetition, support, words
from training.recipe import GrpoRecipe
from training.reward import cosines, load_trained

PAPER_WEIGHTS = {"format": 1.0, "answer": 1.0}
"""r = r_format + r_answer."""

ECHO = (0.44, 0.13)
"""Share of an answer in runs of four that its post holds: (worth 0, worth 1). Of 13,846 human answers of the training
split 95 % copy less than 0.13, all but 1 in 1,000 less than 0.44."""
WORDS_OF_THE_POST = (0.65, 0.41)
"""Share of an answer's content words that its post holds: the most in 5,000 human answers, and the most in 240
hand-written ones. It catches what `ECHO` does not, a list of the post's words."""
REPETITION = (0.25, 0.05)
"""Share of recurring runs of four characters: 95 % of human answers stay below 0.054, and no hand-written response
reaches 0.042; a quarter is five times that."""
ANSWER_CHARS = (260, 670)
"""From the 5 % to the 95 % quantile of human answers, of the lengths that `training.pairs` keeps (200 to 700)."""
TERSEST_WORDS = {"L1": 18, "L2": 24, "L3": 10, "L4": 22}
"""The fewest different content words that a layer of the 240 hand-written chains has."""
COPIED_LAYER = (1.0, 0.5)
"""Share of a layer that is copied, post and earlier layers taken together; at most 0.49 in the hand-written chains."""
GROUND = {"L1": ((0.06, 0.50), (1.0, 0.74)), "L2": ((0.06, 0.20), (1.0, 0.38))}
"""Share of a layer's content words that its post holds: it counts from what the post of another chain holds of it up to
the median of the hand-written chains, and less again beyond the most that any of them takes."""
PLAN = (0.11, 0.36)
"""Share of L4's content words that the answer holds: of another chain's answer, and the median of the own one."""


def ramp(value: float, zero: float, one: float) -> float:
    """Linear from 0 at `zero` to 1 at `one`, level beyond both; it falls where `zero` is the larger."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))


def content(text: str) -> set[str]:
    """The different words of two characters or more."""
    return {word for word in words(text) if len(word) >= MIN_CONTENT_CHARS and word[0].isalnum()}


def echo(post: str, response: Response) -> float:
    """1 while the answer takes no more from the post than people do, neither in runs of four nor in single words."""
    return min(ramp(echoed(response.answer, post), *ECHO), ramp(support(response.answer, post), *WORDS_OF_THE_POST))


def unrepeated(post: str, response: Response) -> float:
    """1 while no more runs of four characters of chain and answer recur than people's do."""
    return ramp(repetition(characters("".join(response.parts().values()))), *REPETITION)


def length(post: str, response: Response) -> float:
    """1 within the lengths of most human answers; 0 for nothing and for twice the longest of them."""
    shortest, longest = ANSWER_CHARS
    chars = len(response.answer)
    return min(ramp(chars, 0, shortest), ramp(chars, 2 * longest, longest))


def layers(post: str, response: Response) -> float:
    """Mean over layers: as many content words as the tersest person writes, and not copied from post or layers."""
    shares, before = [], post
    for layer in LAYERS:
        text = response.parts()[layer.tag]
        shares.append(ramp(len(content(text)), 0, TERSEST_WORDS[layer.tag]) * ramp(echoed(text, before), *COPIED_LAYER))
        before += "\n" + text
    return float(np.mean(shares))


def grounding(post: str, response: Response) -> float:
    """Mean over L1 and L2: content words from the post as people take them up, neither fewer nor nothing else."""
    found = {tag: support(response.parts()[tag], post) for tag in GROUND}
    return float(np.mean([ramp(found[tag], *rise) * ramp(found[tag], *fall) for tag, (rise, fall) in GROUND.items()]))


def plan(post: str, response: Response) -> float:
    """The share of L4's content words that the answer takes up, and nothing for an L4 that the answer copies."""
    copied = echoed(response.L4, response.answer)
    return ramp(support(response.L4, response.answer), *PLAN) * ramp(copied, *COPIED_LAYER)


TEXT_TERMS: dict[str, Callable[[str, Response], float]] = {
    "echo": echo,
    "repetition": unrepeated,
    "length": length,
    "layers": layers,
    "grounding": grounding,
    "plan": plan,
}
"""Terms that need no model. Beside them: format, score (graded) and answer (paper)."""


@dataclass(frozen=True)
class Judge:
    """A trained reward model with its threshold T and the quantiles of human answers' scores, 0 to 100 %."""

    encoder: SentenceTransformer
    threshold: float
    human_quantiles: tuple[float, ...]

    @classmethod
    def of(cls, run: Path) -> Judge:
        """The reward model of a run."""
        encoder, threshold = load_trained(run)
        report = json.loads((run / "reward" / "report.json").read_text("utf-8"))
        return cls(encoder.to(reward_device()), threshold, tuple(report["human_quantiles"]))

    def standing(self, scores: np.ndarray) -> np.ndarray:
        """The share of human answers that score lower, (N,) between 0 and 1, linear between quantiles."""
        return np.interp(scores, self.human_quantiles, np.linspace(0, 1, len(self.human_quantiles)))


def term_column(name: str, judge: Judge, posts: Sequence[str], completions: Sequence[str]) -> np.ndarray:
    """One term of each completion, (N,); NaN where the completion is no response, but for `format`, which is 0 there.

    Raises:
        ValueError: for a name that is no term.
    """
    if name == "format":
        return np.array([format_reward(completion) for completion in completions])
    column = np.full(len(completions), np.nan)
    readable = {}
    for place, completion in enumerate(completions):
        with suppress(FormatError):
            readable[place] = parse(completion)
    places = list(readable)
    if name in TEXT_TERMS:
        column[places] = [TEXT_TERMS[name](posts[place], response) for place, response in readable.items()]
    elif name not in ("score", "answer"):
        raise ValueError(f"{name} is no term; known are format, score, answer, {', '.join(TEXT_TERMS)}.")
    elif places:
        scores = cosines(judge.encoder, [posts[place] for place in places], [one.answer for one in readable.values()])
        passed = answer_rewards(torch.from_numpy(scores), judge.threshold).numpy()
        column[places] = judge.standing(scores) if name == "score" else passed
    return column


def graded_terms(
    judge: Judge, posts: Sequence[str], completions: Sequence[str], weights: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Every term that has a weight, by name, each (N,) as `term_column`."""
    return {name: term_column(name, judge, posts, completions) for name in weights}


def weighted(terms: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The graded reward, (N,) between 0 and 1: the weighted mean of the terms, to which a NaN adds nothing.

    So a completion that is no response gets 0. This is what TRL computes from the same weights (`nansum`), and the
    `reward` of a run's metrics.
    """
    total = sum(weights.values())
    return np.sum([np.nan_to_num(column) * weights[name] / total for name, column in terms.items()], axis=0)


class RewardTerm:
    """A term as TRL's reward function, under its own name.

    TRL turns None into NaN, leaves it out of the logged mean of the term, and adds the terms of a completion up with
    `nansum`; a completion whose every term is None would be left out of its group, but `format` never is.
    """

    def __init__(self, name: str, judge: Judge):
        self.__name__ = name
        self.judge = judge

    def __call__(self, completions: list[list[dict[str, str]]], post: list[str], **_: object) -> list[float | None]:
        """TRL's signature for conversational completions; `post` is the dataset's column."""
        texts = [completion[0]["content"] for completion in completions]
        column = term_column(self.__name__, self.judge, post, texts)
        return [None if np.isnan(value) else float(value) for value in column]


def term_weights(settings: GrpoRecipe) -> dict[str, float]:
    """The weights of a recipe's terms in the sum that TRL makes of them; those of the graded reward add up to 1."""
    if settings.reward == "paper":
        return PAPER_WEIGHTS
    total = sum(settings.weights.values())
    return {name: weight / total for name, weight in settings.weights.items()}
