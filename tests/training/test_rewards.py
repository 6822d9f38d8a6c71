"""Each term of the rewards by hand, and against the ways to gain it without deserving it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.chain import Response, render
from tests.tiny_qwen import write_qwen
from training.data.seed_chains import SeedChain, read_seed_chains, read_triples
from training.recipe import GRADED_WEIGHTS, GrpoRecipe, RecipeError
from training.recipe_file import load_recipe
from training.reward import cosines, load_encoder
from training.rewards import (
    Judge,
    RewardTerm,
    content,
    echo,
    graded_terms,
    layers,
    length,
    ramp,
    term_column,
    term_weights,
    unrepeated,
    weighted,
)

TRIPLES = {triple.id: triple for triple in read_triples()}
CHAINS = [chain for chain in read_seed_chains() if chain.language == "zh" and chain.id in TRIPLES][::10]
BY_TEXT = {name: weight for name, weight in GRADED_WEIGHTS.items() if name != "score"}
PLAIN = Response("累，委屈", "也许怕", "想被听见", "先听", "读到了。")


@pytest.fixture(scope="module")
def judge(tmp_path_factory) -> Judge:
    """A reward model with random weights: real scores, which mean nothing."""
    body = write_qwen(tmp_path_factory.mktemp("qwen"), [chain.text for chain in CHAINS])
    return Judge(load_encoder(body, 256), 0.5, (0.0, 0.5, 0.6))


def test_a_ramp_rises_or_falls_between_its_ends_and_is_level_beyond():
    assert [ramp(value, 2, 4) for value in (1, 2, 3, 4, 9)] == [0, 0, 0.5, 1, 1]
    assert [ramp(value, 4, 2) for value in (1, 2, 3, 4, 9)] == [1, 1, 0.5, 0, 0]


@pytest.mark.parametrize(("chars", "worth"), [(130, 0.5), (260, 1), (670, 1), (1005, 0.5), (1340, 0)])
def test_length_is_a_window(chars, worth):
    assert length("", replace(PLAIN, answer="字" * chars)) == pytest.approx(worth)


@pytest.mark.parametrize(("copied", "worth"), [(13, 1), (28, 16 / 31), (44, 0), (100, 0)])
def test_echo_counts_what_is_copied_beyond_what_people_copy(copied, worth):
    post = "".join(chr(0x2200 + place) for place in range(100))  # signs, so that no word is counted
    answer = post[:copied] + "".join(chr(0x2500 + place) for place in range(100 - copied))
    assert echo(post, replace(PLAIN, answer=answer)) == pytest.approx(worth)


def test_repetition_covers_chain_and_answer():
    # 40 different characters twice: 37 of 77 runs recur, beyond a quarter.
    text = "".join(chr(0x4E00 + 7 * place) for place in range(40))
    assert unrepeated("", Response(text, "一", "二", "三", "四")) == 1
    assert unrepeated("", Response(text, "一", "二", "三", text)) == 0


def test_a_layer_that_repeats_the_one_before_is_worth_nothing():
    chain = CHAINS[0]
    honest = layers(chain.post, chain.response)
    assert honest == 1
    assert layers(chain.post, replace(chain.response, L2=chain.response.L1)) == pytest.approx(honest - 1 / 4)


def test_the_score_is_where_the_cosine_stands_among_human_answers(judge):
    # Quantiles 0, 0.5, 0.6 at 0, 50 and 100 %: the first half lies between 0 and 0.5, the second up to 0.6.
    assert judge.standing(np.array([-1, 0.25, 0.55, 0.6, 1])).tolist() == pytest.approx([0, 0.25, 0.75, 1, 1])


def _games(chain: SeedChain) -> dict[str, Response]:
    honest, wrong = chain.response, TRIPLES[chain.id]
    keywords = sorted(content(chain.post))
    return {
        "the post as L1": replace(honest, L1=chain.description),
        "a piece of the post as L1": replace(honest, L1=chain.description[:120].strip()),
        "the post as answer": replace(honest, answer=chain.description),
        "the post retold as answer": replace(honest, answer=wrong.echo),
        "half the answer, then the post": replace(honest, answer=honest.answer[:300].strip() + chain.description),
        "keywords repeated as answer": replace(honest, answer="，".join(keywords[:15] * 10)),
        "keywords listed as answer": replace(honest, answer="，".join(keywords)),
        "keywords listed after the answer": replace(honest, answer=honest.answer + "，".join(keywords)),
        "keywords listed as L1": replace(honest, L1="，".join(keywords)),
        "the beginning of the answer three times": replace(honest, answer=(honest.answer[:200] * 3).strip()),
        "L4 as answer": replace(honest, answer=honest.L4),
        "L4 before the answer": replace(honest, answer=honest.L4 + honest.answer),
        "layers of a word": Response("难过", "累", "倾诉", "先听", honest.answer),
        "one layer of a word": replace(honest, L2="也许累"),
        "all layers alike": replace(honest, L2=honest.L1, L3=honest.L1, L4=honest.L1),
        "an answer that fits anybody": replace(honest, answer=wrong.generic),
        "an answer that reads the post wrongly": replace(honest, answer=wrong.mismatched),
    }


@pytest.mark.parametrize("game", list(_games(CHAINS[0])))
def test_what_is_gamed_is_worth_less_than_what_is_meant(judge, game):
    """Without the score: the terms hold by themselves, whatever the reward model makes of it."""
    posts = [chain.post for chain in CHAINS]
    honest = graded_terms(judge, posts, [render(chain.response) for chain in CHAINS], BY_TEXT)
    gamed = graded_terms(judge, posts, [render(_games(chain)[game]) for chain in CHAINS], BY_TEXT)
    assert (weighted(honest, BY_TEXT) > weighted(gamed, BY_TEXT)).all()


def test_anothers_chain_is_worth_less_than_the_own_one(judge):
    posts = [chain.post for chain in CHAINS]
    others = [*CHAINS[1:], CHAINS[0]]
    own = graded_terms(judge, posts, [render(chain.response) for chain in CHAINS], BY_TEXT)
    swapped = [replace(b.response, answer=a.answer) for a, b in zip(CHAINS, others, strict=True)]
    theirs = graded_terms(judge, posts, [render(response) for response in swapped], BY_TEXT)
    assert (own["grounding"] > theirs["grounding"]).all()
    assert (own["plan"] > theirs["plan"]).all()


def test_what_cannot_be_read_has_no_term_but_the_format(judge):
    chain = CHAINS[0]
    completions = [render(chain.response), "没有标签", render(chain.response) + "多余"]
    terms = graded_terms(judge, [chain.post] * 3, completions, GRADED_WEIGHTS)
    assert terms.pop("format").tolist() == [1, 0, 0]
    for name, column in terms.items():
        assert np.isnan(column).tolist() == [False, True, True], name
        assert 0 <= column[0] <= 1, name
    assert graded_terms(judge, [chain.post], ["没有标签"], {"score": 1.0})["score"].tolist() == pytest.approx(
        [np.nan], nan_ok=True
    )


def test_the_reward_is_the_weighted_mean_and_an_unreadable_completion_gets_0():
    terms = {"format": np.array([1.0, 0.0]), "score": np.array([0.5, np.nan]), "plan": np.array([0.25, np.nan])}
    assert weighted(terms, {"format": 2, "score": 1, "plan": 1}).tolist() == pytest.approx([2.75 / 4, 0])


def test_the_answer_of_the_paper_is_a_step_at_the_threshold(judge):
    posts, completions = [chain.post for chain in CHAINS], [render(chain.response) for chain in CHAINS]
    scores = cosines(judge.encoder, posts, [chain.answer for chain in CHAINS])
    at_the_median = replace(judge, threshold=float(np.median(scores)))
    column = term_column("answer", at_the_median, posts, completions)
    assert column.tolist() == [float(score >= np.median(scores)) for score in scores]
    assert set(column) == {0.0, 1.0}


def test_a_term_tells_trl_none_where_it_cannot_score(judge):
    term = RewardTerm("length", judge)
    completions = [[{"role": "assistant", "content": text}] for text in (render(CHAINS[0].response), "没有标签")]
    rewards = term(completions, [CHAINS[0].post] * 2, trainer_state=None)
    assert term.__name__ == "length"
    assert rewards[0] is not None and rewards[1] is None


def test_an_unknown_term_is_named(judge):
    with pytest.raises(ValueError, match="warmth is no term; known are format, score, answer, echo"):
        term_column("warmth", judge, ["信"], [render(PLAIN)])


def test_the_paper_adds_two_parts_and_the_graded_weights_add_up_to_1():
    assert term_weights(GrpoRecipe(reward="paper")) == {"format": 1, "answer": 1}
    graded = term_weights(GrpoRecipe(reward="graded", weights={"format": 3.0, "score": 1.0}))
    assert graded == {"format": 0.75, "score": 0.25}


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("grpo.reward=judge", "grpo.reward is judge; set it to paper or graded."),
        ("grpo.vllm=local", "grpo.vllm is local; set it to 'off', colocate or server."),
        ("grpo.weights={format: 1, warmth: 1}", "grpo.weights names warmth; the terms are format, score"),
        ("grpo.weights={score: 1}", "grpo.weights leaves out format"),
        ("grpo.weights={format: -1, score: 2}", "grpo.weights are negative"),
        ("grpo.weights={format: 0}", "grpo.weights are negative or add up to 0"),
    ],
)
def test_a_reward_that_cannot_be_is_refused(setting, sentence):
    with pytest.raises(RecipeError, match=sentence.replace("{", r"\{")):
        load_recipe(Path("training/recipes/smoke.yaml"), [setting])
