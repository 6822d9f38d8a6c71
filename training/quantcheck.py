"""What quantization costs: every file of the export against F16, on the same held-out posts and seeds.

The policies draft without forcing; figures and paired differences are those of `training.measure.systems`. F16 drafts a
second time with other seeds: what that row differs by is chance. The reward files score the same pairs, answers of
people to their own post and to another. Speed and memory are this machine's, with llama.cpp's own number of threads.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.chain import scored_answer, scored_post
from training.checkpoint import load_tokenizer
from training.conversion.conformance import open_gguf
from training.conversion.drafting import Draft, Drafter
from training.evaluate import held_out, posts_of, sampling, write_json
from training.export_gguf import trained_policy
from training.measure.scorecard import Comparison, Figure, post_set
from training.measure.systems import compare, score, system
from training.pairs import Pair, corpus_pairs
from training.recipe import Recipe, RecipeError
from training.rewards import Judge

REFERENCE, CHANCE = "F16", "F16, other seeds"
REWARD_POSTS = 100
SHOWN = {
    ("format", "completions"): "format right",
    ("graded reward", "completions"): "graded reward",
    ("score", "completions"): "cosine",
    ("NAvg", "characters"): "NAvg",
    ("response repetition", "characters"): "repetition",
    ("echo", "characters"): "echo",
}
"""Of the figures, those that the table shows."""


def quantcheck(recipe: Recipe, run: Path) -> None:
    """Compare the files of the run's export; writes `quantcheck.json` and `quantcheck.md` beside them.

    Raises:
        RecipeError: if the run has no export, or too few test posts can be used.
    """
    out = run / "export"
    if not (out / "export.json").is_file():
        raise RecipeError(f"{run} holds no export; run the stage export first.")
    models = json.loads((out / "export.json").read_text("utf-8"))
    settings = replace(recipe.evaluate, posts=recipe.export.posts)
    records = held_out(run, settings, load_tokenizer(trained_policy(run)))
    posts, judge = posts_of(records), Judge.of(run)
    others = [name for name in recipe.export.quantizations if name != REFERENCE]
    drafts, rows, systems = {}, {}, {}
    for name, seed in {REFERENCE: 0, CHANCE: len(posts), **dict.fromkeys(others, 0)}.items():
        path = out / f"policy-{name.partition(',')[0]}.gguf"
        with Drafter(path, recipe.evaluate) as drafter:
            drafts[name] = [
                drafter.draft(post, recipe.seed + seed + place)
                for place, (post, _) in enumerate(tqdm(posts, desc=name, disable=not sys.stderr.isatty()))
            ]
        rows[name] = score(judge, recipe, posts, [draft.text for draft in drafts[name]])
        systems[name] = {
            **system(rows[name], sum(draft.prompt_s + draft.decode_s for draft in drafts[name])),
            **speeds(drafts[name]),
        }
    report = {
        "posts": len(posts),
        "post_set": post_set(records),
        "seed": recipe.seed,
        "sampling": sampling(recipe.evaluate),
        "cores": os.cpu_count(),
        "files": {role: model["files"] for role, model in models.items()},
        "systems": systems,
        "comparisons": [row for name in (CHANCE, *others) for row in compare(name, REFERENCE, rows)],
        "reward": compare_encoders(run, recipe.reward.length, judge.threshold, others),
    }
    write_json(out / "quantcheck.json", report)
    (out / "quantcheck.md").write_text(f"{policy_table(report)}\n\n{reward_table(report)}\n", "utf-8")


def speeds(drafts: Sequence[Draft]) -> dict[str, float]:
    """Tokens read and written a second, over all drafts, and the share of drafts cut at the recipe's length."""
    return {
        "prompt_tokens_per_s": round(sum(d.prompt_tokens for d in drafts) / sum(d.prompt_s for d in drafts), 1),
        "decode_tokens_per_s": round(sum(d.decode_tokens for d in drafts) / sum(d.decode_s for d in drafts), 1),
        "cut": sum(not d.ended for d in drafts) / len(drafts),
    }


def compare_encoders(run: Path, length: int, threshold: float, others: Sequence[str]) -> dict[str, dict[str, float]]:
    """Differences of each reward file's cosines from those of F16, over people's answers to own and to other posts.

    Returns:
        A file: pairs, mean_difference and max_difference (absolute), flips (share of pairs on the other side of T),
        and texts_per_s.
    """
    pairs = list({pair.group: pair for pair in corpus_pairs(run, "test")}.values())[:REWARD_POSTS]
    expected, speed = encoder_cosines(run / "export" / f"reward-{REFERENCE}.gguf", pairs, length)
    report = {REFERENCE: against(expected, expected, threshold, speed)}
    for name in others:
        cosines, speed = encoder_cosines(run / "export" / f"reward-{name}.gguf", pairs, length)
        report[name] = against(cosines, expected, threshold, speed)
    return report


def encoder_cosines(path: Path, pairs: Sequence[Pair], length: int) -> tuple[np.ndarray, float]:
    """Cosines (2N,) of each post with its own answer, then with the next post's; and texts read a second.

    Texts too long for the encoder are cut by characters until they fit, so that every one keeps its end token.
    """
    engine = open_gguf(path, embedding=True, context=length)
    texts = [scored_post(pair.post) for pair in pairs] + [scored_answer(pair.answer) for pair in pairs]
    fitting = [fitted(text, length, lambda cut: len(engine.tokenize(cut.encode()))) for text in texts]
    began = time.perf_counter()
    vectors = np.array([engine.embed(text, normalize=True) for text in fitting])
    speed = len(texts) / (time.perf_counter() - began)
    engine.close()
    posts, answers = vectors[: len(pairs)], vectors[len(pairs) :]
    return np.concatenate([(posts * answers).sum(1), (posts * np.roll(answers, -1, axis=0)).sum(1)]), speed


def fitted(text: str, limit: int, count: Callable[[str], int]) -> str:
    """The beginning of a text that counts no more than `limit` tokens; what is given up is at its end."""
    while (tokens := count(text)) > limit:
        text = text[: min(len(text) - 1, len(text) * limit // tokens)]
    return text


def against(cosines: np.ndarray, expected: np.ndarray, threshold: float, speed: float) -> dict[str, float]:
    """How far cosines (2N,) lie from the expected ones, as `compare_encoders` returns it."""
    difference = np.abs(cosines - expected)
    return {
        "pairs": len(expected),
        "mean_difference": round(float(difference.mean()), 6),
        "max_difference": round(float(difference.max()), 6),
        "flips": round(float(((cosines >= threshold) != (expected >= threshold)).mean()), 4),
        "texts_per_s": round(speed, 1),
    }


def policy_table(report: dict) -> str:
    """The policy files as a table for people."""
    lines = [
        f"{report['posts']} held-out posts, one draft each, nothing forced. **Bold**, with the paired difference from "
        f"{REFERENCE} and its 95 % interval, where this excludes zero; elsewhere no difference is shown. The row "
        f'"{CHANCE}" is the same file again: what it differs by is chance. Speed and memory on a machine of '
        f"{report['cores']} cores.",
        "",
        f"| file | MB | memory MB | read tok/s | written tok/s | {' | '.join(SHOWN.values())} |",
        "|---|" + "---:|" * (4 + len(SHOWN)),
    ]
    for name, measured in report["systems"].items():
        speed = f"{measured['prompt_tokens_per_s']:.0f} | {measured['decode_tokens_per_s']:.0f}"
        cells = [_cell(key, name, measured, report["comparisons"]) for key in SHOWN]
        lines.append(f"| {name} | {_size(report, 'policy', name)} | {speed} | {' | '.join(cells)} |")
    return "\n".join(lines)


def reward_table(report: dict) -> str:
    """The reward files as a table for people."""
    pairs = report["reward"][REFERENCE]["pairs"]
    lines = [
        f"{pairs} pairs of a held-out post and a person's answer, half of them to another post. The cosine of each "
        f"file less that of {REFERENCE}, without sign, and the share of pairs that fall on the other side of T.",
        "",
        "| file | MB | memory MB | texts/s | mean difference | largest | other side of T |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, measured in report["reward"].items():
        lines.append(
            f"| {name} | {_size(report, 'reward', name)} | {measured['texts_per_s']:.0f} | "
            f"{measured['mean_difference']:.5f} | {measured['max_difference']:.5f} | {measured['flips']:.1%} |"
        )
    return "\n".join(lines)


def _size(report: dict, role: str, name: str) -> str:
    """Megabytes of the file and of a process that holds it; the F16 file need not be among the recipe's."""
    file = report["files"][role].get(name.partition(",")[0])
    return f"{file['size_bytes'] / 1e6:.1f} | {file['memory_mb']}" if file else "– | –"


def _cell(key: tuple[str, str], name: str, measured: dict, comparisons: Sequence[Comparison]) -> str:
    figures: list[Figure] = measured["figures"] + measured["readable"]
    found = next((figure for figure in figures if (figure["name"], figure["tokenizer"]) == key), None)
    if found is None:
        return "–"
    same = (row for row in comparisons if row["new"] == name and (row["name"], row["tokenizer"]) == key)
    row = next(same, None)
    if row is None or row["verdict"] == "no difference shown":
        return f"{found['value']:.3f}"
    return f"**{found['value']:.3f}** ({row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}])"
