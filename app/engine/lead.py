"""What a model has read of the system prompt, kept on disk: the first draft after a start need not wait for it.

The file holds keys and values of our own text and nothing of a post. It belongs to one model file, one text and one
version of llama.cpp; what does not fit is not read.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import llama_cpp.llama_cpp as L

LAYOUT = "1"
"""Another one whenever a context is made with other settings: the same bytes would mean something else."""


class LeadFile:
    """The file for one model.

    Args:
        folder: where it lies; None keeps nothing.
        model_sha256: of the model's file.
    """

    def __init__(self, folder: Path | None, model_sha256: str):
        self._folder = folder
        self._model = model_sha256

    def load(self, context: int, ids: Sequence[int]) -> bool:
        """Put what was read of exactly these ids into sequence 0; False, with an empty sequence, if there is none."""
        path = self._path(ids)
        if path is None or not path.is_file():
            return False
        found, count = (L.llama_token * len(ids))(), ctypes.c_size_t()
        read = L.llama_state_seq_load_file(context, os.fsencode(path), 0, found, len(ids), ctypes.byref(count))
        if read and found[: count.value] == list(ids):
            return True
        L.llama_memory_seq_rm(L.llama_get_memory(context), 0, -1, -1)
        with contextlib.suppress(OSError):
            path.unlink()
        return False

    def save(self, context: int, ids: Sequence[int]) -> None:
        """Keep sequence 0, which holds exactly these ids, in the place of this model's other files."""
        path = self._path(ids)
        if path is None or path.is_file():
            return
        fresh = path.with_suffix(f".{os.getpid()}")
        # Without it a draft begins a little later: a full disk or a folder that cannot be written stops nothing.
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)  # in a data folder that there is: this one is not what makes it
            tokens = (L.llama_token * len(ids))(*ids)
            if L.llama_state_seq_save_file(context, os.fsencode(fresh), 0, tokens, len(ids)):
                for old in path.parent.glob(f"{self._model[:16]}-*"):
                    if old != fresh:
                        old.unlink()
                fresh.replace(path)
            else:
                fresh.unlink(missing_ok=True)

    def _path(self, ids: Sequence[int]) -> Path | None:
        if self._folder is None or not ids:
            return None
        key = "/".join((self._model, llama_cpp.__version__, LAYOUT, *map(str, ids)))
        return self._folder / f"{self._model[:16]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.kv"
