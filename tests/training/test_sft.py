"""SFT: how many of which chains it learns from, where it starts, and what it leaves with and without an adapter."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.chain import SECTIONS, messages, neutral, prompt_pieces
from tests.tiny_qwen import write_qwen
from training.checkpoint import load_tokenizer
from training.data.seed_chains import read_seed_chains
from training.pairs import Pair
from training.recipe import RecipeError, SftRecipe
from training.recipe_file import load_recipe
from training.sft import approved_chains, conversation, examples, sft

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


def test_long_chains_share_batches_with_long_ones_and_these_do_not_stand_in_order(tokenizer):
    pairs = [
        dataclasses.replace(PAIRS[0], group=f"g{number}", answer="读到你的焦虑。" * (1 + 40 * (number % 4)))
        for number in range(64)
    ]
    rows = examples(SftRecipe(examples=64, seed_chains=0, batch=4, length=10_000), 1, tokenizer, pairs, [])
    lengths = [len(row["messages"][-1]["content"]) for row in rows]
    batches = [lengths[start : start + 4] for start in range(0, 64, 4)]
    assert all(max(batch) - min(batch) < 100 for batch in batches)
    assert batches != sorted(batches)


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


def test_approved_chains_are_shown_once_each(tokenizer, tmp_path):
    lines = [json.dumps(conversation(chain.post, chain.response), ensure_ascii=False) for chain in CHAINS]
    file = tmp_path / "approved.jsonl"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    approved = approved_chains(file)
    assert approved == [conversation(chain.post, chain.response) for chain in CHAINS]
    rows = examples(dataclasses.replace(ROOMY, examples=0, seed_chains=0), 1, tokenizer, [], [], approved)
    assert sorted(map(str, rows)) == sorted(map(str, approved))


@pytest.mark.parametrize("line", ["{", "{}", '{"messages": [{"role": "user", "content": "a"}]}', '{"messages": 3}'])
def test_a_line_that_is_no_approved_chain_is_named(tmp_path, line):
    file = tmp_path / "approved.jsonl"
    file.write_text(json.dumps(conversation(CHAINS[0].post, CHAINS[0].response)) + "\n" + line + "\n", "utf-8")
    with pytest.raises(RecipeError, match=r"approved.jsonl:2: not a conversation .*launch.py export sft"):
        approved_chains(file)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory) -> Path:
    texts = [chain.post + chain.response.answer for chain in CHAINS]
    return write_qwen(tmp_path_factory.mktemp("qwen"), texts, torch.float32)


def test_a_checkpoint_is_prompted_as_the_desk_prompts_and_never_asked_to_think(qwen):
    tokenizer = load_tokenizer(qwen)
    post = CHAINS[0].post
    prompt = tokenizer.apply_chat_template(messages(post), add_generation_prompt=True, tokenize=False)
    assert prompt == "".join(piece.text for piece in prompt_pieces(post)) and "<think>" not in prompt
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")


def test_a_vocabulary_without_the_control_tokens_is_refused(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(write_qwen(tmp_path, []))
    file = json.loads((tmp_path / "tokenizer.json").read_text("utf-8").replace("<|im_start|>", "<|other|>"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(file), "utf-8")
    assert tokenizer.eos_token == "<|endoftext|>"
    with pytest.raises(RecipeError, match=r"lacks <\|im_start\|>; give a Qwen3 checkpoint"):
        load_tokenizer(tmp_path)


def recipe_from(checkpoint: Path, *overrides: str):
    started = [f"model.checkpoint={checkpoint}", "sft.examples=0", "sft.seed_chains=0", "sft.length=4096"]
    return load_recipe(Path("training/recipes/smoke.yaml"), [*started, *overrides])


@pytest.fixture
def approved(tmp_path) -> str:
    lines = [json.dumps(conversation(chain.post, chain.response), ensure_ascii=False) for chain in CHAINS]
    file = tmp_path / "approved.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    return f"sft.approved={file}"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own
def test_what_sft_saves_is_the_adapter_and_the_same_model_merged(qwen, tmp_path, approved):
    sft(recipe_from(qwen, approved, "adapter.rank=4", "sft.batch=1", "sft.learning_rate=0.01"), tmp_path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "sft" / "model")
    base = AutoModelForCausalLM.from_pretrained(qwen)
    ids = torch.arange(40).view(1, -1)
    with torch.no_grad():
        untrained = base(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(base, tmp_path / "sft" / "adapter")(input_ids=ids).logits
        assert torch.allclose(merged(input_ids=ids).logits, adapted, atol=1e-4)
    assert not torch.allclose(untrained, adapted, atol=1e-2), "the adapter learned nothing"
    end = load_tokenizer(tmp_path / "sft" / "model").eos_token_id
    assert merged.config.eos_token_id == merged.generation_config.eos_token_id == end


def test_no_chain_that_fits_is_a_sentence(qwen, tmp_path, approved):
    with pytest.raises(RecipeError, match="No chain fits into sft.length 10"):
        sft(recipe_from(qwen, approved, "sft.length=10"), tmp_path)
