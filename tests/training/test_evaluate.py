"""Evaluation: what is asked, what an unreadable completion costs, how two systems compare, and what is written."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from app.chain import Response, render
from tests.tiny_run import SMOKE, write_run
from training.data.build import read_corpus
from training.data.records import to_line
from training.evaluate import complete, evaluate_run, held_out, posts_of
from training.measure.likelihood import bits_per_character
from training.measure.scorecard import post_set
from training.measure.systems import compare, response_repetition, score, system
from training.recipe import EvaluateRecipe, RecipeError
from training.recipe_file import load_recipe
from training.rewards import Judge

RECIPE = load_recipe(SMOKE, ["evaluate.max_completion_tokens=12"])
ROOMY = EvaluateRecipe(posts=100, max_prompt_tokens=10_000)
NOT_ONE = "累累累累累累"


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_folder, tokenizer):
    return write_run(tmp_path_factory.mktemp("evaluated"), data_folder, tokenizer)


@pytest.fixture(scope="module")
def records(run):
    return [record for record in read_corpus(run / "corpus", "train") if len(record.responses) > 1][:4]


def written(records) -> list[str]:
    """A response to each post whose answer is the second one that people gave."""
    return [render(Response("累", "也许怕", "想被听见", "先听", record.responses[1])) for record in records]


def figures(found, key="figures") -> dict:
    return {(figure["name"], figure["tokenizer"]): figure for figure in found[key]}


def test_an_unreadable_completion_counts(run, records):
    posts = posts_of(records)
    rows = score(Judge.of(run), RECIPE, posts, [*written(records)[:3], NOT_ONE])
    lost = rows[3]
    assert lost["format", "completions"] == lost["passed", "completions"] == lost["graded reward", "completions"] == 0
    assert lost["NAvg", "characters"] == lost["Distinct-1", "jieba"] == 0
    # Six equal characters hold three runs of four, two of them again: an empty answer would have looked unrepeated.
    assert lost["response repetition", "characters"] == pytest.approx(2 / 3)
    assert not {("score", "completions"), ("L1 support", "jieba"), ("echo", "characters")} & set(lost)

    reached = system(rows, seconds=1.0)
    every, readable = figures(reached), figures(reached, "readable")
    assert every["format", "completions"]["value"] == 0.75
    assert every["format", "completions"]["low"] == pytest.approx(0.3006, abs=1e-4)  # Wilson, 3 of 4
    assert every["NAvg", "characters"]["posts"] == 4 and readable["NAvg", "characters"]["posts"] == 3
    assert every["NAvg", "characters"]["value"] == pytest.approx(0.75 * readable["NAvg", "characters"]["value"])
    assert readable["graded reward", "completions"]["value"] > every["graded reward", "completions"]["value"]


def test_systems_are_compared_where_both_have_the_score(run, records):
    posts, judge = posts_of(records), Judge.of(run)
    good = written(records)
    rows = {
        "old": score(judge, RECIPE, posts, [*good[:3], NOT_ONE]),
        "new": score(judge, RECIPE, posts, [NOT_ONE, *good[1:]]),
    }
    by_name = {(row["name"], row["tokenizer"]): row for row in compare("new", "old", rows)}
    assert by_name["NAvg", "characters"]["posts"] == 4
    assert by_name["score", "completions"]["posts"] == 2
    assert by_name["score", "completions"]["value"] == pytest.approx(0, abs=1e-6)
    assert by_name["format", "completions"]["value"] == 0


def test_losing_every_response_is_worse(run, records):
    posts, judge = posts_of(records), Judge.of(run)
    completions = {"old": written(records), "new": [NOT_ONE] * 4}
    rows = {name: score(judge, RECIPE, posts, texts) for name, texts in completions.items()}
    verdicts = {row["name"]: row["verdict"] for row in compare("new", "old", rows)}
    lost = ("format", "NAvg", "BLEU-1", "graded reward", "response repetition")
    assert {verdicts[name] for name in lost} == {"worse"}
    assert "score" not in verdicts
    assert system(rows["new"], 0.0)["readable"] == []


def test_tags_do_not_count_as_repetition():
    assert response_repetition("<L1>一二三四</L1><L2>五六七八</L2>") == 0


def test_posts_with_two_answers_come_first_and_joined_ones_never(run, tokenizer, tmp_path):
    record = next(read_corpus(run / "corpus", "test"))
    kinds = [("one", "written", 1), ("turns", "joined", 2), ("two", "written", 2), ("long", "written", 2)]
    texts = {"long": record.description * 20}
    chosen = [
        dataclasses.replace(
            record,
            group=group,
            origin=origin,
            responses=record.responses[:1] * answers,
            description=texts.get(group, record.description),
        )
        for group, origin, answers in kinds
    ]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "test.jsonl").write_text("".join(map(to_line, chosen)), "utf-8")
    settings = EvaluateRecipe(max_prompt_tokens=1500)
    assert [found.group for found in held_out(tmp_path, settings, tokenizer)] == ["two", "one"]
    with pytest.raises(RecipeError, match="raise evaluate.max_prompt_tokens"):
        held_out(tmp_path, EvaluateRecipe(max_prompt_tokens=10), tokenizer)


def test_another_answer_makes_another_set_of_posts(records):
    changed = [dataclasses.replace(records[0], responses=("别的回信。",)), *records[1:]]
    assert post_set(records) == post_set(list(records)) != post_set(changed)


def test_a_seed_gives_each_post_its_completion_in_any_order(run, records):
    posts = [post for post, _ in posts_of(records)]
    model, settings = run / "sft" / "model", RECIPE.evaluate
    first = complete(model, posts, settings, seed=3)
    assert first == complete(model, posts, settings, seed=3)
    assert first == complete(model, posts[::-1], settings, seed=3)[::-1]
    assert first != complete(model, posts, settings, seed=4)


def test_a_uniform_model_needs_log2_of_the_vocabulary_for_every_token(run, tokenizer, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(run / "sft" / "model")
    torch.nn.init.zeros_(model.get_input_embeddings().weight)  # tied: so are the logits
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    post, answer = "我睡不着，怎么办？", "先喝口水。\n再看看天。"
    turns = [{"role": "user", "content": post}, {"role": "assistant", "content": answer}]

    def tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"]) + 1  # and the token that ends the turn

    bits = math.log2(model.config.vocab_size)
    both = bits * (tokens(post) + tokens(answer)) / len(post + answer)
    alone = bits * tokens(answer) / len(answer)
    found = bits_per_character(tmp_path, [turns] * 2)
    assert found == pytest.approx({"dialogues": both, "answers": alone}, rel=1e-4)
    with pytest.raises(ValueError, match="give some text"):
        bits_per_character(tmp_path, [])


def test_a_run_is_evaluated_with_all_its_policies(run):
    evaluate_run(RECIPE, run)
    out = run / "evaluate"
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert list(report["systems"]) == ["sft", "grpo"]
    assert set(report["bits_per_character"]) == {"base", "sft", "grpo"}
    assert report["posts"] == 3 and report["versions"]["jieba"]
    # The same weights, posts and seed: exactly the same completions.
    assert {row["value"] for row in report["comparisons"]} == {0.0}
    assert {row["verdict"] for row in report["comparisons"]} == {"no difference shown"}
    assert {row["name"] for row in report["floor"]} >= {row["name"] for row in report["ceiling"]}
    assert (out / "systems.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "report.md").read_text("utf-8")
    assert "Format right without forcing: sft 0.0%, grpo 0.0%." in text  # 12 tokens hold no response
    assert "| graded reward | completions | grpo less sft | +0.000 [+0.000, +0.000] | 3 | no difference shown |" in text

    evaluation = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert evaluation["system"] == "grpo" and len(evaluation["posts"]) == 3
    assert all(len(metric["scores"]) == 3 for metric in evaluation["primary"].values())
    for record in read_corpus(run / "corpus", "test"):
        assert record.description[:8] not in json.dumps([report, evaluation], ensure_ascii=False)


def test_a_run_without_a_policy_is_a_sentence(tmp_path):
    with pytest.raises(RecipeError, match="run sft or grpo first"):
        evaluate_run(RECIPE, tmp_path)
