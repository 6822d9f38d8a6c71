"""The policy: reads a prompt, then writes a script of forced text and free sections. Runs in the child process.

The prompt is read once into sequence 0. Each candidate is a sequence that begins as a copy of it, which costs no
memory; the candidates write in step, the next token of all of them in one batch, and who is done leaves the batch.

Tags are forced, so every response is well-formed whatever the model does; what stands between them is sampled. A
section ends where the model begins a tag: at the character '<', which no section may hold. Watching for the character
and not for tokens keeps this right for vocabularies that fuse it with other text.
"""

from __future__ import annotations

import codecs
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import llama_cpp.llama_cpp as L

from app.chain import Piece
from app.engine.lead import LeadFile
from app.engine.native import StopSwitch, Vocab, new_context, thread_count, writing_threads
from app.engine.protocol import Closed, Delta, Event, Finished, Reading, Sampling, Script, Section
from app.errors import DeskError

BATCH_TOKENS = 256
GRACE_TOKENS = 40
"""How far past its cap a section may run to reach the end of a sentence."""
TAIL_TOKENS = 8
"""Room per section for text that shared a token with '<' and is read again."""
SENTENCE_ENDS = "。！？!?\n"
CANDIDATE_TOKENS = 1792
"""Room for the script of each candidate beside the first: the desk's whole response at its caps."""
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


@dataclass
class _Sequence:
    """A sequence of the context and the position behind its last token."""

    number: int
    position: int = 0


@dataclass(frozen=True)
class _Pen:
    """What one candidate writes with."""

    candidate: int
    sequence: _Sequence
    first_chain: int
    """Samples until something visible stands in the section."""
    chain: int
    happened: list[Event]
    """Where it tells what it wrote; shared by all."""


class Writer:
    """One context, used by one thread.

    Args:
        model: native handle.
        file: its file's name, for errors.
        context_tokens: prompt and script of one candidate together.
        candidates: the most that are written in step, at most `MAX_CANDIDATES`.
        switch: ends a generation from another thread.
        lead: where the system prompt is kept, read.
    """

    def __init__(
        self,
        model: int,
        file: str,
        context_tokens: int,
        candidates: int,
        switch: StopSwitch,
        lead: LeadFile | None = None,
    ):
        self.vocab = Vocab(model)
        self._context_tokens = min(context_tokens, L.llama_model_n_ctx_train(model))
        self._switch = switch
        params = L.llama_context_default_params()
        params.n_ctx = self._context_tokens + (candidates - 1) * CANDIDATE_TOKENS
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max = params.n_outputs_max = candidates + 1
        params.abort_callback = switch.callback
        params.abort_callback_data = switch.data
        self._context = new_context(model, params, file)
        self._memory = L.llama_get_memory(self._context)
        self._writing_threads = writing_threads(model)
        self._batch = L.llama_batch_init(BATCH_TOKENS, 0, 1)
        # Each access through the structure makes a new pointer object; once a token, that is felt.
        self._tokens, self._positions, self._outputs = self._batch.token, self._batch.pos, self._batch.logits
        self._owners = [self._batch.seq_id[row] for row in range(BATCH_TOKENS)]
        for row in range(BATCH_TOKENS):
            self._batch.n_seq_id[row] = 1
        self._prompt = _Sequence(0)
        self._lead = lead or LeadFile(None, "")
        self._kept: list[int] = []
        self._edges = [0]
        """Where the batches of `_kept` met."""
        self._pieces = self.vocab.pieces()
        self._banned: list[int] = []
        self._banned_first: list[int] = []
        for token, piece in enumerate(self._pieces):
            if not self.vocab.is_text(token) or not _UNSEEN.isdisjoint(piece):
                self._banned.append(token)
                self._banned_first.append(token)
            elif b"<" in piece or not piece.decode("utf-8", "replace").strip():
                self._banned_first.append(token)  # a section must hold something visible before it may end

    def write(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        """Read the prompt and write the script, one candidate a sampling; see `protocol.Engine.generate`.

        Raises:
            DeskError: post_too_long (tokens, limit), both counted in tokens of the post alone.
        """
        clock = _Clock(time.perf_counter())
        steps = _steps(script)
        prompt_ids, lead = self._prompt_ids(prompt, steps)
        stopped = False
        try:
            yield from self._read(prompt_ids, lead, to_write=True)
            clock.read = time.perf_counter()
            # The forced text between two sections is a few tokens: as quick as one, and as slow to wake threads for.
            L.llama_set_n_threads(self._context, self._writing_threads, self._writing_threads)
            yield from self._write(steps, samplings, clock)
        except _Stopped:
            stopped = True
        yield clock.finished(stopped, len(prompt_ids))

    def read_ahead(self, prompt: Sequence[Piece]) -> Iterator[Reading]:
        """Read as much of a prompt as `write` can reuse; ends early when stopped, or where the prompt is too long."""
        ids, lead, _ = self._ids(prompt)
        whole = max(edge for edge in _edges(lead, self._context_tokens) if edge <= len(ids))
        with suppress(_Stopped):
            yield from self._read(ids[:whole], lead, to_write=False)

    def _ids(self, prompt: Sequence[Piece]) -> tuple[list[int], int, int]:
        """Token ids of a prompt; how many stand before the post; and how many are the post's."""
        ids: list[int] = []
        lead = post_tokens = 0
        for piece in prompt:
            read = self.vocab.tokens(piece.text, special=piece.special)
            if not piece.special:
                assert not any(map(self.vocab.is_control, read)), "a control token in text that is not ours"
                lead = lead or len(ids)
                post_tokens += len(read)
            ids += read
        return ids, lead, post_tokens

    def _prompt_ids(self, prompt: Sequence[Piece], steps: Sequence[tuple[str, Section]]) -> tuple[list[int], int]:
        """Token ids of the prompt and of the text forced before the first section; how many stand before the post."""
        ids, lead, post_tokens = self._ids(prompt)
        forced = [self.vocab.tokens(text, special=True) for text, _ in steps]
        room = sum(map(len, forced)) + sum(s.max_tokens + GRACE_TOKENS + TAIL_TOKENS for _, s in steps)
        limit = self._context_tokens - room - (len(ids) - post_tokens)
        if post_tokens > limit:
            raise DeskError("post_too_long", tokens=post_tokens, limit=max(0, limit))
        return ids + (forced[0] if forced else []), lead

    def _read(self, ids: list[int], lead: int, *, to_write: bool) -> Iterator[Reading]:
        """Prefill sequence 0, reusing what an earlier prompt shares, or the system prompt from its file.

        Only whole batches are reused: a token read in a batch of another shape differs in its last bits, and the same
        seed would no longer write the same text. What stands before the post, `lead` tokens, ends a batch, so that it
        serves every post.
        """
        L.llama_set_n_threads(self._context, self._writing_threads, thread_count())
        edges = _edges(lead, len(ids))
        shared = _shared(self._kept, ids)
        # Who writes wants the logits behind the last token, and a batch makes them.
        most = min(shared, len(ids) - to_write)
        start = max((edge for edge in edges if edge in self._edges and edge <= most), default=0)
        self._roll_back(self._prompt, start)
        if start < lead <= len(ids) - to_write and self._lead.load(self._context, ids[:lead]):
            start = self._prompt.position = lead
        self._kept = ids[:start]
        self._edges = [edge for edge in edges if edge <= start]
        yield Reading(start, len(ids))
        for begin, end in pairwise(edges[edges.index(start) :]):
            self._feed([(self._prompt, ids[begin:end])])
            self._kept = ids[:end]
            self._edges.append(end)
            if end == lead:
                self._lead.save(self._context, self._kept)
            yield Reading(end, len(ids))

    def _write(
        self, steps: Sequence[tuple[str, Section]], samplings: Sequence[Sampling], clock: _Clock
    ) -> Iterator[Event]:
        """All candidates in step: each turn appends what every one of them asked for, then lets it ask again."""
        happened: list[Event] = []
        writing: list[tuple[_Sequence, Generator[list[int], int, None], list[int]]] = []
        with ExitStack() as cleanup:
            for number, sampling in enumerate(samplings):
                sequence = _Sequence(number + 1, self._prompt.position)
                L.llama_memory_seq_cp(self._memory, 0, sequence.number, -1, -1)
                cleanup.callback(self._roll_back, sequence, 0)
                first_chain, chain = (
                    cleanup.enter_context(self._chain(banned, sampling))
                    for banned in (self._banned_first, self._banned)
                )
                pen = _Pen(number, sequence, first_chain, chain, happened)
                writing.append((sequence, candidate := self._compose(pen, steps, clock), next(candidate)))
            rows = [-1] * len(writing)  # all begin from the logits behind the prompt
            while writing:
                still = []
                for (sequence, candidate, _), row in zip(writing, rows, strict=True):
                    with suppress(StopIteration):
                        still.append((sequence, candidate, candidate.send(row)))
                yield from happened
                happened.clear()
                writing = still
                rows = self._append([(sequence, ids) for sequence, _, ids in writing])

    def _compose(
        self, pen: _Pen, steps: Sequence[tuple[str, Section]], clock: _Clock
    ) -> Generator[list[int], int, None]:
        """A candidate: yields the ids it wants appended, and is sent the row of the logits behind them."""
        tail, row = "", (yield [])
        for number, (forced, section) in enumerate(steps):
            if number:
                row = yield self.vocab.tokens(tail + forced, special=True)
            tail, capped = yield from self._write_section(pen, section, row, clock)
            pen.happened.append(Closed(section.name, capped, pen.candidate))

    def _write_section(
        self, pen: _Pen, section: Section, row: int, clock: _Clock
    ) -> Generator[list[int], int, tuple[str, bool]]:
        """Sample one section; returns (shown text that is not in the KV yet, whether the cap closed it)."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        sequence = pen.sequence
        whole = sequence.position  # tokens up to here spell whole characters
        last = ""
        for count in range(1, section.max_tokens + GRACE_TOKENS + 1):
            token = self._sample(pen.chain if last else pen.first_chain, row, clock)
            piece = self._pieces[token]
            text, tag, _ = decoder.decode(piece).partition("<")
            if not last:
                text = text.lstrip()
            if text:
                last = text[-1]
                pen.happened.append(Delta(section.name, text, pen.candidate))
            if tag:
                self._roll_back(sequence, whole)
                return text, False
            row = yield [token]
            open_bytes = len(decoder.getstate()[0])
            if open_bytes < len(piece):
                whole = sequence.position
            elif text:  # shown for earlier tokens; this one has only begun a character
                whole = sequence.position - 1
            if count >= section.max_tokens and last and last in SENTENCE_ENDS:
                break
        self._roll_back(sequence, whole)
        if last:
            return "", True
        pen.happened.append(Delta(section.name, PLACEHOLDER, pen.candidate))
        return PLACEHOLDER, True

    def _sample(self, chain: int, row: int, clock: _Clock) -> int:
        if self._switch.pulled:
            raise _Stopped
        token: int = L.llama_sampler_sample(chain, self._context, row)
        if not clock.sampled:
            clock.first_token = time.perf_counter()
        clock.sampled += 1
        return token

    def _append(self, wanted: Sequence[tuple[_Sequence, list[int]]]) -> list[int]:
        """Append ids to every sequence; returns the row of the logits behind each."""
        share = BATCH_TOKENS // max(1, len(wanted))
        together = []
        for sequence, ids in wanted:
            head = max(0, len(ids) - share)
            for begin in range(0, head, BATCH_TOKENS):
                self._feed([(sequence, ids[begin : min(head, begin + BATCH_TOKENS)])])
            together.append((sequence, ids[head:]))
        return self._feed(together) if together else []

    def _feed(self, parts: Sequence[tuple[_Sequence, list[int]]]) -> list[int]:
        """Append at most one batch, to one sequence or several; returns the row of each one's last token."""
        if self._switch.pulled:
            raise _Stopped
        row, ends = 0, []
        for sequence, ids in parts:
            for position, token in enumerate(ids, sequence.position):
                self._tokens[row] = token
                self._positions[row] = position
                self._owners[row][0] = sequence.number
                self._outputs[row] = False
                row += 1
            self._outputs[row - 1] = True
            ends.append(row - 1)
        self._batch.n_tokens = row
        code = L.llama_decode(self._context, self._batch)
        if code == 2:
            raise _Stopped
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")
        for sequence, ids in parts:
            sequence.position += len(ids)
        return ends

    def _roll_back(self, sequence: _Sequence, position: int) -> None:
        L.llama_memory_seq_rm(self._memory, sequence.number, position, -1)
        sequence.position = position

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


def _edges(lead: int, length: int) -> list[int]:
    """Where the batches of a prompt begin and end: within the first `lead` tokens, and behind them."""
    inner = range(0, min(lead, length), BATCH_TOKENS)
    return [*inner, *range(min(lead, length), length, BATCH_TOKENS), length] if length else [0]


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    for position, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return position
    return min(len(left), len(right))
