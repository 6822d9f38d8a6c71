"""The policy: reads a prompt, then writes a script of forced text and free sections. Runs in the child process.

Tags are forced, so every response is well-formed whatever the model does; what stands between them is sampled. A
section ends where the model begins a tag: at the character '<', which no section may hold. Watching for the character
and not for tokens keeps this right for vocabularies that fuse it with other text.
"""

from __future__ import annotations

import codecs
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import llama_cpp.llama_cpp as L

from app.chain import Piece
from app.engine.native import StopSwitch, Vocab, new_context, thread_count, writing_threads
from app.engine.protocol import Closed, Delta, Event, Finished, Reading, Sampling, Script, Section
from app.errors import DeskError

BATCH_TOKENS = 256
GRACE_TOKENS = 40
"""How far past its cap a section may run to reach the end of a sentence."""
TAIL_TOKENS = 8
"""Room per section for text that shared a token with '<' and is read again."""
SENTENCE_ENDS = "。！？!?\n"
PENALTY_TOKENS = 64
PLACEHOLDER = "…"
"""Stands in a section in which the model wrote nothing visible up to its cap."""

_UNSEEN = frozenset([*range(32), 127]) - frozenset(b"\n\t")
"""Control characters, which a byte-level vocabulary can spell and no reader wants."""


class _Stopped(Exception):
    """The stop switch was pulled."""


@dataclass
class _Clock:
    """What `Finished` reports, filled while the script is written."""

    began: float
    read: float = 0.0
    first_token: float = 0.0
    sampled: int = 0

    def finished(self, stopped: bool, prompt_tokens: int) -> Finished:
        now = time.perf_counter()
        return Finished(
            stopped=stopped,
            prompt_tokens=prompt_tokens,
            prompt_s=(self.read or now) - self.began,
            first_token_s=self.first_token - self.began if self.sampled else 0.0,
            decode_tokens=self.sampled,
            decode_s=now - self.first_token if self.sampled else 0.0,
        )


class Writer:
    """One context with one sequence, used by one thread.

    Args:
        model: native handle.
        file: its file's name, for errors.
        context_tokens: prompt and script together.
        switch: ends a generation from another thread.
    """

    def __init__(self, model: int, file: str, context_tokens: int, switch: StopSwitch):
        self.vocab = Vocab(model)
        self._context_tokens = min(context_tokens, L.llama_model_n_ctx_train(model))
        self._switch = switch
        params = L.llama_context_default_params()
        params.n_ctx = self._context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max = params.n_outputs_max = 1
        params.abort_callback = switch.callback
        params.abort_callback_data = switch.data
        self._context = new_context(model, params, file)
        self._memory = L.llama_get_memory(self._context)
        self._writing_threads = writing_threads(model)
        self._batch = L.llama_batch_init(BATCH_TOKENS, 0, 1)
        # Each access through the structure makes a new pointer object; once a token, that is felt.
        self._tokens, self._positions, self._outputs = self._batch.token, self._batch.pos, self._batch.logits
        for row in range(BATCH_TOKENS):
            self._batch.n_seq_id[row] = 1
            self._batch.seq_id[row][0] = 0
        self._position = 0
        self._kept: list[int] = []
        self._pieces = self.vocab.pieces()
        self._banned: list[int] = []
        self._banned_first: list[int] = []
        for token, piece in enumerate(self._pieces):
            if not self.vocab.is_text(token) or not _UNSEEN.isdisjoint(piece):
                self._banned.append(token)
                self._banned_first.append(token)
            elif b"<" in piece or not piece.decode("utf-8", "replace").strip():
                self._banned_first.append(token)  # a section must hold something visible before it may end

    def write(self, prompt: Sequence[Piece], script: Script, sampling: Sampling) -> Iterator[Event]:
        """Read the prompt and write the script; see `protocol.Engine.generate`.

        Raises:
            DeskError: post_too_long (tokens, limit), both counted in tokens of the post alone.
        """
        clock = _Clock(time.perf_counter())
        steps = _steps(script)
        prompt_ids = self._prompt_ids(prompt, steps)
        stopped = False
        try:
            L.llama_set_n_threads(self._context, self._writing_threads, thread_count())
            yield from self._read(prompt_ids)
            clock.read = time.perf_counter()
            # The forced text between two sections is a few tokens: as quick as one, and as slow to wake threads for.
            L.llama_set_n_threads(self._context, self._writing_threads, self._writing_threads)
            yield from self._write(steps, sampling, clock)
        except _Stopped:
            stopped = True
        yield clock.finished(stopped, len(prompt_ids))

    def _prompt_ids(self, prompt: Sequence[Piece], steps: Sequence[tuple[str, Section]]) -> list[int]:
        """Token ids of the prompt and of the text forced before the first section."""
        ids: list[int] = []
        post_tokens = 0
        for piece in prompt:
            read = self.vocab.tokens(piece.text, special=piece.special)
            if not piece.special:
                assert not any(map(self.vocab.is_control, read)), "a control token in text that is not ours"
                post_tokens += len(read)
            ids += read
        forced = [self.vocab.tokens(text, special=True) for text, _ in steps]
        room = sum(map(len, forced)) + sum(s.max_tokens + GRACE_TOKENS + TAIL_TOKENS for _, s in steps)
        limit = self._context_tokens - room - (len(ids) - post_tokens)
        if post_tokens > limit:
            raise DeskError("post_too_long", tokens=post_tokens, limit=max(0, limit))
        return ids + (forced[0] if forced else [])

    def _read(self, ids: list[int]) -> Iterator[Event]:
        """Prefill, reusing what an earlier prompt shares.

        Only whole batches are reused: a token read in a batch of another shape differs in its last bits, and the same
        seed would no longer write the same text.
        """
        start = _shared(self._kept, ids[:-1]) // BATCH_TOKENS * BATCH_TOKENS
        self._roll_back(start)
        self._kept = ids[:start]
        yield Reading(start, len(ids))
        for begin in range(start, len(ids), BATCH_TOKENS):
            chunk = ids[begin : begin + BATCH_TOKENS]
            self._feed(chunk)
            self._kept += chunk
            yield Reading(begin + len(chunk), len(ids))

    def _write(self, steps: Sequence[tuple[str, Section]], sampling: Sampling, clock: _Clock) -> Iterator[Event]:
        with self._chain(self._banned, sampling) as chain, self._chain(self._banned_first, sampling) as first_chain:
            tail = ""
            for number, (forced, section) in enumerate(steps):
                if number:
                    ids = self.vocab.tokens(tail + forced, special=True)
                    for begin in range(0, len(ids), BATCH_TOKENS):
                        self._feed(ids[begin : begin + BATCH_TOKENS])
                tail, capped = yield from self._write_section(section, first_chain, chain, clock)
                yield Closed(section.name, capped)

    def _write_section(
        self, section: Section, first_chain: int, chain: int, clock: _Clock
    ) -> Generator[Event, None, tuple[str, bool]]:
        """Sample one section; returns (shown text that is not in the KV yet, whether the cap closed it)."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        whole = self._position  # tokens up to here spell whole characters
        last = ""
        for count in range(1, section.max_tokens + GRACE_TOKENS + 1):
            token = self._sample(chain if last else first_chain, clock)
            piece = self._pieces[token]
            text, tag, _ = decoder.decode(piece).partition("<")
            if not last:
                text = text.lstrip()
            if text:
                last = text[-1]
                yield Delta(section.name, text)
            if tag:
                self._roll_back(whole)
                return text, False
            self._feed([token])
            open_bytes = len(decoder.getstate()[0])
            if open_bytes < len(piece):
                whole = self._position
            elif text:  # shown for earlier tokens; this one has only begun a character
                whole = self._position - 1
            if count >= section.max_tokens and last and last in SENTENCE_ENDS:
                break
        self._roll_back(whole)
        if last:
            return "", True
        yield Delta(section.name, PLACEHOLDER)
        return PLACEHOLDER, True

    def _sample(self, chain: int, clock: _Clock) -> int:
        if self._switch.pulled:
            raise _Stopped
        token: int = L.llama_sampler_sample(chain, self._context, -1)
        if not clock.sampled:
            clock.first_token = time.perf_counter()
        clock.sampled += 1
        return token

    def _feed(self, ids: Sequence[int]) -> None:
        """Append at most one batch to the sequence; the logits after its last token are then ready."""
        if self._switch.pulled:
            raise _Stopped
        last = len(ids) - 1
        for row, token in enumerate(ids):
            self._tokens[row] = token
            self._positions[row] = self._position + row
            self._outputs[row] = row == last
        self._batch.n_tokens = len(ids)
        code = L.llama_decode(self._context, self._batch)
        if code == 2:
            raise _Stopped
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")
        self._position += len(ids)

    def _roll_back(self, position: int) -> None:
        L.llama_memory_seq_rm(self._memory, 0, position, -1)
        self._position = position

    @contextmanager
    def _chain(self, banned: Iterable[int], sampling: Sampling) -> Iterator[int]:
        """A sampler chain: bans, top-k, repeat penalty, top-p, temperature, draw.

        The penalty comes after top-k because over a whole vocabulary it costs more than a small model's forward pass.
        """
        biases = [L.llama_logit_bias(token, -math.inf) for token in banned]
        chain = L.llama_sampler_chain_init(L.llama_sampler_chain_default_params())
        size = self.vocab.size
        for sampler in (
            L.llama_sampler_init_logit_bias(size, len(biases), (L.llama_logit_bias * len(biases))(*biases)),
            L.llama_sampler_init_top_k(sampling.top_k),
            L.llama_sampler_init_penalties(size, PENALTY_TOKENS, sampling.repeat_penalty, 0.0, 0.0),
            L.llama_sampler_init_top_p(sampling.top_p, 1),
            L.llama_sampler_init_temp(sampling.temperature),
            L.llama_sampler_init_dist(sampling.seed & 0x7FFFFFFF),  # all ones would mean a random seed
        ):
            L.llama_sampler_chain_add(chain, sampler)
        try:
            yield chain
        finally:
            L.llama_sampler_free(chain)


def _steps(script: Script) -> list[tuple[str, Section]]:
    """Each section with the text forced before it. Text after the last section is read by nobody and left out."""
    steps: list[tuple[str, Section]] = []
    forced = ""
    for item in script:
        if isinstance(item, str):
            forced += item
        elif steps and not forced:
            raise ValueError(f"section {item.name} must be parted from the one before it by forced text")
        else:
            steps.append((forced, item))
            forced = ""
    return steps


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    for position, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return position
    return min(len(left), len(right))
