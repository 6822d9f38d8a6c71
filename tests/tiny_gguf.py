"""Tiny random qwen3 models as GGUF files: real inputs for the engine that need no training and no download.

Random weights write random bytes, invalid UTF-8 and tags among them: the hardest case for the code around them.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from app.chain import TAGS

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGED_WORDS = ("的", "我", "你", "了", "。", "，", "。<", "L1", "em")


def byte_letters() -> dict[int, str]:
    """The visible letter by which a byte-level vocabulary spells each byte (the GPT-2 table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + offset) for offset, byte in enumerate(others)}


def vocabulary() -> tuple[list[str], list[gguf.TokenType], list[str]]:
    """Tokens, their types, and merges: 256 bytes, a few words, ChatML, and the tags of the format as single tokens."""
    letters = byte_letters()
    tokens = [letters[byte] for byte in range(256)]
    merges = []
    for word in MERGED_WORDS:
        spelled = [letters[byte] for byte in word.encode()]
        while len(spelled) > 1:
            if spelled[0] + spelled[1] not in tokens:
                tokens.append(spelled[0] + spelled[1])
                merges.append(f"{spelled[0]} {spelled[1]}")
            spelled[:2] = [spelled[0] + spelled[1]]
    types = [gguf.TokenType.NORMAL] * len(tokens)
    types += [gguf.TokenType.CONTROL] * len(CONTROL_TOKENS) + [gguf.TokenType.USER_DEFINED] * len(TAGS)
    return [*tokens, *CONTROL_TOKENS, *TAGS], types, merges


def write_model(
    path: Path, *, reward: bool = False, seed: int = 0, hidden: int = 256, layers: int = 2, context_tokens: int = 4096
) -> Path:
    """Write a random model with f32 weights: a policy, or a reward encoder that pools the last token of text + EOS."""
    heads, head_size = 4, hidden // 4
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("tiny random model")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads // 2)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    tokens, types, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(reward)
    if reward:
        writer.add_pooling_type(gguf.PoolingType.LAST)
    for name, shape in _shapes(len(tokens), hidden, layers, heads, head_size).items():
        writer.add_tensor(name, _weight(name, shape, seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(words: int, hidden: int, layers: int, heads: int, head_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, hidden), "output_norm.weight": (hidden,)}
    for layer in range(layers):
        for name, shape in {
            "attn_norm": (hidden,),
            "attn_q": (heads * head_size, hidden),
            "attn_k": (heads // 2 * head_size, hidden),
            "attn_v": (heads // 2 * head_size, hidden),
            "attn_output": (hidden, heads * head_size),
            "attn_q_norm": (head_size,),
            "attn_k_norm": (head_size,),
            "ffn_norm": (hidden,),
            "ffn_gate": (2 * hidden, hidden),
            "ffn_up": (2 * hidden, hidden),
            "ffn_down": (hidden, 2 * hidden),
        }.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
    return shapes


def _weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, dtype=np.float32)
    random = np.random.default_rng([seed, *name.encode()])
    return (random.standard_normal(shape) * 0.1).astype(np.float32)
