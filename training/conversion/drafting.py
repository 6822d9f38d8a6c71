"""Drafts by a GGUF under the desk's prompt and sampling, nothing forced: what the file writes of itself, how fast."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import llama_cpp

from app.chain import FormatError, parse, prompt_pieces
from training.recipe import EvaluateRecipe

READ_AT_ONCE = 256
PENALTY_TOKENS = 64
"""How far back a repeated token is held against; the desk's."""


@dataclass(frozen=True)
class Draft:
    """One completion. `ended` is false where it was cut at the recipe's length."""

    text: str
    readable: bool
    ended: bool
    prompt_tokens: int
    prompt_s: float
    decode_tokens: int
    decode_s: float


class Drafter:
    """A policy GGUF, open; a context manager."""

    def __init__(self, path: Path, settings: EvaluateRecipe):
        self._settings = settings
        self._engine = llama_cpp.Llama(
            str(path),
            n_ctx=settings.max_prompt_tokens + settings.max_completion_tokens,
            n_batch=READ_AT_ONCE,
            n_ubatch=READ_AT_ONCE,
            last_n_tokens_size=PENALTY_TOKENS,
            verbose=False,
        )
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._engine.model)

    def __enter__(self) -> Drafter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()

    def prompt_ids(self, post: str) -> list[int]:
        """The desk's prompt for a post, read by the file's own tokenizer."""
        return [
            token
            for piece in prompt_pieces(post)
            for token in self._engine.tokenize(piece.text.encode(), add_bos=False, special=piece.special)
        ]

    def draft(self, post: str, seed: int) -> Draft:
        """Draft an answer to a post; the same seed draws the same tokens again.

        Raises:
            ValueError: if the prompt is longer than the recipe's.
        """
        settings = self._settings
        prompt = self.prompt_ids(post)
        if len(prompt) > settings.max_prompt_tokens:
            raise ValueError(
                f"A prompt of {len(prompt)} tokens, but evaluate.max_prompt_tokens is {settings.max_prompt_tokens}; "
                "raise it."
            )
        self._engine.set_seed(seed)
        self._engine.reset()
        began = time.perf_counter()
        self._engine.eval(prompt)
        read = time.perf_counter()
        tokens: list[int] = []
        ended = False
        # The engine sees that it has just read this prompt, and goes on from there.
        for token in self._engine.generate(
            prompt,
            temp=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            min_p=0.0,
            repeat_penalty=settings.repetition_penalty,
        ):
            ended = llama_cpp.llama_vocab_is_eog(self._vocabulary, token)
            if ended or len(tokens) == settings.max_completion_tokens:
                break
            tokens.append(token)
        decoded = time.perf_counter()
        text = b"".join(map(self._piece, tokens)).decode("utf-8", "replace")
        return Draft(
            text=text,
            readable=_readable(text),
            ended=ended,
            prompt_tokens=len(prompt),
            prompt_s=read - began,
            decode_tokens=len(tokens),
            decode_s=decoded - read,
        )

    def _piece(self, token: int) -> bytes:
        # The binding's own way has room for 32 bytes, and released vocabularies hold longer tokens.
        buffer = ctypes.create_string_buffer(512)
        length = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
        return buffer.raw[:length]


def _readable(text: str) -> bool:
    try:
        parse(text)
    except FormatError:
        return False
    return True
