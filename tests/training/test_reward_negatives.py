"""Which answers stand against a post's own, and which rows share a batch."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import chain

import pytest

from training.negatives import ALIKE, ROLES, Negatives, Triplet, addressed, drawn_triplets, in_batches, seed_triplets
from training.pairs import Pair
from training.recipe import RewardRecipe

SAD = Pair("g1", "work", "辞职", "被领导骂了，我很难过", "难过是可以的")
SAD_TOO = Pair("g2", "work", "加班", "天天加班，我很难过", "加班太多了")
AFRAID = Pair("g3", "work", "面试", "明天要去面试，我很害怕", "害怕也能去")
AFRAID_AGAIN = Pair("g3", "work", "面试", "明天要去面试，我很害怕", "先深呼吸")
HOME = Pair("g4", "home", "婆婆", "婆婆要搬来，我很难过", "先和丈夫谈")
NEGATIVES = Negatives([SAD, SAD_TOO, AFRAID, AFRAID_AGAIN, HOME], ["加油"])


def drawn(kind: str, pair: Pair, negatives: Negatives = NEGATIVES) -> set[tuple[str, str]]:
    rng = random.Random(0)
    return {negatives.draw(kind, pair, rng) for _ in range(60)}


def test_an_irrelevant_answer_is_of_another_topic():
    assert drawn("irrelevant", SAD) == {("先和丈夫谈", "g4")}
    assert drawn("irrelevant", HOME) == {
        ("难过是可以的", "g1"),
        ("加班太多了", "g2"),
        ("害怕也能去", "g3"),
        ("先深呼吸", "g3"),
    }


def test_a_mismatched_answer_is_of_the_same_topic_where_no_emotion_is_shared():
    assert drawn("mismatched", SAD) == {("害怕也能去", "g3"), ("先深呼吸", "g3")}
    assert drawn("mismatched", AFRAID) == {("难过是可以的", "g1"), ("加班太多了", "g2")}


def test_where_no_post_can_lend_its_answer_the_negative_is_generic():
    assert drawn("mismatched", HOME) == {("加油", "")}
    assert drawn("irrelevant", SAD, Negatives([SAD, SAD_TOO], ["加油"])) == {("加油", "")}
    assert drawn("generic", SAD) == {("加油", "")}


def test_an_echo_is_the_post_with_its_title_or_without_and_half_of_them_said_back():
    assert drawn("echo", SAD) == {
        ("辞职\n被领导骂了，我很难过", ""),
        ("被领导骂了，我很难过", ""),
        ("辞职\n被领导骂了，你很难过", ""),
        ("被领导骂了，你很难过", ""),
    }
    assert addressed("我说我们") == "你说你们"


def test_another_kind_is_a_sentence():
    with pytest.raises(ValueError, match="rude is not a kind of negative; use irrelevant"):
        NEGATIVES.draw("rude", SAD, random.Random(0))


def settings(count: int, **shares: float) -> RewardRecipe:
    return RewardRecipe(loss="triplet", triplets=count, negatives=shares)


def test_triplets_go_round_all_pairs_and_name_the_posts_whose_answers_they_hold():
    rows = drawn_triplets(NEGATIVES, settings(60, irrelevant=0.5, generic=0.5), ROLES, 0)
    assert [row.positive for row in rows[:6]] == [
        "回信：难过是可以的",
        "回信：加班太多了",
        "回信：害怕也能去",
        "回信：先深呼吸",
        "回信：先和丈夫谈",
        "回信：难过是可以的",
    ]
    assert rows[0].anchor == "来信：辞职\n被领导骂了，我很难过"
    groups = {row.negative: row.groups for row in rows if row.anchor == rows[0].anchor}
    assert groups == {"回信：加油": {"g1"}, "回信：先和丈夫谈": {"g1", "g4"}}


def test_beside_the_others_of_a_batch_no_irrelevant_answer_is_drawn():
    contrastive = replace(settings(40, irrelevant=0.5, generic=0.5), loss="contrastive")
    rows = drawn_triplets(NEGATIVES, contrastive, ROLES, 0)
    assert {row.negative for row in rows} == {None, "回信：加油"}
    assert {tuple(row.texts) for row in rows} == {("anchor", "positive"), ("anchor", "positive", "negative")}
    assert all(len(row.groups) == 1 for row in rows)


def test_without_roles_a_copied_post_is_the_same_text():
    alike, marked = (drawn_triplets(NEGATIVES, settings(20, echo=1.0), marks, 0) for marks in (ALIKE, ROLES))
    assert any(row.negative == row.anchor for row in alike)
    assert not any(row.negative == row.anchor for row in marked)


def test_the_hand_written_triples_stand_below_their_chains_answer():
    rows = seed_triplets(ROLES)
    assert len(rows) >= 180 and len({row.anchor for row in rows}) * 3 == len(rows)
    assert all(row.anchor.startswith("来信：") and row.positive != row.negative for row in rows)


def row(number: int, length: int, *groups: str) -> Triplet:
    return Triplet(f"{number}", "答" * length, "", frozenset(groups))


def test_no_batch_holds_two_answers_to_one_post_and_no_row_is_lost():
    draw = random.Random(3)
    rows = [row(i, draw.randrange(200, 700), f"g{draw.randrange(40)}", f"g{draw.randrange(40)}") for i in range(500)]
    batches = in_batches(rows, 8, 0)
    assert sorted(chain(*batches)) == list(range(500))
    for batch in batches:
        posts = [post for number in batch for post in rows[number].groups]
        assert len(posts) == len(set(posts)) and len(batch) <= 8
    assert in_batches(rows, 8, 0) == batches != in_batches(rows, 8, 1)


def test_the_rows_of_a_batch_are_of_similar_length():
    draw = random.Random(3)
    rows = [row(i, draw.randrange(200, 700), f"g{i}") for i in range(512)]
    batches = in_batches(rows, 16, 0)
    assert all(len(batch) == 16 for batch in batches)
    padded = sum(16 * max(len(rows[i].positive) for i in batch) for batch in batches)
    assert padded < 1.1 * sum(len(row.positive) for row in rows)


def test_rows_of_one_post_alone_make_batches_of_one():
    assert sorted(in_batches([row(i, 9, "g") for i in range(3)], 8, 0)) == [[0], [1], [2]]
