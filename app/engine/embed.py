"""The reward encoder: texts to L2-normalised vectors. Runs in the child process.

A vector is the state of the last token (pooling LAST). Asked for embeddings, llama.cpp computes the logits of every
token too, which costs more than the encoder itself; so all tokens but the last of each text are read with embeddings
off, and then the last ones together with embeddings on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import llama_cpp.llama_cpp as L
import numpy as np
from numpy.typing import NDArray

from app.engine.native import Vocab, new_context

MAX_TEXT_TOKENS = 1024
PACK_TOKENS = 512
"""Tokens of the texts read together; every one attends over the cells of all, so more is slower."""
PACK_TEXTS = 64


class Encoder:
    """One context with many sequences, used by one thread.

    Args:
        model: native handle.
        file: its file's name, for errors.
    """

    def __init__(self, model: int, file: str):
        self.vocab = Vocab(model)
        self.max_tokens = min(MAX_TEXT_TOKENS, L.llama_model_n_ctx_train(model))
        self._size = L.llama_model_n_embd(model)
        params = L.llama_context_default_params()
        params.n_ctx = params.n_batch = MAX_TEXT_TOKENS
        params.n_ubatch = 256
        params.n_seq_max = params.n_outputs_max = PACK_TEXTS
        params.pooling_type = L.LLAMA_POOLING_TYPE_LAST
        self._context = new_context(model, params, file)
        self._memory = L.llama_get_memory(self._context)
        self._batch = L.llama_batch_init(MAX_TEXT_TOKENS, 0, 1)

    def vectors(self, texts: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors of a few texts at a time, in order: (texts in the pack, H)."""
        for pack in self._packs(self.ids(text) for text in texts):
            yield self._read(pack)

    def ids(self, text: str) -> list[int]:
        """Token ids of a text; a long one loses its end but keeps the final token, whose state becomes the vector."""
        ids = self.vocab.tokens(text, special=False, whole=True) or [self.vocab.eos]
        if len(ids) > self.max_tokens:
            ids = ids[: self.max_tokens - 1] + ids[-1:]
        return ids

    def _packs(self, texts: Iterator[list[int]]) -> Iterator[list[list[int]]]:
        pack: list[list[int]] = []
        tokens = 0
        for ids in texts:
            if pack and (len(pack) == PACK_TEXTS or tokens + len(ids) > PACK_TOKENS):
                yield pack
                pack, tokens = [], 0
            pack.append(ids)
            tokens += len(ids)
        if pack:
            yield pack

    def _read(self, pack: list[list[int]]) -> NDArray[np.float32]:
        L.llama_memory_clear(self._memory, False)
        L.llama_set_embeddings(self._context, False)
        heads = [(token, at, text) for text, ids in enumerate(pack) for at, token in enumerate(ids[:-1])]
        self._feed(heads, last=False)
        L.llama_set_embeddings(self._context, True)
        self._feed([(ids[-1], len(ids) - 1, text) for text, ids in enumerate(pack)], last=True)
        states = [L.llama_get_embeddings_seq(self._context, text)[: self._size] for text in range(len(pack))]
        vectors: NDArray[np.float32] = np.array(states, dtype=np.float32)  # (texts, H)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _feed(self, rows: list[tuple[int, int, int]], *, last: bool) -> None:
        """Read (token, position, sequence) rows."""
        if not rows:
            return
        batch = self._batch
        for row, (token, position, sequence) in enumerate(rows):
            batch.token[row] = token
            batch.pos[row] = position
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = last
        batch.n_tokens = len(rows)
        code = L.llama_decode(self._context, batch)
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")
