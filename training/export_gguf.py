"""GGUF of the run's policy and reward encoder: written with `gguf`, quantized by llama.cpp, checked against PyTorch.

No released package converts a Qwen3 checkpoint with a vocabulary of its own, so the tensor and metadata names are
spelled here; `training.conformance` proves the result.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file

from training.conformance import check_encoder, check_policy
from training.model_card import write_cards
from training.recipe import Recipe
from training.tokenizer import CHAT_TEMPLATE

FILE_TYPES = {
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}


def _write_hyperparameters(writer: gguf.GGUFWriter, config: dict, context_tokens: int) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict, add_eos: bool) -> None:
    tokens = dict(tokenizer["model"]["vocab"])
    types = dict.fromkeys(tokens, gguf.TokenType.NORMAL)
    for added in tokenizer["added_tokens"]:
        tokens[added["content"]] = added["id"]
        types[added["content"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    ordered = sorted(tokens, key=lambda token: tokens[token])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(ordered)
    writer.add_token_types([types[token] for token in ordered])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    # llama.cpp falls back to token 11 for a missing beginning token, so it is named although never added.
    writer.add_bos_token_id(tokens["<|endoftext|>"])
    writer.add_eos_token_id(tokens["<|im_end|>"])
    writer.add_pad_token_id(tokens["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(add_eos)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_f16(model: Path, out: Path, name: str, encoder_tokens: int | None = None) -> None:
    """Write a Qwen3 checkpoint with its tokenizer as an f16 GGUF; vectors stay f32.

    Args:
        model: folder with config.json, model.safetensors and tokenizer.json.
        out: the file to write.
        name: the model's name in the file.
        encoder_tokens: for a reward encoder, the most tokens it was trained to read; adds last-token pooling and makes
            tokenization end in the end token.
    """
    config = json.loads((model / "config.json").read_text("utf-8"))
    writer = gguf.GGUFWriter(out, "qwen3")
    writer.add_name(name)
    _write_hyperparameters(writer, config, encoder_tokens or config["max_position_embeddings"])
    if encoder_tokens:
        writer.add_pooling_type(gguf.PoolingType.LAST)
    tokenizer = json.loads((model / "tokenizer.json").read_text("utf-8"))
    _write_tokenizer(writer, tokenizer, add_eos=encoder_tokens is not None)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config["num_hidden_layers"])
    for tensor_name, tensor in load_file(model / "model.safetensors").items():
        if tensor_name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        mapped = names.get_name(tensor_name, try_suffixes=(".weight",))
        if mapped is None:
            raise ValueError(f"{model.name}: tensor {tensor_name} is not of the Qwen3 layout; give a Qwen3 model.")
        writer.add_tensor(mapped, tensor.astype(np.float32 if tensor.ndim == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: Path, out: Path, file_type: str) -> None:
    """Write `source` again in another file type.

    Raises:
        RuntimeError: if llama.cpp refuses.
    """
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = FILE_TYPES[file_type]
    if llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(settings)):
        raise RuntimeError(f"llama.cpp could not write {out.name} as {file_type}; run it alone to see its message.")


def export(recipe: Recipe, run: Path, cards: Path) -> None:
    """Export policy and reward encoder of a run, check every file, and write the two model folders into `cards`."""
    out = run / "export"
    out.mkdir(exist_ok=True)
    stages = {"policy": run / "grpo" / "model", "reward": run / "reward" / "model"}
    checks: dict[str, dict[str, dict]] = {}
    for role, model in stages.items():
        base = out / f"{role}-F16.gguf"
        write_f16(model, base, f"{recipe.name}-{role}", recipe.reward.length if role == "reward" else None)
        checks[role] = {}
        for file_type in recipe.export.quantizations:
            path = out / f"{role}-{file_type}.gguf"
            if path != base:
                quantize(base, path, file_type)
            check = check_policy if role == "policy" else check_encoder
            checks[role][file_type] = check(model, path)
    (out / "conformance.json").write_text(json.dumps(checks, indent=1), "utf-8")
    write_cards(recipe, run, cards, checks)
