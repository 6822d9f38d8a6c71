"""The encoder, its two losses, and the stage from a folder of any Qwen3 checkpoint to a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from app.chain import scored_post
from tests.synthetic import post
from tests.tiny_qwen import write_qwen
from training.data.build import build, sets_in
from training.measure.reward import embed
from training.recipe import RecipeError, RewardRecipe
from training.recipe_file import load_recipe
from training.reward import cosines, load_encoder, load_trained, nearness, reward_loss, train_reward
from training.stage import MetricsFile, read_metrics

SMOKE = Path("training/recipes/smoke.yaml")


@pytest.fixture(scope="module")
def body(tmp_path_factory) -> Path:
    return write_qwen(tmp_path_factory.mktemp("qwen"), [post(number) for number in range(40)])


@pytest.fixture(scope="module")
def corpus(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    build(sets_in(data_folder), folder, lambda line: None)
    return folder


@pytest.fixture
def stage(body, corpus, data_folder, tmp_path):
    """Runs the stage on a checkpoint in a folder, into a fresh run folder."""
    (tmp_path / "corpus").symlink_to(corpus)

    def run(*settings: str) -> Path:
        sets = [f"reward.encoder={body}", "reward.triplets=8", "reward.seed_triples=0", *settings]
        train_reward(load_recipe(SMOKE, sets), data_folder, tmp_path)
        return tmp_path

    return run


def test_a_vector_does_not_depend_on_the_texts_beside_it_and_has_length_1(body):
    encoder = load_encoder(body, 128)
    alone = embed(encoder, [post(1)[:30]])
    padded = embed(encoder, [post(1)[:30], post(2)])[:1]
    assert np.allclose(alone, padded, atol=1e-5)
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-5)


def test_every_text_ends_in_the_end_token_also_when_it_is_cut(body):
    encoder = load_encoder(body, 16)
    features = encoder.preprocess(["短", post(1)])
    ends = features["attention_mask"].sum(dim=1) - 1
    assert features["input_ids"].shape[1] == 16
    assert (features["input_ids"][torch.arange(2), ends] == encoder.tokenizer.eos_token_id).all()


def test_the_score_is_the_cosine_of_post_and_answer_each_with_its_role(body):
    encoder = load_encoder(body, 128)
    left, right = embed(encoder, [scored_post("累"), "回信：歇歇"])
    assert cosines(encoder, ["累"], ["歇歇"]) == pytest.approx([left @ right], abs=1e-5)


def vectors(*degrees: float) -> torch.Tensor:
    """Unit vectors (B, 2) at angles; the cosine of two is that of their difference."""
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_triplet_is_equation_5(body):
    loss = reward_loss(RewardRecipe(loss="triplet", margin=0.3), load_encoder(body, 128))
    # Post at 0 degrees. Row 1: answer at 0, negative at 90: 0.3 - 1 + 0 < 0. Row 2: answer at 60, negative at 0.
    batch = [vectors(0, 0), vectors(0, 60), vectors(90, 0)]
    assert loss.compute_loss_from_embeddings(batch, None) == pytest.approx((0 + 0.3 - 0.5 + 1) / 2)


def test_contrastive_is_the_mean_of_both_softmaxes_and_equation_5(body):
    loss = reward_loss(RewardRecipe(loss="contrastive", scale=2.0, margin=0.3), load_encoder(body, 128))
    batch = [vectors(0, 180), vectors(0, 120), vectors(90, 240)]
    # A chord of an angle x is 2 sin(x / 2). Post 1 to answers 1 and 2 and to the negatives: 0, sqrt 3, sqrt 2, sqrt 3;
    # post 2: 2, 1, sqrt 2, 1.
    r2, r3 = 2**0.5, 3**0.5
    of_posts = [-np.log(np.exp([0, -2 * r3, -2 * r2, -2 * r3]).sum()), -2 - np.log(np.exp([-4, -2, -2 * r2, -2]).sum())]
    of_answers = [-np.log(np.exp([0, -4]).sum()), -2 - np.log(np.exp([-2 * r3, -2]).sum())]
    expected = -(np.mean(of_posts) + np.mean(of_answers)) / 2
    # Eq. 5: the first answer is right by more than the margin; the second stands at -cos 60, its negative at +cos 60.
    equation_5 = (0 + 0.3 - 0.5 + 0.5) / 2
    assert loss.compute_loss_from_embeddings(batch, None) == pytest.approx(expected + equation_5, abs=1e-5)
    # Without negatives of their own, only the answers compete.
    pairs = loss.compute_loss_from_embeddings(batch[:2], None)
    of_pairs = [-np.log(np.exp([0, -2 * r3]).sum()), -2 - np.log(np.exp([-4, -2]).sum())]
    assert pairs == pytest.approx(-(np.mean(of_pairs) + np.mean(of_answers)) / 2, abs=1e-5)


def test_a_copy_is_pushed_away_however_near_it_is():
    """Two vectors at a thousandth of a degree: the cosine's slope is almost 0 there, that of the distance is 1."""
    angle = torch.tensor([0.001 * np.pi / 180], requires_grad=True)
    copy = torch.stack([angle.cos(), angle.sin()], dim=1)
    nearness(vectors(0.0), copy).sum().backward()
    assert angle.grad == pytest.approx(-1, abs=0.01)
    assert (nearness(3 * vectors(0.0), vectors(60.0, 180.0))).tolist() == [pytest.approx([-1, -2])]


def test_an_unknown_loss_is_a_sentence():
    with pytest.raises(RecipeError, match="reward.loss is pairs; set it to triplet or contrastive."):
        load_recipe(SMOKE, ["reward.loss=pairs"])


def test_the_stage_starts_from_any_checkpoint_and_leaves_a_model_a_report_and_a_picture(stage, body):
    run = stage("reward.triplets=16")
    encoder, threshold = load_trained(run)
    report = json.loads((run / "reward" / "report.json").read_text("utf-8"))
    assert threshold == report["threshold"] and -1 <= threshold <= 1
    assert len(report["human_quantiles"]) == 101 and report["human_quantiles"] == sorted(report["human_quantiles"])
    assert report["held_out_posts"] == 6 and report["threshold_chosen_on_posts"] == 7
    kinds = {"random", "generic", "echo", "echo_addressed"}
    assert kinds <= set(report["pairwise_accuracy"]) == set(report["pairwise_interval"])
    assert kinds | {"together"} <= set(report["auc"]) and set(report["passing"]) >= kinds | {"own"}
    low, value, high = (report["top_1_of_32"][key] for key in ("low", "value", "high"))
    assert 0 <= low <= value <= high <= 1
    assert report["cut_texts"] == {"posts": 0, "answers": 0}
    assert report["roc"][-1] == [1, 1]
    assert (run / "reward" / "roc.png").exists() and not list((run / "reward").glob("checkpoint-*"))
    before = load_encoder(body, 512)
    assert not np.allclose(embed(before, ["累"]), embed(encoder, ["累"]), atol=1e-3)


def test_with_the_papers_symmetric_encoder_a_copied_post_scores_1(stage):
    run = stage("reward.loss=triplet", "reward.role_prefixes=false")
    report = json.loads((run / "reward" / "report.json").read_text("utf-8"))
    assert report["pairwise_accuracy"]["echo"] == 0 and report["passing"]["echo"] == 1


def test_an_interrupted_stage_goes_on_with_the_batches_that_are_left(stage, monkeypatch):
    logged = MetricsFile.on_log
    sets = ("reward.triplets=24", "reward.save_every=1")

    def losses(run: Path) -> list[float]:
        return [entry["loss"] for entry in read_metrics(run / "reward" / "metrics.jsonl") if "loss" in entry]

    straight = losses(stage(*sets))

    def interrupted(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt
        logged(self, args, state, control, **kwargs)

    # A fault put where a real interruption strikes: after a step, before it is on record.
    monkeypatch.setattr(MetricsFile, "on_log", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage(*sets)
    monkeypatch.undo()
    assert losses(stage(*sets)) == pytest.approx(straight, rel=1e-3)
