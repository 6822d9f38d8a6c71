"""The model with weights by chance, written with the vocabulary of a tiny one."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from app.bench.random_model import Shape, write
from app.engine import gguf_header
from app.errors import DeskError
from tests.tiny_gguf import vocabulary, write_model

SMALL = Shape(blocks=1, hidden=64, feed_forward=96, heads=4, key_value_heads=2, head=32)


def test_an_independent_reader_finds_the_vocabulary_and_the_weights(tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    write(write_model(tmp_path / "vocabulary.gguf"), out, SMALL)
    gguf_header.check(out)
    reader = gguf.GGUFReader(out)
    assert reader.get_field("tokenizer.ggml.tokens").contents() == vocabulary()[0]
    assert reader.get_field("qwen3.embedding_length").contents() == SMALL.hidden
    names = {tensor.name: tensor for tensor in reader.tensors}
    words = names["token_embd.weight"]
    assert list(words.shape) == [SMALL.hidden, len(vocabulary()[0])]
    weights = gguf.dequantize(words.data, words.tensor_type)
    assert np.std(weights) == pytest.approx(0.02, rel=0.05)
    assert list(names["blk.0.attn_output.weight"].shape) == [SMALL.heads * SMALL.head, SMALL.hidden]
    assert set(names["blk.0.ffn_norm.weight"].data) == {1.0}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.gguf", "vocabulary.gguf"]


def test_the_same_vocabulary_gives_the_same_file(tmp_path: Path) -> None:
    source = write_model(tmp_path / "vocabulary.gguf")
    for name in ("one.gguf", "other.gguf"):
        write(source, tmp_path / name, SMALL)
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "other.gguf").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no model at all, but a text that is long enough", b"GGUF" + bytes(60)])
def test_a_file_without_vocabulary_is_refused(content: bytes, tmp_path: Path) -> None:
    source, out = tmp_path / "vocabulary.gguf", tmp_path / "out.gguf"
    source.write_bytes(content)
    with pytest.raises(DeskError, match="model_unreadable"):
        write(source, out, SMALL)
    assert not out.exists()


def test_a_vocabulary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match="file_unreadable"):
        write(tmp_path / "none.gguf", tmp_path / "out.gguf", SMALL)
