"""A score with its reasons: what a sentence adds, by vectors computed by hand; echo and length against training's."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from app import score_reasons
from app.chain import scored_answer, scored_post
from app.engine.scripted import ScriptedEngine
from app.errors import DeskError
from app.score_reasons import MAX_PARTS, echoed, reasons
from app.scoring import Scorer
from tests.app.test_scoring import reward_model
from training.measure import metrics

POST = "来信里的话。"
ANSWER = "甲先听着。乙说别的！\n丙收个尾。"
CHINESE = "窗外下过雨，树叶洗得发亮，"


class HandEngine(ScriptedEngine):
    """Cosines of answers with the post, by hand; counts what it was asked."""

    def __init__(self, cosines: dict[str, float]):
        super().__init__()
        self._cosines = {scored_answer(text): cosine for text, cosine in cosines.items()} | {scored_post(POST): 1.0}
        self.asked: list[list[str]] = []

    def embed(self, texts):
        self.asked.append(list(texts))
        return [[self._cosines[text], math.sqrt(1 - self._cosines[text] ** 2)] for text in texts]


def plain(answer: str, post: str = POST) -> score_reasons.ScoreReasons:
    return reasons(Scorer(ScriptedEngine(), reward_model()), post, answer)


def test_a_sentence_adds_what_the_score_loses_without_it():
    # Quantiles 0, 0.2, 0.4, 0.6, 0.8: a cosine of 0.1 is worth 12.5 points.
    engine = HandEngine(
        {ANSWER: 0.5, "乙说别的！\n丙收个尾。": 0.3, "甲先听着。\n丙收个尾。": 0.6, "甲先听着。乙说别的！": 0.5}
    )
    found = reasons(Scorer(engine, reward_model()), POST, ANSWER)
    assert found.score.percentile == pytest.approx(62.5)
    assert [ANSWER[part.start : part.end] for part in found.parts] == ["甲先听着。", "乙说别的！", "丙收个尾。"]
    assert [part.percentile for part in found.parts] == pytest.approx([25, -12.5, 0])
    assert [part.cosine for part in found.parts] == pytest.approx([0.2, -0.1, 0])


def test_one_call_reads_the_post_once_and_every_text_once():
    engine = HandEngine(
        {ANSWER: 0.5, "乙说别的！\n丙收个尾。": 0.3, "甲先听着。\n丙收个尾。": 0.6, "甲先听着。乙说别的！": 0.5}
    )
    reasons(Scorer(engine, reward_model()), POST, ANSWER)
    (texts,) = engine.asked
    assert len(texts) == len(set(texts)) == 5


def test_where_the_percentile_cannot_move_the_cosine_tells():
    engine = HandEngine(
        {ANSWER: 0.95, "乙说别的！\n丙收个尾。": 0.85, "甲先听着。\n丙收个尾。": 0.9, "甲先听着。乙说别的！": 0.95}
    )
    parts = reasons(Scorer(engine, reward_model()), POST, ANSWER).parts
    assert [part.percentile for part in parts] == [0, 0, 0]
    assert [part.cosine for part in parts] == pytest.approx([0.1, 0.05, 0])


@pytest.mark.parametrize("answer", ["", " \n", "只有一句。", "前一句。后一句。"])
def test_of_too_few_sentences_none_is_compared_and_that_is_said(answer):
    found = plain(answer)
    assert found.parts == ()
    assert "few_sentences" in found.flags
    assert found.score == Scorer(ScriptedEngine(), reward_model()).score([(POST, answer)])[0]


@pytest.mark.parametrize(("count", "parts"), [(3, 3), (MAX_PARTS, MAX_PARTS), (MAX_PARTS + 1, 21), (200, MAX_PARTS)])
def test_a_long_answer_is_explained_by_runs_that_cover_it(count, parts):
    answer = "".join(f"这是第{number}句。" for number in range(count))
    found = plain(answer).parts
    assert len(found) == parts
    assert "".join(answer[part.start : part.end] for part in found) == answer


def test_the_length_that_people_keep_to_is_not_flagged_and_others_are():
    shortest, longest = score_reasons.USUAL_CHARS
    answer = CHINESE * 60
    for length, flag in [(shortest - 1, "short"), (shortest, None), (longest, None), (longest + 1, "long")]:
        flags = set(plain(answer[:length]).flags) - {"few_sentences"}
        assert flags == ({flag} if flag else set()), length


def test_copying_beyond_what_people_do_is_flagged():
    post = "".join(map(chr, range(0x4E00, 0x4E64)))  # 100 different letters
    own = "".join(map(chr, range(0x5E00, 0x5F2C)))  # 300 others
    assert "echo" not in plain(post[:40] + own, post).flags
    copied = plain(post[:60] + own, post)
    assert "echo" in copied.flags
    assert copied.echo == pytest.approx(60 / 360)


def test_an_answer_in_another_language_is_not_measured_by_chinese_people():
    post = "I do not know what to do about the money that we owe. " * 8
    assert plain("I do not know.", post).flags == ("few_sentences", "not_chinese")
    assert plain(post * 4, post).flags == ("not_chinese",)


@pytest.mark.parametrize(
    ("answer", "post"),
    [
        ("我说你不懂事，你没回嘴。", "妈妈说我不懂事，我没回嘴"),
        ("abc", "abc"),
        ("", "x"),
        ("走走走走走", "走走走走"),
        (CHINESE, ""),
    ],
)
def test_echo_is_that_of_training(answer, post):
    assert echoed(answer, post) == metrics.echoed(answer, post)


def test_bounds_are_those_of_the_rewards_that_train():
    source = Path(metrics.__file__).parents[1].joinpath("rewards.py").read_text("utf-8")  # importing it takes torch
    values = {
        node.targets[0].id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(values["ECHO"])[1] == score_reasons.USUAL_ECHO
    assert ast.literal_eval(values["ANSWER_CHARS"]) == score_reasons.USUAL_CHARS
    assert metrics.ECHO_RUN_CHARS == score_reasons.ECHO_RUN_CHARS


def test_an_engine_that_crashes_is_told_as_such():
    class Crashed(ScriptedEngine):
        def embed(self, texts):
            raise DeskError("engine_crashed")

    with pytest.raises(DeskError, match="engine_crashed"):
        reasons(Scorer(Crashed(), reward_model()), POST, ANSWER)
