"""The gate: `python -m training promote CARD --current FOLDER` puts a model in another's place, or says why not.

It evaluates nothing again; it reads `evaluation.json` of both folders and compares them post by post.

| metric | the candidate is refused if |
|---|---|
| format | it is right in less than 98 % of the posts, or shown worse |
| graded reward | it is shown worse; not compared where the two were judged by different reward models |
| response repetition | it is shown worse, which is more of it |
| NAvg | it is shown worse |

Shown worse: the 95 % interval of the paired difference excludes zero on the wrong side. So a model that is as good
passes, but for about one in ten by chance, and few posts show little. Posts, references and sampling must be the same.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from training.measure.intervals import Difference, paired_difference
from training.measure.scorecard import PRIMARY, Evaluation

EVALUATION = "evaluation.json"
MIN_FORMAT_RATE = 0.98
JUDGED = "graded reward"


class GateError(ValueError):
    """Two models that cannot be compared, or a folder that is none; the message says what to do."""


@dataclass(frozen=True)
class Check:
    """The gate's finding on one metric: means over posts, the paired difference if there is one, and any refusal."""

    metric: str
    new: float
    old: float | None
    difference: Difference | None
    refusal: str | None


def read_evaluation(card: Path) -> Evaluation:
    """The evaluation beside a model.

    Raises:
        GateError: if there is none.
    """
    path = card / EVALUATION
    if not path.is_file():
        raise GateError(
            f"{card} holds no {EVALUATION}; export it from a run that was evaluated, or, if it is the current model "
            "that has none, compare nothing with --first."
        )
    return json.loads(path.read_text("utf-8"))


def checks(new: Evaluation, old: Evaluation | None) -> list[Check]:
    """The gate's table over two evaluations; without an old one, only what needs no comparison.

    Raises:
        GateError: if the two did not answer the same posts in the same way.
    """
    if old and new["post_set"] != old["post_set"]:
        raise GateError(
            f"The two were evaluated on different posts ({len(new['posts'])} and {len(old['posts'])}); "
            "evaluate the current model again on the candidate's posts."
        )
    if old and new["sampling"] != old["sampling"]:
        raise GateError("The two were sampled with different settings; evaluate both with one recipe's.")
    return [_check(metric, new, old) for metric in PRIMARY]


def _check(metric: str, new: Evaluation, old: Evaluation | None) -> Check:
    scores = new["primary"][metric]["scores"]
    mean = fmean(scores)
    refusal = None
    if metric == "format" and mean < MIN_FORMAT_RATE:
        refusal = f"format: right in {mean:.1%} of {len(scores)} posts, but {MIN_FORMAT_RATE:.0%} is the least."
    if old is None or (metric == JUDGED and new["reward_model"] != old["reward_model"]):
        return Check(metric, mean, None, None, refusal)
    before = old["primary"][metric]["scores"]
    difference = paired_difference(scores, before)
    if difference.verdict(new["primary"][metric]["higher_is_better"]) == "worse":
        refusal = (
            f"{metric}: {mean:.3f} against {fmean(before):.3f} of the current model on the same {len(scores)} posts, "
            f"worse by {abs(difference.value):.3f} [{difference.low:+.3f}, {difference.high:+.3f}]."
        )
    return Check(metric, mean, fmean(before), difference, refusal)


def put_in_place(card: Path, current: Path) -> None:
    """Copy `card` to `current`; what stood there goes to `.previous` beside it, from where it can be moved back.

    The copy is complete before anything is moved, and the two moves are renames in one folder.
    """
    staged = current.parent / ".staging" / current.name
    previous = current.parent / ".previous" / current.name
    for folder in (staged, previous):
        folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(card, staged)
    if current.is_dir():
        shutil.rmtree(previous, ignore_errors=True)
        current.rename(previous)
    try:
        staged.rename(current)
    except OSError:
        previous.rename(current)
        raise
    staged.parent.rmdir()


def main(arguments: list[str]) -> int:
    """Promote or refuse; returns 0, or 2 with one sentence for each reason on stderr."""
    parser = argparse.ArgumentParser(prog="training promote", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("card", type=Path, help="the folder that `card` wrote, e.g. RUN/model_cards/bundled-policy")
    parser.add_argument("--current", type=Path, required=True, help="the folder it shall replace")
    parser.add_argument("--first", action="store_true", help="the current model has no evaluation; do not compare")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    options = parser.parse_args(arguments)
    try:
        if options.card.resolve() == options.current.resolve():
            raise GateError(f"{options.card} is the current model itself; give the folder that `card` wrote.")
        found = checks(read_evaluation(options.card), None if options.first else read_evaluation(options.current))
    except GateError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    refused = [check.refusal for check in found if check.refusal]
    if options.json:
        promoted = {"promoted": not refused, "checks": [asdict(check) for check in found]}
        sys.stdout.write(json.dumps(promoted, indent=1) + "\n")
    sys.stderr.writelines(f"{refusal}\n" for refusal in refused)
    if refused:
        return 2
    put_in_place(options.card, options.current)
    sys.stderr.writelines(
        f"{check.metric}: {check.new:.3f}, not compared.\n" for check in found if check.difference is None
    )
    return 0
