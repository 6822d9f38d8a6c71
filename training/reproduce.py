"""The paper's tables as runs: `python -m training reproduce RECIPE --data D --run R --table 2|3|4`.

Table 2 ranks systems by people and cannot be run; what can be checked of it is arithmetic. Table 3 is read as the
training stages (base, GRPO alone, SFT alone, SFT and GRPO), table 4 as SFT with the chain and on answers alone. What
the run has already (`sft`, `grpo`) is used; the other arms are trained once, each in a folder of its own below
`RUN/reproduce`, go on after a kill, and are not trained again.

Deviation: the paper's rows for tables 3 and 4 were not at hand, so their columns are empty and their layout is read
from the method's description. Without the chain, the prompt still asks for one; the examples alone leave it out. That
arm has no GRPO, whose rewards read the whole format.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.chain import ANSWER_TAG
from training.checkpoint import base_model, load_tokenizer
from training.data.records import Record
from training.evaluate import complete, held_out, posts_of, sampling, write_json
from training.grpo import grpo
from training.measure.intervals import Scores
from training.measure.metrics import Post
from training.measure.scorecard import post_set, weights_hash
from training.measure.systems import answer_rows, compare, read_response, score, system
from training.measure.tables import human_ranking, to_markdown
from training.recipe import Recipe, RecipeError
from training.rewards import Judge
from training.sft import sft

TABLES = (2, 3, 4)
COMPARISONS = {3: (("sft", "base"), ("grpo_only", "base"), ("sft_grpo", "sft"), ("sft_grpo", "grpo_only"))}
COMPARISONS[4] = (("sft", "answers_only"),)
TRAINING = ("tokenizer", "model", "adapter", "pretrain", "sft", "reward", "grpo")
"""The parts of a recipe that an arm's weights depend on."""
_ANSWER = re.compile(rf"\s*<{ANSWER_TAG}>([^<]*\S[^<]*)</{ANSWER_TAG}>\s*")


def reproduce(recipe: Recipe, run: Path, table: int) -> None:
    """Run what a table still lacks; writes `table-N.md` and, for the tables that can be run, `table-N.json`.

    Raises:
        RecipeError: if the run lacks a stage, or an arm was trained by another recipe or from other weights.
    """
    out = run / "reproduce"
    out.mkdir(parents=True, exist_ok=True)
    if table == 2:
        (out / "table-2.md").write_text(human_ranking(), "utf-8")
        return
    arms = training_stages(recipe, run) if table == 3 else with_and_without_chain(recipe, run)
    records = held_out(run, recipe.evaluate, load_tokenizer(arms["sft"]))
    posts, judge = posts_of(records), Judge.of(run)
    rows: dict[str, list[Scores]] = {}
    systems = {}
    for name, model in arms.items():
        completions, seconds = _completions(recipe, out / name, model, records, posts)
        if table == 3:
            rows[name] = score(judge, recipe, posts, completions)
        else:
            rows[name] = _answers_alone(judge, posts, completions)
        systems[name] = system(rows[name], seconds)
    comparisons = [row for new, old in COMPARISONS[table] for row in compare(new, old, rows)]
    report = {
        "table": table,
        "recipe": recipe.name,
        "base": recipe.model.checkpoint or "from scratch",
        "seed": recipe.seed,
        "posts": len(records),
        "post_set": post_set(records),
        "sampling": sampling(recipe.evaluate),
        "systems": systems,
        "comparisons": comparisons,
    }
    write_json(out / f"table-{table}.json", report)
    (out / f"table-{table}.md").write_text(to_markdown(report), "utf-8")


def training_stages(recipe: Recipe, run: Path) -> dict[str, Path]:
    """The models of table 3, in its order; GRPO alone is trained if it is not there yet."""
    base, sft_model, grpo_model = base_model(recipe, run), _stage(run, "sft"), _stage(run, "grpo")
    folder = run / "reproduce" / "grpo_only"
    grpo_only = _trained(recipe, base, folder, "grpo", lambda: grpo(recipe, run, policy=base, out=folder / "grpo"))
    return {"base": base, "grpo_only": grpo_only, "sft": sft_model, "sft_grpo": grpo_model}


def with_and_without_chain(recipe: Recipe, run: Path) -> dict[str, Path]:
    """The models of table 4: the run's SFT, and one on the same examples with the answers alone."""
    with_chain, folder = _stage(run, "sft"), run / "reproduce" / "answers_only"
    without = dataclasses.replace(recipe, sft=dataclasses.replace(recipe.sft, chain=False))

    def train() -> None:
        for name in ("corpus", "pretrain"):
            if (run / name).is_dir() and not (folder / name).exists():
                _link(run / name, folder / name)
        sft(without, folder)

    return {"answers_only": _trained(without, base_model(recipe, run), folder, "sft", train), "sft": with_chain}


def read_answer(completion: str) -> str | None:
    """The answer of a completion in the response format, or of one that is an answer alone; else None."""
    response = read_response(completion)
    if response:
        return response.answer
    alone = _ANSWER.fullmatch(completion)
    return alone[1].strip() if alone else None


def _answers_alone(judge: Judge, posts: Sequence[Post], completions: Sequence[str]) -> list[Scores]:
    rows = answer_rows(judge, posts, completions, [read_answer(completion) for completion in completions])
    for row in rows:
        del row["response repetition", "characters"]  # A chain repeats its answer's words; an answer alone has none.
    return rows


def _stage(run: Path, stage: str) -> Path:
    model = run / stage / "model"
    if not model.is_dir():
        raise RecipeError(f"{run.name} holds no {stage} model; run {stage} first.")
    return model


def _trained(recipe: Recipe, start: Path, folder: Path, stage: str, train: Callable[[], None]) -> Path:
    """The model of an arm, trained unless it is finished and comes from the same recipe and starting weights."""
    values = dataclasses.asdict(recipe)
    parts = json.dumps([recipe.seed, *(values[part] for part in TRAINING)], sort_keys=True)
    stamp = {"made_of": hashlib.sha256((parts + weights_hash(start)).encode()).hexdigest()}
    note = folder / "arm.json"
    found = json.loads(note.read_text("utf-8")) if note.is_file() else stamp
    if found["made_of"] != stamp["made_of"]:
        raise RecipeError(f"{folder} was trained by another recipe or from other weights; remove it to train it again.")
    if not found.get("finished"):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(note, stamp)
        train()
        write_json(note, {**stamp, "finished": True})
    return folder / stage / "model"


def _completions(
    recipe: Recipe, folder: Path, model: Path, records: Sequence[Record], posts: Sequence[Post]
) -> tuple[list[str], float]:
    """An arm's completions and the seconds they took, written once for the same weights, posts, sampling and seed."""
    made_of = [weights_hash(model), post_set(records), sampling(recipe.evaluate), recipe.seed]
    path = folder / "completions.json"
    if path.is_file():
        found = json.loads(path.read_text("utf-8"))
        if found["made_of"] == made_of:
            return found["completions"], found["seconds"]
    began = time.monotonic()
    completions = complete(model, [post for post, _ in posts], recipe.evaluate, recipe.seed)
    seconds = round(time.monotonic() - began, 1)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"made_of": made_of, "seconds": seconds, "completions": completions})
    return completions, seconds


def _link(source: Path, target: Path) -> None:
    try:
        os.symlink(source.resolve(), target, target_is_directory=True)
    except OSError:  # Windows gives links to administrators alone.
        shutil.copytree(source, target)
