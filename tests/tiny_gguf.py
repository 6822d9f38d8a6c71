"""Tiny random qwen3 models as GGUF files: real inputs for the engine that need no training and no download.

Random weights write random bytes, invalid UTF-8 and tags among them: the hardest case for the code around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from app.chain import TAGS

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
HEADS = 4
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
    shapes = _shapes(len(vocabulary()[0]), hidden, layers)
    weights = {name: _random(name, shape, seed) for name, shape in shapes.items()}
    return _write(path, weights, hidden, layers, context_tokens, reward)


def write_bigram(path: Path, successors: Mapping[bytes, bytes]) -> Path:
    """Write a policy in which each given token is followed by its successor; what follows any other token is random."""
    tokens, hidden = vocabulary()[0], 512
    weights = {name: _random(name, shape, 0) for name, shape in _shapes(len(tokens), hidden, layers=1).items()}
    weights["blk.0.attn_output.weight"][:] = 0  # the state of a token is then its embedding alone
    weights["blk.0.ffn_down.weight"][:] = 0
    weights["token_embd.weight"] = np.eye(len(tokens), hidden, dtype=np.float32)
    weights["output.weight"] = np.zeros((len(tokens), hidden), dtype=np.float32)
    letters = byte_letters()
    numbers = {token: number for number, token in enumerate(tokens)}
    spelled = {token.encode(): token for token in (*CONTROL_TOKENS, *TAGS)}
    for token, successor in successors.items():
        this, following = (spelled.get(one) or "".join(letters[byte] for byte in one) for one in (token, successor))
        weights["output.weight"][numbers[following], numbers[this]] = 1
    return _write(path, weights, hidden, layers=1, context_tokens=4096, reward=False)


def _write(
    path: Path, weights: Mapping[str, np.ndarray], hidden: int, layers: int, context_tokens: int, reward: bool
) -> Path:
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("tiny random model")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * hidden)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    writer.add_key_length(hidden // HEADS)
    writer.add_value_length(hidden // HEADS)
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
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(words: int, hidden: int, layers: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, hidden), "output_norm.weight": (hidden,)}
    for layer in range(layers):
        for name, shape in {
            "attn_norm": (hidden,),
            "attn_q": (hidden, hidden),
            "attn_k": (hidden // 2, hidden),
            "attn_v": (hidden // 2, hidden),
            "attn_output": (hidden, hidden),
            "attn_q_norm": (hidden // HEADS,),
            "attn_k_norm": (hidden // HEADS,),
            "ffn_norm": (hidden,),
            "ffn_gate": (2 * hidden, hidden),
            "ffn_up": (2 * hidden, hidden),
            "ffn_down": (hidden, 2 * hidden),
        }.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
    return shapes


def _random(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, dtype=np.float32)
    random = np.random.default_rng([seed, *name.encode()])
    return (random.standard_normal(shape) * 0.1).astype(np.float32)
