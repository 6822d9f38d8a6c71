"""Check a GGUF's header in pure Python before native code reads it.

llama.cpp trusts counts and offsets and aborts on some; a truncated, foreign or damaged file is refused here with a
reason instead. It is not a proof that the file is sound: that is what the sha256 in the model card is for.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import NamedTuple

from app.errors import DeskError

ARCHITECTURES = frozenset({"qwen3"})
MAX_PAIRS = 10_000
MAX_TENSORS = 20_000
MAX_STRING_BYTES = 16 * 2**20
MAX_BLOCKS = 512

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


class _Layout(NamedTuple):
    weights: int
    size: int


_LAYOUTS = {
    0: _Layout(1, 4),  # F32
    1: _Layout(1, 2),  # F16
    2: _Layout(32, 18),  # Q4_0
    3: _Layout(32, 20),  # Q4_1
    6: _Layout(32, 22),  # Q5_0
    7: _Layout(32, 24),  # Q5_1
    8: _Layout(32, 34),  # Q8_0
    10: _Layout(256, 84),  # Q2_K
    11: _Layout(256, 110),  # Q3_K
    12: _Layout(256, 144),  # Q4_K
    13: _Layout(256, 176),  # Q5_K
    14: _Layout(256, 210),  # Q6_K
    20: _Layout(32, 18),  # IQ4_NL
    23: _Layout(256, 136),  # IQ4_XS
    30: _Layout(1, 2),  # BF16
}


class _Refused(Exception):
    """The reason word for a file that is not loaded."""


class _Cursor:
    """Reads little-endian values off the front of a file, never past its end."""

    def __init__(self, data: mmap.mmap):
        self.data = data
        self.at = 0

    def skip(self, size: int) -> int:
        """Move on by `size` bytes; returns where they begin."""
        begin = self.at
        if size > len(self.data) - begin:
            raise _Refused("truncated")
        self.at = begin + size
        return begin

    def number(self, code: str) -> int:
        value: int = struct.unpack_from("<" + code, self.data, self.skip(struct.calcsize("<" + code)))[0]
        return value

    def string(self) -> bytes:
        size = self.number("Q")
        if size > MAX_STRING_BYTES:
            raise _Refused("string")
        begin = self.skip(size)
        return self.data[begin : begin + size]

    def value(self, kind: int) -> int | bytes | None:
        """The value of a pair; None for an array, which is only walked over."""
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            self._array()
            return None
        return self.number(_number_code(kind))

    def _array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            if count > len(self.data):
                raise _Refused("truncated")
            for _ in range(count):
                self.string()
        else:
            self.skip(count * struct.calcsize("<" + _number_code(kind)))


def _number_code(kind: int) -> str:
    code = _NUMBERS.get(kind)
    if code is None:
        raise _Refused("value_type")
    return code


def check(path: Path) -> None:
    """Refuse a file that cannot be one of our models.

    Raises:
        DeskError: model_missing (file), model_unreadable (file, reason); only the file's name is given, not its folder.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check(_Cursor(data))
    except FileNotFoundError:
        raise DeskError("model_missing", file=path.name) from None
    except _Refused as refused:
        raise DeskError("model_unreadable", file=path.name, reason=str(refused)) from None
    except ValueError:  # an empty file cannot be mapped
        raise DeskError("model_unreadable", file=path.name, reason="truncated") from None
    except OSError as error:
        raise DeskError("model_unreadable", file=path.name, reason=type(error).__name__) from None


def _check(cursor: _Cursor) -> None:
    if cursor.data[: min(4, len(cursor.data))] != b"GGUF":
        raise _Refused("not_gguf")
    cursor.skip(4)
    if cursor.number("I") not in (2, 3):
        raise _Refused("version")
    tensors, pairs = cursor.number("Q"), cursor.number("Q")
    if tensors > MAX_TENSORS or pairs > MAX_PAIRS:
        raise _Refused("counts")
    meta = {}
    for _ in range(pairs):
        key = cursor.string()
        meta[key] = cursor.value(cursor.number("I"))
    _check_model(meta)
    _check_tensors(cursor, tensors, meta.get(b"general.alignment", 32))


def _check_model(meta: dict[bytes, int | bytes | None]) -> None:
    architecture = meta.get(b"general.architecture")
    if not isinstance(architecture, bytes) or architecture.decode("utf-8", "replace") not in ARCHITECTURES:
        raise _Refused("architecture")
    blocks = meta.get(architecture + b".block_count")
    if not isinstance(blocks, int) or not 1 <= blocks <= MAX_BLOCKS:
        raise _Refused("block_count")


def _check_tensors(cursor: _Cursor, count: int, alignment: int | bytes | None) -> None:
    """Every tensor must be of a known layout and lie wholly within the file."""
    if not isinstance(alignment, int) or not 8 <= alignment <= 4096 or alignment & (alignment - 1):
        raise _Refused("alignment")
    ends = []
    for _ in range(count):
        cursor.string()
        axes = cursor.number("I")
        if not 1 <= axes <= 4:
            raise _Refused("tensor_shape")
        shape = [cursor.number("Q") for _ in range(axes)]
        layout = _LAYOUTS.get(cursor.number("I"))
        if layout is None:
            raise _Refused("tensor_type")
        if 0 in shape or shape[0] % layout.weights:
            raise _Refused("tensor_shape")
        offset = cursor.number("Q")
        if offset % alignment:
            raise _Refused("alignment")
        ends.append(offset + math.prod(shape) // layout.weights * layout.size)
    data_begin = -(-cursor.at // alignment) * alignment
    if not ends or data_begin + max(ends) > len(cursor.data):
        raise _Refused("truncated")
