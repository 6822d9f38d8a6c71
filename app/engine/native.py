"""The llama.cpp calls that both contexts share: a silent library, loaded models, text to token ids, a stop switch.

Raw pointers of `llama_cpp.llama_cpp` on purpose: the high-level class reads a help-seeker's `<|im_start|>` as a control
token, stalls on broken UTF-8 and cannot be stopped inside a prompt. Nothing is freed: the process that imports this
lives exactly as long as its models.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as L

from app.errors import DeskError

# The library keeps the pointer, so the callback must live as long as the module.
_silence = L.llama_log_callback(lambda level, text, data: None)
L.llama_log_set(_silence, None)
L.llama_backend_init()

SMALL_MODEL_BYTES = 100_000_000


def thread_count() -> int:
    """Physical cores, as far as the standard library tells, and at most 4: more threads than idle cores are slower."""
    logical = os.cpu_count() or 1
    return logical if logical <= 2 else max(2, min(4, logical // 2))


def writing_threads(model: int) -> int:
    """One token of a small model takes less time than its threads take to wait for each other."""
    return 1 if L.llama_model_size(model) < SMALL_MODEL_BYTES else thread_count()


def load_model(path: Path, on_progress: Callable[[], None]) -> int:
    """Load a GGUF that `gguf_header.check` has passed and return the native handle.

    Raises:
        DeskError: model_unreadable (file, reason) if llama.cpp refuses it.
    """

    def progressed(fraction: float, data: object) -> bool:
        on_progress()
        return True

    callback = L.llama_progress_callback(progressed)
    params = L.llama_model_default_params()
    params.progress_callback = callback
    params.n_gpu_layers = 0
    # Repacking K-quants costs memory and start-up time, and reads prompts more slowly than the plain layout does.
    params.use_extra_bufts = False
    model: int = L.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise DeskError("model_unreadable", file=path.name, reason="load")
    return model


def new_context(model: int, params: L.llama_context_params, file: str) -> int:
    """Make a context on the CPU with the settings both contexts share.

    Raises:
        DeskError: model_unreadable (file, reason) if there is no memory for it or the model does not allow it.
    """
    params.n_threads_batch = thread_count()
    params.n_threads = writing_threads(model)
    params.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_DISABLED  # a third slower to decode on CPUs
    params.kv_unified = True
    params.no_perf = True
    context: int = L.llama_init_from_model(model, params)
    if not context:
        raise DeskError("model_unreadable", file=file, reason="context")
    return context


class Vocab:
    """Token ids of one model."""

    def __init__(self, model: int):
        self._vocab = L.llama_model_get_vocab(model)
        self.size = L.llama_vocab_n_tokens(self._vocab)
        self.eos = L.llama_vocab_eos(self._vocab)
        self.adds_eos = L.llama_vocab_get_add_eos(self._vocab)

    def tokens(self, text: str, *, special: bool, whole: bool = False) -> list[int]:
        """Read text as token ids; `special` lets it spell control tokens, `whole` adds the EOS the GGUF may want."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 2  # byte-level BPE never makes more tokens than bytes
        ids = (L.llama_token * room)()
        count = L.llama_tokenize(self._vocab, data, len(data), ids, room, whole, special)
        return ids[:count]

    def pieces(self) -> list[bytes]:
        """The bytes each token id stands for; not always whole characters."""
        buffer = ctypes.create_string_buffer(512)
        table = []
        for token in range(self.size):
            length = L.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True)
            table.append(buffer.raw[: max(0, length)])
        return table

    def is_control(self, token: int) -> bool:
        """Whether the token structures a conversation, as `<|im_start|>` does."""
        return bool(L.llama_vocab_get_attr(self._vocab, token) & L.LLAMA_TOKEN_ATTR_CONTROL)

    def is_text(self, token: int) -> bool:
        """Whether the token may be written inside a section: it ends nothing, structures nothing and is in use."""
        other = L.LLAMA_TOKEN_ATTR_CONTROL | L.LLAMA_TOKEN_ATTR_UNKNOWN | L.LLAMA_TOKEN_ATTR_UNUSED
        return not (L.llama_vocab_get_attr(self._vocab, token) & other or L.llama_vocab_is_eog(self._vocab, token))


class StopSwitch:
    """Ends a running computation from another thread, between two nodes of the graph.

    llama.cpp asks its abort callback about a thousand times a token. A Python function would take the interpreter lock
    each time, so libc's `strlen` over two bytes of ours is the callback: "" goes on, "x" ends.
    Requests are numbered in rising order; a late stop for a finished request does not end the next one.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None if os.name == "posix" else "msvcrt")
        self._text = ctypes.create_string_buffer(2)
        self._lock = threading.Lock()
        self._running = 0
        self._stopped = 0
        self.callback = ctypes.cast(libc.strlen, L.ggml_abort_callback)
        self.data = ctypes.cast(self._text, ctypes.c_void_p)

    def arm(self, request: int) -> None:
        """Begin a request, which may have been stopped before it began."""
        with self._lock:
            self._running = request
            self._set()

    def pull(self, request: int) -> None:
        """Stop a request, now or when it begins."""
        with self._lock:
            self._stopped = max(self._stopped, request)
            self._set()

    def _set(self) -> None:
        self._text[0] = b"x" if self._running == self._stopped else b"\0"

    @property
    def pulled(self) -> bool:
        """Whether the running request is to end."""
        return self._text[0] != b"\0"
