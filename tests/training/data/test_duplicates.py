"""Families of near-duplicates, held against the exact Jaccard similarity of texts made for it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synthetic import post
from training.data.duplicates import RUN_CHARS, SIMILAR_ANSWERS, Families, distinct, families, runs, sketch


def letters(seed: int, count: int) -> str:
    return "".join(random.Random(seed).choices([chr(0x4E00 + n) for n in range(3000)], k=count))


def runs_of(text: str) -> set[str]:
    return {text[at : at + RUN_CHARS] for at in range(len(text) - RUN_CHARS + 1)}


def jaccard(one: str, other: str) -> float:
    """Exact, over runs as text."""
    return len(runs_of(one) & runs_of(other)) / len(runs_of(one) | runs_of(other))


def grouped(posts: list[tuple[str, str]]) -> set[frozenset[int]]:
    """The families as sets of positions."""
    heads = families(posts)
    return {frozenset(i for i, head in enumerate(heads) if head == one) for one in heads}


def test_a_text_has_a_run_for_each_place_where_one_can_begin_and_signs_do_not_count():
    assert len(runs("一二三四五六七", 5)) == 3
    assert (runs("一二，三四 五。\n六七", 5) == runs("一二三四五六七", 5)).all()
    assert len(runs("一二三四", 5)) == 0
    assert len({*runs("一二三四五六七", 5).tolist(), *runs("一二三四五六八", 5).tolist()}) == 4


def test_runs_are_the_same_wherever_they_stand():
    assert set(runs("甲乙丙丁戊己", 5)) & set(runs("零一甲乙丙丁戊二", 5)) == set(runs("甲乙丙丁戊", 5))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.8, 0.95])
def test_two_sketches_estimate_the_exact_similarity(kept):
    errors = []
    for seed in range(20):
        text = letters(seed, 500)
        cut = int(500 * kept)
        other = text[:cut] + letters(1000 + seed, 500 - cut)
        errors.append(sketch(text).jaccard(sketch(other)) - jaccard(text, other))
    # 64 permutations: a standard error of at most 0.5 / 8 each, a quarter of that in the mean of 20.
    assert max(map(abs, errors)) < 0.25
    assert abs(sum(errors) / len(errors)) < 0.045


def test_posts_far_above_the_threshold_are_one_family_and_posts_far_below_are_two():
    for seed in range(40):
        text, new = letters(seed, 400), letters(seed + 500, 400)
        alike, different = text[:385] + new[:15], text[:240] + new[:160]
        assert jaccard(text, alike) > 0.9 and jaccard(text, different) < 0.5
        assert families([("a", text), ("b", alike), ("c", different)]) == [0, 0, 2]


def test_what_hangs_together_through_a_third_post_is_one_family():
    text = letters(1, 1000)
    first, second, third, last = (text[at : at + 600] for at in (0, 50, 100, 150))
    assert jaccard(first, last) < 0.6 and jaccard(first, second) > 0.8
    assert grouped([("a", first), ("d", last)]) == {frozenset({0}), frozenset({1})}
    assert grouped([("a", first), ("d", last), ("b", second), ("c", third)]) == {frozenset({0, 1, 2, 3})}


def test_one_group_is_one_family_however_different_its_posts_are():
    texts = [letters(seed, 200) for seed in range(4)]
    assert families(zip("abab", texts, strict=True)) == [0, 1, 0, 1]
    # And a post alike to one of them brings its own group in.
    assert families(zip("abcc", [*texts[:3], texts[0]], strict=True)) == [0, 1, 0, 0]


def test_the_head_of_a_family_is_its_first_post_and_signs_make_no_difference():
    text = letters(9, 300)
    assert families([("x", letters(8, 300)), ("a", text), ("b", "，".join(text)), ("c", text)]) == [0, 1, 1, 1]


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(9)))
def test_families_do_not_depend_on_the_order_of_the_posts(order):
    texts = [letters(seed, 300) for seed in range(3)]
    posts = [
        (f"group-{number}", texts[number % 3][: 300 - number] + letters(50 + number, number)) for number in range(9)
    ]
    mixed = grouped([posts[number] for number in order])
    assert {frozenset(order[at] for at in family) for family in mixed} == {
        frozenset({0, 3, 6}),
        frozenset({1, 4, 7}),
        frozenset({2, 5, 8}),
    }


def test_the_posts_of_the_synthetic_sets_are_no_duplicates():
    assert families((str(number), post(number)) for number in range(200)) == list(range(200))


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_joining_items_is_the_reachability_of_a_graph(count, edges):
    joined = Families()
    for number in range(count):
        assert joined.add() == number
    reached = {number: {number} for number in range(count)}
    for one, other in ((one % count, other % count) for one, other in edges):
        joined.join(one, other)
        together = reached[one] | reached[other]
        reached |= dict.fromkeys(together, together)
    assert len(joined) == count
    assert [joined.head(number) for number in range(count)] == [min(reached[number]) for number in range(count)]


def test_answers_that_resemble_an_earlier_one_are_dropped_and_order_stays():
    one, two = letters(1, 200), letters(2, 200)
    # The exact similarity decides here: 146 shared runs of 246 lie just under 0.6, 148 of 244 just above.
    below, above = one[:150] + letters(3, 50), one[:152] + letters(3, 48)
    assert jaccard(one, below) < SIMILAR_ANSWERS <= jaccard(one, above)
    assert distinct([two, one, above, two, below]) == [two, one, below]
    # What an answer repeats counts once.
    assert distinct([one, two * 3, one + one]) == [one, two * 3]


def test_short_answers_count_as_alike_only_when_they_are_equal():
    assert distinct(["嗯", "好", "嗯"]) == ["嗯", "好"]
    assert distinct([]) == []
