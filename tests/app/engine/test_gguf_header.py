"""Files that are no models, or no longer: each gets a reason, none reaches native code."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.gguf_header import check
from app.errors import DeskError
from tests.tiny_gguf import write_model


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_model(tmp_path_factory.mktemp("models") / "sound.gguf").read_bytes()


def with_number(data: bytes, key: bytes, value: int) -> bytes:
    """Replace the 32-bit value of a pair."""
    at = data.index(key) + len(key) + 4
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def with_tensor_offset(data: bytes) -> bytes:
    at = data.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8 + 4
    return data[:at] + struct.pack("<Q", 2**62) + data[at + 8 :]


def with_tensor_type(data: bytes) -> bytes:
    at = data.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8
    return data[:at] + struct.pack("<I", 255) + data[at + 4 :]


def with_tensor_shape(data: bytes) -> bytes:
    at = data.index(b"output_norm.weight") + len(b"output_norm.weight") + 4
    return data[:at] + struct.pack("<Q", 2**63) + data[at + 8 :]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "truncated"),
    "short": (lambda data: data[:3], "not_gguf"),
    "magic only": (lambda data: data[:4], "truncated"),
    "safetensors": (lambda data: struct.pack("<Q", 20) + b'{"weight": {"dtype": 0}}' + bytes(100), "not_gguf"),
    "web page": (lambda data: b"<!doctype html><title>404</title>", "not_gguf"),
    "version 1": (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "version"),
    "big endian": (lambda data: data[:4] + struct.pack(">I", 3) + data[8:], "version"),
    "many tensors": (lambda data: data[:8] + struct.pack("<Q", 2**63) + data[16:], "counts"),
    "many pairs": (lambda data: data[:16] + struct.pack("<Q", 2**63) + data[24:], "counts"),
    "one pair too many": (lambda data: data[:16] + struct.pack("<Q", data[16] + 1) + data[24:], "string"),
    "endless key": (lambda data: data[:24] + struct.pack("<Q", 2**62) + data[32:], "string"),
    "foreign architecture": (lambda data: data.replace(b"qwen3", b"llama"), "architecture"),
    "no blocks": (lambda data: with_number(data, b"qwen3.block_count", 0), "block_count"),
    "many blocks": (lambda data: with_number(data, b"qwen3.block_count", 513), "block_count"),
    "tensor behind the end": (with_tensor_offset, "truncated"),
    "tensor of unknown type": (with_tensor_type, "tensor_type"),
    "endless tensor": (with_tensor_shape, "truncated"),
    "half of the weights": (lambda data: data[: len(data) // 2], "truncated"),
    "last byte missing": (lambda data: data[:-1], "truncated"),
}


def test_a_sound_model_passes(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "模型 1.gguf"
    path.write_bytes(sound)
    check(path)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_with_its_reason(tmp_path: Path, sound: bytes, damage: str) -> None:
    change, reason = DAMAGE[damage]
    path = tmp_path / "model.gguf"
    path.write_bytes(change(sound))
    with pytest.raises(DeskError) as caught:
        check(path)
    assert caught.value.code == "model_unreadable"
    assert caught.value.values == {"file": "model.gguf", "reason": reason}


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.gguf", "model_missing"), (tmp_path, "model_unreadable")):
        with pytest.raises(DeskError) as caught:
            check(path)
        assert caught.value.code == code
        assert caught.value.values["file"] == path.name


def test_a_header_cut_anywhere_is_refused(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "model.gguf"
    header = sound.index(b"blk.1.ffn_down.weight")
    for length in range(0, header, 97):
        path.write_bytes(sound[:length])
        with pytest.raises(DeskError):
            check(path)


def test_flipped_bits_are_refused_or_harmless_to_the_check(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "model.gguf"
    header = sound.index(b"blk.1.ffn_down.weight")
    refused = 0
    for seed in range(300):
        damaged = bytearray(sound)
        bit = random.Random(seed).randrange(header * 8)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            check(path)
        except DeskError as error:
            assert error.code == "model_unreadable"
            refused += 1
    assert refused > 0
