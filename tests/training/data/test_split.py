"""Who is in which split, and the proof that the splits share no text, in numbers made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.records import Record, split_of
from training.data.split import MAX_SHARED, SeenRuns, split_of_family, without_leaks

CHARS = [chr(0x4E00 + number) for number in range(4000)]


def text(begin: int, count: int) -> str:
    """`count` characters that stand nowhere else but in a text of the same place."""
    return "".join(CHARS[begin : begin + count])


def record(description: str, group: str = "g") -> Record:
    return Record("题目", description, "", "", ("答",), "own", "", group)


def test_a_group_has_the_same_split_on_every_machine():
    # The first four bytes of their SHA-256 leave 46, 5, 4, 6, 0 and 2 when divided by 100.
    named_by_hand = ["group-0", "group-11", "group-8", "group-169", "group-2", "group-16"]
    assert [split_of(group) for group in named_by_hand] == ["train", "valid", "valid", "train", "test", "test"]


def test_94_in_100_groups_are_train_and_3_each_valid_and_test():
    found = [split_of(f"group-{number}") for number in range(20_000)]
    # Four standard deviations of a count of 3 % of 20,000 are 97.
    assert found.count("valid") == pytest.approx(600, abs=97)
    assert found.count("test") == pytest.approx(600, abs=97)


@given(st.lists(st.sampled_from(["group-0", "group-1", "group-8", "group-11", "group-2", "group-16"]), min_size=1))
def test_a_family_is_held_out_only_if_all_its_groups_are(groups):
    splits = {split_of(group) for group in groups}
    assert split_of_family(groups) == ("train" if "train" in splits else "valid" if "valid" in splits else "test")


@pytest.mark.parametrize(
    ("post", "share"),
    [
        (text(0, 100), 1.0),
        (text(40, 13), 1.0),
        (text(40, 12), 0.0),  # no run of 13 in it
        (text(500, 100), 0.0),
        # 62 characters have 50 runs; of them the first 22 characters, which training holds, have 10.
        (text(10, 22) + text(600, 40), 0.2),
        (text(10, 12) + text(600, 40), 0.0),
        (f"{text(0, 20)}，\n{text(20, 20)}。", 1.0),
        ("", 0.0),
    ],
)
def test_a_post_shares_the_part_of_its_runs_that_training_holds(post, share):
    assert SeenRuns([text(0, 100)]).share(post) == share


def test_a_run_that_a_post_repeats_counts_once():
    # 13 + 13 + 10 characters: the run of training stands twice in 24 places, 23 of which differ.
    assert SeenRuns([text(0, 13)]).share(text(0, 13) + text(700, 10) + text(0, 13)) == pytest.approx(1 / 23)


def test_nothing_was_seen_where_there_is_no_training_post():
    assert SeenRuns([]).share(text(0, 50)) == 0.0


def test_a_copied_post_is_dropped_and_the_rest_is_measured():
    train = [record(text(0, 100), "a"), record(text(100, 100), "b")]
    copied = record(text(100, 100), "c")
    a_fifth = record(text(10, 22) + text(600, 40), "d")  # 10 of 50 runs: as much as may be
    above = record(text(10, 23) + text(600, 39), "e")  # 11 of 50
    fresh = record(text(800, 112), "f")
    kept, leakage = without_leaks({"train": train, "valid": [copied, a_fifth], "test": [above, fresh]})
    assert MAX_SHARED == 0.2
    assert kept == {"train": train, "valid": [a_fifth], "test": [fresh]}
    assert (leakage.run_chars, leakage.held_out, leakage.dropped) == (13, 2, 2)
    assert (leakage.with_any_shared_run, leakage.mean_share, leakage.max_share) == (1, 0.1, 0.2)
    assert leakage.groups_in_two_splits == 0


def test_groups_in_two_splits_are_counted():
    _, leakage = without_leaks(
        {
            "train": [record(text(0, 50), "a"), record(text(50, 50), "b")],
            "valid": [record(text(100, 50), "a"), record(text(150, 50), "c")],
            "test": [record(text(200, 50), "c"), record(text(250, 50), "d")],
        }
    )
    assert leakage.groups_in_two_splits == 2


def test_without_held_out_posts_all_numbers_are_zero():
    _, leakage = without_leaks({"train": [record(text(0, 50))], "valid": [], "test": []})
    assert (leakage.held_out, leakage.dropped, leakage.mean_share, leakage.max_share) == (0, 0, 0.0, 0.0)
