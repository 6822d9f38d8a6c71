"""The gate: who passes, who is refused and why, and what stands where afterwards."""

from __future__ import annotations

import copy
import json

import pytest

from training.__main__ import main
from training.measure.scorecard import Evaluation
from training.promote import GateError, checks

POSTS = 60


def evaluation(**changes) -> Evaluation:
    """An evaluation on 60 posts, all in the right format; `changes` replace scores."""
    scores = {
        "format": [1.0] * POSTS,
        "graded reward": [0.5 + place % 10 / 50 for place in range(POSTS)],
        "response repetition": [place % 7 / 100 for place in range(POSTS)],
        "NAvg": [0.25 + place % 5 / 100 for place in range(POSTS)],
    } | changes
    return {
        "recipe": "toy",
        "system": "grpo",
        "seed": 7,
        "sampling": {"temperature": 0.6},
        "post_set": "one",
        "posts": [f"g{place}" for place in range(POSTS)],
        "reward_model": "first",
        "primary": {
            name: {"higher_is_better": name != "response repetition", "scores": values}
            for name, values in scores.items()
        },
    }


def moved(name: str, by: float, noise: float = 0.05) -> list[float]:
    """A metric's scores moved by about `by` on each post."""
    scores = evaluation()["primary"][name]["scores"]
    return [score + by + noise * (-1) ** place for place, score in enumerate(scores)]


def refusals(new: Evaluation, old: Evaluation | None) -> list[str]:
    return [check.refusal for check in checks(new, old) if check.refusal]


@pytest.fixture
def folders(tmp_path):
    """A candidate and a current model's folder with equal evaluations."""
    for place, weights in (("run", "new"), ("model_cards", "old")):
        folder = tmp_path / place / "policy"
        folder.mkdir(parents=True)
        (folder / "policy.gguf").write_text(weights)
        (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    return tmp_path / "run" / "policy", tmp_path / "model_cards" / "policy"


def test_an_equal_model_passes():
    found = checks(evaluation(), evaluation())
    assert [check.refusal for check in found] == [None] * 4
    assert [check.difference.value for check in found] == [0.0] * 4


@pytest.mark.parametrize(("name", "by"), [("graded reward", -0.05), ("NAvg", -0.05), ("response repetition", 0.05)])
def test_a_worse_model_is_refused_for_what_is_worse(name, by):
    (refusal,) = refusals(evaluation(**{name: moved(name, by)}), evaluation())
    assert refusal.startswith(f"{name}: ") and "worse by 0.050 [" in refusal
    assert refusals(evaluation(**{name: moved(name, -by)}), evaluation()) == []


def test_what_chance_explains_is_not_refused():
    assert refusals(evaluation(NAvg=moved("NAvg", -0.001)), evaluation()) == []


@pytest.mark.parametrize(("wrong", "refused"), [(1, False), (2, True)])
def test_ninety_eight_percent_of_formats_must_be_right(wrong, refused):
    """59 of 60 are 98.3 %, 58 are 96.7 %; also where there is nothing to compare with."""
    new = evaluation(format=[0.0] * wrong + [1.0] * (POSTS - wrong))
    assert bool(refusals(new, None)) == refused


def test_another_judge_leaves_the_reward_out():
    new = evaluation(**{"graded reward": moved("graded reward", -0.3)})
    new["reward_model"] = "second"
    assert refusals(new, evaluation()) == []
    assert [check.metric for check in checks(new, evaluation()) if check.difference is None] == ["graded reward"]


@pytest.mark.parametrize(("key", "value"), [("post_set", "other"), ("sampling", {"temperature": 1.0})])
def test_other_posts_or_another_sampling_are_not_compared(key, value):
    new = copy.deepcopy(evaluation())
    new[key] = value
    with pytest.raises(GateError):
        checks(new, evaluation())


def test_the_promoted_model_stands_in_place_and_the_old_one_behind(folders, capsys):
    card, current = folders
    assert main(["promote", str(card), "--current", str(current), "--json"]) == 0
    assert (current / "policy.gguf").read_text() == "new"
    assert (current.parent / ".previous" / "policy" / "policy.gguf").read_text() == "old"
    assert sorted(path.name for path in current.parent.iterdir()) == [".previous", "policy"]
    assert json.loads(capsys.readouterr().out)["promoted"] is True
    # A second promotion keeps the one before it, not the first.
    (card / "policy.gguf").write_text("newer")
    assert main(["promote", str(card), "--current", str(current)]) == 0
    assert (current.parent / ".previous" / "policy" / "policy.gguf").read_text() == "new"


def test_a_refused_model_changes_nothing(folders, capsys):
    card, current = folders
    worse = evaluation(NAvg=moved("NAvg", -0.1), format=[0.0] * POSTS)
    (card / "evaluation.json").write_text(json.dumps(worse))
    assert main(["promote", str(card), "--current", str(current), "--json"]) == 2
    printed = capsys.readouterr()
    assert [line.partition(":")[0] for line in printed.err.splitlines()] == ["format", "NAvg"]
    assert json.loads(printed.out)["promoted"] is False
    assert (current / "policy.gguf").read_text() == "old"
    assert [path.name for path in current.parent.iterdir()] == ["policy"]


def test_a_model_without_evaluation_is_only_replaced_when_told_so(folders, capsys):
    card, current = folders
    (current / "evaluation.json").unlink()
    assert main(["promote", str(card), "--current", str(current)]) == 2
    assert "holds no evaluation.json" in capsys.readouterr().err
    assert main(["promote", str(card), "--current", str(current), "--first"]) == 0
    assert (current / "policy.gguf").read_text() == "new"
    assert capsys.readouterr().err.count("not compared") == 4


def test_a_model_does_not_replace_itself(folders, capsys):
    _, current = folders
    assert main(["promote", str(current), "--current", str(current)]) == 2
    assert "is the current model itself" in capsys.readouterr().err
    assert (current / "policy.gguf").is_file()
