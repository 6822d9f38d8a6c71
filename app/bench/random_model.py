"""A model as large as a small Qwen3 and with its vocabulary, but with weights by chance: speed without a download.

Every kernel does the work that it would do for a trained model of that shape; only the text means nothing. The
vocabulary is copied from a GGUF that holds one, such as llama.cpp's models/ggml-vocab-qwen2.gguf.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from app.errors import DeskError

ALIGNMENT = 32
F32, Q8_0 = 0, 8
UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the number of its type."""
BLOCK = np.dtype([("scale", "<f2"), ("weights", "i1", 32)])
"""What Q8_0 keeps of 32 weights."""
SCALE = 0.02 / 73
"""Makes the weights as small as those that a training begins with: 73 is the deviation of a byte by chance."""


@dataclass(frozen=True)
class Shape:
    """Those of Qwen3-0.6B but for the depth, 16 of its 28 blocks: 0.41 B weights with its vocabulary."""

    blocks: int = 16
    hidden: int = 1024
    feed_forward: int = 3072
    heads: int = 16
    key_value_heads: int = 8
    head: int = 128
    context_tokens: int = 8192


def write(vocabulary: Path, out: Path, shape: Shape = Shape()) -> None:
    """Write the model as Q8_0; the file appears whole or not at all. The same vocabulary gives the same bytes.

    Raises:
        DeskError: model_unreadable (file, reason), if the vocabulary's file holds none; file_unreadable (file, reason).
    """
    try:
        tokenizer = read_tokenizer(vocabulary.read_bytes())
    except OSError as error:
        raise DeskError("file_unreadable", file=vocabulary.name, reason=error.strerror) from None
    except (struct.error, KeyError):
        raise DeskError("model_unreadable", file=vocabulary.name, reason="vocabulary") from None
    words = struct.unpack_from("<Q", tokenizer[b"tokenizer.ggml.tokens"], 8)[0]
    pairs = [*metadata(shape), *(string(key) + value for key, value in tokenizer.items())]
    shapes = dict(tensors(shape, words))
    unfinished = out.with_name(out.name + ".part")
    with unfinished.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(pairs)) + b"".join(pairs))
        offset = 0
        for name, axes in shapes.items():
            kind, size = layout(axes)
            file.write(string(name.encode()) + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, offset))
            offset += -(-size // ALIGNMENT) * ALIGNMENT
        draw = np.random.default_rng(0)
        for axes in shapes.values():
            file.write(bytes(-file.tell() % ALIGNMENT))
            write_weights(file, axes, draw)
    unfinished.replace(out)


def read_tokenizer(data: bytes) -> dict[bytes, bytes]:
    """The pairs of a GGUF that make its tokenizer: by their key, type and value as they stand.

    Raises:
        struct.error, KeyError: if it is no GGUF, or holds no vocabulary.
    """
    magic, _, _, count = struct.unpack_from("<4sIQQ", data)
    kept, at = {}, 24
    for _ in range(count if magic == b"GGUF" else 0):
        begin = at + 8
        at = begin + struct.unpack_from("<Q", data, at)[0]
        key, begin = data[begin:at], at
        at = value_end(data, at + 4, struct.unpack_from("<I", data, at)[0])
        if key.startswith(b"tokenizer."):
            kept[key] = data[begin:at]
    kept[b"tokenizer.ggml.tokens"]
    return kept


def value_end(data: bytes, at: int, kind: int) -> int:
    """Where the value ends that begins there."""
    if kind == STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != ARRAY:
        return at + SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner != STRING:
        return at + int(count) * SIZES[inner]
    for _ in range(count):
        at = value_end(data, at, STRING)
    return at


def metadata(shape: Shape) -> Iterator[bytes]:
    """The pairs that describe the model."""
    yield string(b"general.architecture") + struct.pack("<I", STRING) + string(b"qwen3")
    yield string(b"general.name") + struct.pack("<I", STRING) + string(b"random weights")
    numbers = {
        "context_length": shape.context_tokens,
        "embedding_length": shape.hidden,
        "block_count": shape.blocks,
        "feed_forward_length": shape.feed_forward,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.key_value_heads,
        "attention.key_length": shape.head,
        "attention.value_length": shape.head,
    }
    for name, number in numbers.items():
        yield string(f"qwen3.{name}".encode()) + struct.pack("<II", UINT32, number)
    yield string(b"qwen3.attention.layer_norm_rms_epsilon") + struct.pack("<If", FLOAT32, 1e-6)
    yield string(b"qwen3.rope.freq_base") + struct.pack("<If", FLOAT32, 1e6)


def tensors(shape: Shape, words: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and axes, the row first; the embeddings are the output as well."""
    queries, keys = shape.heads * shape.head, shape.key_value_heads * shape.head
    yield "token_embd.weight", (shape.hidden, words)
    yield "output_norm.weight", (shape.hidden,)
    for block in range(shape.blocks):
        for name, axes in {
            "attn_norm": (shape.hidden,),
            "attn_q": (shape.hidden, queries),
            "attn_k": (shape.hidden, keys),
            "attn_v": (shape.hidden, keys),
            "attn_output": (queries, shape.hidden),
            "attn_q_norm": (shape.head,),
            "attn_k_norm": (shape.head,),
            "ffn_norm": (shape.hidden,),
            "ffn_gate": (shape.hidden, shape.feed_forward),
            "ffn_up": (shape.hidden, shape.feed_forward),
            "ffn_down": (shape.feed_forward, shape.hidden),
        }.items():
            yield f"blk.{block}.{name}.weight", axes


def layout(axes: tuple[int, ...]) -> tuple[int, int]:
    """Type and bytes of a tensor: norms stay exact."""
    return (F32, 4 * axes[0]) if len(axes) == 1 else (Q8_0, math.prod(axes) // 32 * BLOCK.itemsize)


def write_weights(file: BinaryIO, axes: tuple[int, ...], draw: np.random.Generator) -> None:
    """Ones for a norm; whole blocks by chance for a matrix, which need no quantizing."""
    if len(axes) == 1:
        file.write(np.ones(axes, "<f4").tobytes())
        return
    blocks = np.empty(math.prod(axes) // 32, BLOCK)
    blocks["scale"] = SCALE
    blocks["weights"] = draw.integers(-127, 128, (len(blocks), 32), dtype=np.int8)
    file.write(blocks.tobytes())


def string(text: bytes) -> bytes:
    """A string as a GGUF spells it."""
    return struct.pack("<Q", len(text)) + text
