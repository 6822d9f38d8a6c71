"""Any Qwen3 checkpoint as a GGUF, written with `gguf`, and that file in smaller types, written by llama.cpp.

No released package converts a Qwen3 checkpoint with a vocabulary of its own, so the tensor and metadata names are
spelled here; `training.conversion.conformance` proves the result.
"""

from __future__ import annotations

import ctypes
import json
import logging
from collections import Counter
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedConfig, PreTrainedTokenizerFast

from training.conversion.weights import tensors
from training.recipe import QUANTIZATIONS, RecipeError

# Quantizing tells of every tensor.
logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)

FILE_TYPES = {name: getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}") for name in QUANTIZATIONS}
F16_MAX = float(np.finfo(np.float16).max)
K_BLOCK = 256
"""Values in a block of a K-quant; a row must hold whole blocks."""


def _check_architecture(model: Path, config: PreTrainedConfig) -> None:
    if config.model_type != "qwen3":
        raise RecipeError(f"{model}: its architecture is {config.model_type}; give a Qwen3 model.")
    if config.rope_parameters["rope_type"] != "default" or config.use_sliding_window:
        raise RecipeError(
            f"{model}: stretched positions or a sliding window are not written; take them out of its config."
        )


def _write_hyperparameters(writer: gguf.GGUFWriter, config: PreTrainedConfig, context_tokens: int) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def _ends(model: Path, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The tokens that end a text, the likeliest first: the generation config's, else the tokenizer's own."""
    named = None
    if (model / "generation_config.json").is_file():
        named = GenerationConfig.from_pretrained(model).eos_token_id
    named = tokenizer.eos_token_id if named is None else named
    return named if isinstance(named, list) else [named]


def _appended(file: dict) -> str | None:
    """The token that the tokenizer itself puts behind every text, if it does; a reward encoder's pools there."""
    steps = [file["post_processor"] or {}]
    steps += steps[0].get("processors", [])
    last = [step["single"][-1] for step in steps if step.get("type") == "TemplateProcessing"]
    return next((piece["SpecialToken"]["id"] for piece in last if "SpecialToken" in piece), None)


def _write_tokenizer(writer: gguf.GGUFWriter, model: Path, rows: int) -> None:
    """Write the vocabulary, one token a row of the embedding."""
    file = json.loads((model / "tokenizer.json").read_text("utf-8"))
    if file["model"]["type"] != "BPE" or "ByteLevel" not in json.dumps(file["pre_tokenizer"]):
        raise RecipeError(f"{model}: its tokenizer is not a byte-level BPE; give a Qwen3 model.")
    tokens = {token_id: (token, gguf.TokenType.NORMAL) for token, token_id in file["model"]["vocab"].items()}
    for added in file["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]] = (added["content"], kind)
    if max(tokens) >= rows:
        raise RecipeError(f"{model}: {max(tokens) + 1} tokens but {rows} rows of embeddings; resize the embeddings.")
    # Released checkpoints round their embeddings up; llama.cpp wants a token for each row.
    listed = [tokens.get(row, (f"[PAD{row}]", gguf.TokenType.UNUSED)) for row in range(rows)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in listed])
    writer.add_token_types([kind for _, kind in listed])
    merges = file["model"]["merges"]  # older files spell a merge as one string
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])

    tokenizer = AutoTokenizer.from_pretrained(model)
    appended = _appended(file)
    ends = [tokenizer.convert_tokens_to_ids(appended)] if appended else _ends(model, tokenizer)
    writer.add_eos_token_id(ends[0])
    if len(ends) > 1:
        writer.add_eot_token_id(ends[1])
    pad = ends[-1] if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    writer.add_pad_token_id(pad)
    # llama.cpp falls back to token 11 for a missing beginning token, so one is named although none is ever added.
    writer.add_bos_token_id(pad if tokenizer.bos_token_id is None else tokenizer.bos_token_id)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(appended is not None)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def write_f16(model: Path, out: Path, name: str, encoder_tokens: int | None = None) -> None:
    """Write a Qwen3 checkpoint with its tokenizer as an f16 GGUF, holding one tensor at a time in memory.

    Vectors stay f32, and so does a matrix with a value beyond f16, which bfloat16 checkpoints may hold.

    Args:
        model: folder with config.json, safetensors (also in several files) and tokenizer.json.
        out: the file to write.
        name: the model's name in the file.
        encoder_tokens: for a reward encoder, the most tokens it was trained to read; adds last-token pooling.

    Raises:
        RecipeError: if the folder holds no Qwen3 model, or one with tensors or a tokenizer of another kind.
    """
    config = AutoConfig.from_pretrained(model)
    _check_architecture(model, config)
    writer = gguf.GGUFWriter(out, "qwen3")
    writer.add_name(name)
    _write_hyperparameters(writer, config, encoder_tokens or config.max_position_embeddings)
    if encoder_tokens:
        writer.add_pooling_type(gguf.PoolingType.LAST)
    _write_tokenizer(writer, model, config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    types: dict[str, type[np.floating]] = {}
    for tensor_name, tensor in tensors(model):
        mapped = names.get_name(tensor_name, try_suffixes=(".weight",))
        if mapped is None:
            raise RecipeError(f"{model}: tensor {tensor_name} is not of the Qwen3 layout; give a Qwen3 model.")
        kept = tensor.ndim == 1 or tensor.abs().max() > F16_MAX
        types[tensor_name] = np.float32 if kept else np.float16
        size = tensor.numel() * np.dtype(types[tensor_name]).itemsize
        writer.add_tensor_info(mapped, tensor.shape, np.dtype(types[tensor_name]), size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor_name, tensor in tensors(model):
        writer.write_tensor_data(tensor.float().numpy().astype(types[tensor_name]))
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


def tensor_types(path: Path) -> dict[str, int]:
    """How many tensors of each type a GGUF holds."""
    return dict(Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors))


def broken_rows(path: Path) -> int:
    """How many matrices of a GGUF have rows that K-quants cannot cut into blocks, and so got a larger type."""
    matrices = [tensor for tensor in gguf.GGUFReader(path).tensors if len(tensor.shape) > 1]
    return sum(int(tensor.shape[0]) % K_BLOCK != 0 for tensor in matrices)
