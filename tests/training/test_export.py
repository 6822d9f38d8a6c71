"""Any Qwen3 checkpoint becomes a GGUF that computes the same, and what is none is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models
from tokenizers.normalizers import NFC
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from training.conversion.conformance import POSTS, check_encoder, check_policy
from training.conversion.drafting import Drafter
from training.conversion.gguf_file import broken_rows, quantize, tensor_types, write_f16
from training.conversion.weights import parameters, tensors
from training.export_gguf import trained_policy, whole_policy
from training.recipe import EvaluateRecipe, RecipeError
from training.recipe_file import load_recipe
from training.reward import load_encoder

SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 96,
    "max_position_embeddings": 2048,
    "initializer_range": 0.2,
}
"""Heads that do not add up to the hidden size, as in Qwen3-0.6B."""


def checkpoint(
    folder: Path, tokenizer: PreTrainedTokenizerFast, dtype=torch.float32, shards: str = "1GB", **more
) -> Path:
    """A random Qwen3 model with the tokenizer, as a released one lies in its folder."""
    torch.manual_seed(3)
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": None, "pad_token_id": tokenizer.pad_token_id}
    config = Qwen3Config(**{"vocab_size": len(tokenizer), "tie_word_embeddings": True, **SHAPE, **ends, **more})
    model = Qwen3ForCausalLM(config).to(dtype)
    model.save_pretrained(folder, max_shard_size=shards)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def released(tokenizer, tmp_path_factory) -> PreTrainedTokenizerFast:
    """A tokenizer with the habits of Qwen3's: NFC, no beginning token, `<think>` added but not special."""
    core = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    core.normalizer = NFC()
    core.add_tokens([AddedToken("<think>", normalized=False, special=False)])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def fields(path: Path) -> dict:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


VARIANTS = {
    "tied": {},
    "untied": {"tie_word_embeddings": False},
    "sharded": {"tie_word_embeddings": False, "shards": "100KB"},
    "bfloat16": {"dtype": torch.bfloat16},
    "padded": {"vocab_size": 640},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_computes_what_the_checkpoint_does(variant, released, tmp_path):
    model = checkpoint(tmp_path / "model", released, **VARIANTS[variant])
    assert (model / "model.safetensors.index.json").is_file() == (variant == "sharded")
    write_f16(model, tmp_path / "f16.gguf", "random")
    report = check_policy(model, tmp_path / "f16.gguf")
    assert report["token_ids_equal"] == 1.0
    assert report["top1_agreement"] > 0.99
    assert report["max_logit_difference"] < 0.05
    names = {tensor.name for tensor in gguf.GGUFReader(tmp_path / "f16.gguf").tensors}
    assert ("output.weight" in names) == (variant in ("untied", "sharded"))


def test_special_tokens_come_from_the_checkpoint(released, tmp_path):
    model = checkpoint(tmp_path / "model", released, vocab_size=640)
    generation = json.loads((model / "generation_config.json").read_text())
    ids = {token: released.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>", "<think>")}
    both = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    (model / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": both}))
    write_f16(model, tmp_path / "f16.gguf", "random")
    written = fields(tmp_path / "f16.gguf")
    assert written["tokenizer.ggml.eos_token_id"] == ids["<|im_end|>"]
    assert written["tokenizer.ggml.eot_token_id"] == ids["<|endoftext|>"]
    assert written["tokenizer.ggml.padding_token_id"] == written["tokenizer.ggml.bos_token_id"] == ids["<|endoftext|>"]
    assert not written["tokenizer.ggml.add_bos_token"] and not written["tokenizer.ggml.add_eos_token"]
    kinds = written["tokenizer.ggml.token_type"]
    assert kinds[ids["<think>"]] == gguf.TokenType.USER_DEFINED
    assert kinds[ids["<|im_end|>"]] == gguf.TokenType.CONTROL
    assert len(kinds) == 640 and kinds[639] == gguf.TokenType.UNUSED
    assert written["tokenizer.ggml.tokens"][639] == "[PAD639]"


def test_an_encoder_ends_every_text_as_its_tokenizer_does(released, tmp_path):
    body = checkpoint(tmp_path / "body", released)
    encoder = load_encoder(body, 256)
    encoder.save(str(tmp_path / "reward"), create_model_card=False)
    write_f16(tmp_path / "reward", tmp_path / "f16.gguf", "random", encoder_tokens=256)
    report = check_encoder(tmp_path / "reward", tmp_path / "f16.gguf")
    assert report["token_ids_equal"] == 1.0 and report["min_cosine"] > 0.9999
    written = fields(tmp_path / "f16.gguf")
    assert written["tokenizer.ggml.add_eos_token"] and written["qwen3.context_length"] == 256
    assert "tokenizer.chat_template" not in written


def test_merges_spelled_as_one_string_are_read_too(released, tmp_path):
    model = checkpoint(tmp_path / "model", released)
    write_f16(model, tmp_path / "pairs.gguf", "random")
    file = json.loads((model / "tokenizer.json").read_text("utf-8"))
    file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]
    (model / "tokenizer.json").write_text(json.dumps(file), "utf-8")
    write_f16(model, tmp_path / "strings.gguf", "random")
    merges = [fields(tmp_path / name)["tokenizer.ggml.merges"] for name in ("pairs.gguf", "strings.gguf")]
    assert merges[0] == merges[1] and " " in merges[0][0]


def test_a_value_beyond_f16_stays_what_it_is(released, tmp_path):
    model = checkpoint(tmp_path / "model", released, dtype=torch.bfloat16)
    weights = load_file(model / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][3, 5] = 131072.0
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    write_f16(model, tmp_path / "f16.gguf", "random")
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "f16.gguf").tensors}
    assert found["blk.0.ffn_up.weight"].tensor_type == gguf.GGMLQuantizationType.F32
    assert found["blk.0.ffn_up.weight"].data[3, 5] == 131072.0
    assert all(np.isfinite(tensor.data).all() for tensor in found.values())


def test_rows_that_k_quants_cannot_cut_are_counted(released, tmp_path):
    """Of 64-wide rows none fits a block of 256: the file is larger than its name says, and the report tells."""
    model = checkpoint(tmp_path / "model", released)
    write_f16(model, tmp_path / "f16.gguf", "random")
    quantize(tmp_path / "f16.gguf", tmp_path / "q4.gguf", "Q4_K_M")
    assert broken_rows(tmp_path / "q4.gguf") == 1 + 2 * 7
    types = tensor_types(tmp_path / "q4.gguf")
    assert "Q4_K" not in types and types["Q5_0"] > 0 and types["F32"] == 1 + 2 * 4


def test_whole_blocks_become_the_type_that_was_asked_for(released, tmp_path):
    whole = {"hidden_size": 256, "num_attention_heads": 8, "intermediate_size": 256, "num_hidden_layers": 1}
    model = checkpoint(tmp_path / "model", released, **whole)
    write_f16(model, tmp_path / "f16.gguf", "random")
    for name, held in {"Q4_K_M": "Q4_K", "Q5_K_M": "Q5_K", "Q8_0": "Q8_0"}.items():
        quantize(tmp_path / "f16.gguf", tmp_path / f"{name}.gguf", name)
        assert broken_rows(tmp_path / f"{name}.gguf") == 0
        assert tensor_types(tmp_path / f"{name}.gguf")[held] > 0


def test_parameters_are_those_of_the_tensors(released, tmp_path):
    model = checkpoint(tmp_path / "model", released, tie_word_embeddings=False, shards="100KB")
    expected = sum(value.numel() for value in Qwen3ForCausalLM.from_pretrained(model).parameters())
    assert parameters(model) == expected == sum(tensor.numel() for _, tensor in tensors(model))
    tied = checkpoint(tmp_path / "tied", released)
    assert parameters(tied) == expected - len(released) * SHAPE["hidden_size"]


def test_a_file_drafts_the_same_again_for_a_seed(released, tmp_path):
    model = checkpoint(tmp_path / "model", released)
    write_f16(model, tmp_path / "f16.gguf", "random")
    settings = EvaluateRecipe(max_prompt_tokens=1500, max_completion_tokens=12)
    with Drafter(tmp_path / "f16.gguf", settings) as drafter:
        first, again, other = (drafter.draft(POSTS[0], seed) for seed in (1, 1, 2))
        assert first.text == again.text != other.text
        assert first.decode_tokens == 12 and not first.ended and not first.readable
        assert first.prompt_tokens == len(drafter.prompt_ids(POSTS[0]))
        forged = drafter.prompt_ids("<|im_end|>")
        assert forged.count(released.eos_token_id) == drafter.prompt_ids("").count(released.eos_token_id)
    with (
        Drafter(tmp_path / "f16.gguf", EvaluateRecipe(max_prompt_tokens=20)) as drafter,
        pytest.raises(ValueError, match=r"raise it\.$"),
    ):
        drafter.draft(POSTS[0], 1)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # from inside peft
def test_the_policy_is_the_last_stage_s_merged_or_not(released, tmp_path):
    with pytest.raises(RecipeError, match="run the stage sft or grpo first"):
        trained_policy(tmp_path)
    base = checkpoint(tmp_path / "sft" / "model", released)
    assert trained_policy(tmp_path) == base
    adapted = get_peft_model(Qwen3ForCausalLM.from_pretrained(base), LoraConfig(r=2, task_type="CAUSAL_LM"))
    adapter = tmp_path / "grpo" / "adapter"
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.fill_(0.05)
    adapted.save_pretrained(adapter)
    released.save_pretrained(adapter)
    assert trained_policy(tmp_path) == adapter
    with whole_policy(tmp_path) as merged:
        write_f16(merged, tmp_path / "merged.gguf", "random")
        assert check_policy(merged, tmp_path / "merged.gguf")["max_logit_difference"] < 0.05
    assert check_policy(base, tmp_path / "merged.gguf")["max_logit_difference"] > 0.1
    assert adapter.is_dir() and not merged.exists()
    checkpoint(tmp_path / "grpo" / "model", released)
    assert trained_policy(tmp_path) == tmp_path / "grpo" / "model"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "llama"}, "its architecture is llama"),
        ({"use_sliding_window": True}, "sliding window"),
        ({"vocab_size": 100}, "100 rows of embeddings"),
    ],
)
def test_what_cannot_be_written_is_refused(change, says, released, tmp_path):
    model = checkpoint(tmp_path / "model", released)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(RecipeError, match=says):
        write_f16(model, tmp_path / "f16.gguf", "random")


def test_a_tensor_of_another_layout_is_refused(released, tmp_path):
    model = checkpoint(tmp_path / "model", released, attention_bias=True)
    with pytest.raises(RecipeError, match=r"tensor model\.layers\.0\.self_attn\.\w+\.bias"):
        write_f16(model, tmp_path / "f16.gguf", "random")


def test_a_tokenizer_of_another_kind_is_refused(released, tmp_path):
    model = checkpoint(tmp_path / "model", released)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(model / "tokenizer.json"))
    with pytest.raises(RecipeError, match="not a byte-level BPE"):
        write_f16(model, tmp_path / "f16.gguf", "random")


def test_an_unknown_quantization_is_refused_by_the_recipe():
    with pytest.raises(RecipeError, match="Q3_X; known are F16, Q8_0, Q5_K_M, Q4_K_M"):
        load_recipe(Path("training/recipes/smoke.yaml"), ["export.quantizations=[Q3_X]"])
