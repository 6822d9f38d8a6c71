"""What SFT learns from: how many of which chains, and none that is too long."""

from __future__ import annotations

import dataclasses

import pytest

from app.chain import SECTIONS, neutral
from training.data.seed_chains import read_seed_chains
from training.pairs import Pair
from training.recipe import SftRecipe
from training.sft import conversation, examples

CHAINS = [chain for chain in read_seed_chains() if chain.language == "zh"][:3]
PAIRS = [
    Pair(f"g{number}", "exams", "考砸了怎么办？", f"我很焦虑，第 {number} 次没考好。", "读到你的焦虑。" * number)
    for number in range(1, 7)
]
ROOMY = SftRecipe(examples=4, seed_chains=2, length=10_000)


def test_hand_written_chains_are_shown_as_often_as_the_recipe_says(tokenizer):
    rows = examples(ROOMY, 1, tokenizer, PAIRS, CHAINS)
    assert len(rows) == 4 + 2 * 3
    for chain in CHAINS:
        assert rows.count(conversation(chain.post, chain.response)) == 2


def test_without_hand_written_chains_only_rules_speak(tokenizer):
    rows = examples(dataclasses.replace(ROOMY, seed_chains=0), 1, tokenizer, PAIRS, CHAINS)
    assert len(rows) == 4
    assert all("写信人感到焦虑" in row["messages"][-1]["content"] for row in rows)


def test_what_is_too_long_is_left_out_whole(tokenizer):
    lengths = sorted(
        len(tokenizer.apply_chat_template(row["messages"])["input_ids"])
        for row in examples(dataclasses.replace(ROOMY, examples=6), 1, tokenizer, PAIRS, [])
    )
    limit = lengths[2]
    rows = examples(dataclasses.replace(ROOMY, examples=6, length=limit), 1, tokenizer, PAIRS, CHAINS)
    assert len(rows) == sum(length <= limit for length in lengths)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_an_example_holds_the_post_and_every_section(chain):
    system, user, reply = conversation(chain.post, chain.response)["messages"]
    assert user == {"role": "user", "content": neutral(chain.post)}
    assert reply["role"] == "assistant" and system["role"] == "system"
    assert all(chain.response.parts()[name] in reply["content"] for name in SECTIONS)
