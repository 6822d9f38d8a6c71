"""An engine behind an address: any server that speaks OpenAI's completions, such as llama-server or vLLM.

The same script as the local engine writes: the client appends the forced text and asks for each section in a request of
its own, which ends at '<'. Each candidate is a thread with a request at a time; a server that keeps prefixes reads the
post once. What the server sends is text to be cleaned, never structure: whatever it streams, the format holds.
"""

from __future__ import annotations

import codecs
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from app.chain import Piece, neutral
from app.engine.completions import Line, Server, read_server
from app.engine.protocol import (
    MAX_CANDIDATES,
    Closed,
    Delta,
    Engine,
    Event,
    Finished,
    Reading,
    Sampling,
    Script,
    Section,
    Status,
)
from app.errors import DeskError

GRACE_TOKENS = 40
"""How far past its cap a section may run to reach the end of a sentence."""
SENTENCE_ENDS = ("。", "！", "？", "!", "?", "\n")
PENALTY_TOKENS = 64
PLACEHOLDER = "…"
"""Stands in a section in which the server wrote nothing visible."""
SEED_STEP = 1_000_003
"""Between the seeds of two sections, so that no section draws the numbers of another section or candidate."""

_UNSEEN = dict.fromkeys(set(range(32)) - {ord("\n"), ord("\t")} | {127})
"""Control characters, which no reader wants."""


class RemoteEngine:
    """Implements `protocol.Engine`.

    Args:
        url: base address of the server, https or on this computer.
        model: name that the server knows the model by; None: the one it serves.
        key: sent as a bearer token; kept in memory alone.
        scorer: embeds; without it `embed` raises reward_model_missing. Closed with this engine.
        patience_s: longest silence of the server before a generation is given up; reading a long post is silent.
        candidates: the most responses that are asked for at once.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        key: str | None = None,
        scorer: Engine | None = None,
        patience_s: float = 60.0,
        candidates: int = MAX_CANDIDATES,
    ):
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise DeskError("engine_key_refused")
        self.candidates = candidates
        self._server = read_server(url)
        self._model = model
        self._key = key
        self._scorer = scorer
        self._patience_s = patience_s
        self._turn = threading.Lock()
        self._changed = threading.Lock()  # guards both below
        self._running: _Generation | None = None
        self._closed = False

    def status(self) -> Status:
        """Ready without asking the server: nothing goes out before a draft is wanted."""
        leaves_for = None if self._server.here else self._server.host
        if self._closed:
            return Status("failed", DeskError("engine_closed"), leaves_for)
        return Status("ready", leaves_for=leaves_for)

    def generate(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        """See `protocol.Engine`; `Reading` has no counts, since a server tells them only afterwards.

        Raises:
            DeskError: remote_unreachable, remote_denied, remote_busy, remote_refused (status), remote_broken,
                remote_silent (seconds), remote_context_full, all with the host; engine_closed.
        """
        asked = time.perf_counter()
        with self._turn:
            lines = [Line(self._server, self._key) for _ in samplings]
            generation = _Generation(self._server, self._model, lines, asked)
            with self._changed:
                if self._closed:
                    raise DeskError("engine_closed")
                self._running = generation
            try:
                yield Reading(0, 0)
                generation.begin(_as_text(prompt), script, samplings)
                yield from generation.events(self._patience_s)
            finally:
                with self._changed:
                    self._running = None
                generation.hang_up()

    def read_ahead(self, prompt: Sequence[Piece]) -> None:
        """Nothing: a post leaves this computer only when a draft is asked for."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `protocol.Engine`; the scorer's, on this computer."""
        if self._scorer is None:
            raise DeskError("reward_model_missing")
        return self._scorer.embed(texts)

    def stop(self) -> None:
        """See `protocol.Engine`. The streams are closed at once, by which the server knows to end its work."""
        with self._changed:
            if self._running:
                self._running.end(None)

    def close(self) -> None:
        """Whatever runs raises engine_closed."""
        with self._changed:
            self._closed = True
            if self._running:
                self._running.end(DeskError("engine_closed"))
        if self._scorer:
            self._scorer.close()


class _Generation:
    """One call of `generate`: a thread a candidate, and one queue of what they have to tell."""

    def __init__(self, server: Server, model: str | None, lines: Sequence[Line], asked: float):
        self._host = server.host
        self._model = model
        self._lines = lines
        self._asked = asked
        self._began = time.perf_counter()
        self._news: queue.SimpleQueue[Event | Exception | str | None] = queue.SimpleQueue()
        """Events; what ends it: an exception, or None for a stop; "" for a sign of life, "done" for a candidate."""
        self._prompt_tokens = 0
        self._tokens = [0] * len(lines)

    def begin(self, prompt: str, script: Script, samplings: Sequence[Sampling]) -> None:
        """Start the candidates."""
        for candidate, sampling in enumerate(samplings):
            threading.Thread(target=self._work, args=(candidate, prompt, script, sampling), daemon=True).start()

    def events(self, patience_s: float) -> Iterator[Event]:
        """What the candidates write, up to `Finished`."""
        first = 0.0
        writing, stopped = len(self._lines), False
        while writing and not stopped:
            try:
                news = self._news.get(timeout=patience_s)
            except queue.Empty:
                raise DeskError("remote_silent", host=self._host, seconds=round(patience_s)) from None
            if isinstance(news, Exception):
                raise news
            if isinstance(news, Event):
                first = first or time.perf_counter()
                yield news
            stopped = news is None
            writing -= news == "done"
        now = time.perf_counter()
        yield Finished(
            stopped=stopped,
            prompt_tokens=self._prompt_tokens,
            prompt_s=(first or now) - self._began,  # the way there, the queue of the server and its reading
            first_token_s=first - self._asked if first else 0.0,
            decode_tokens=sum(self._tokens),
            decode_s=now - first if first else 0.0,
        )

    def end(self, reason: DeskError | None) -> None:
        """Let `events` end after what was told so far: stopped without a reason, raising with one."""
        self._news.put(reason)
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection; the threads run out, and nobody hears what they still say."""
        for line in self._lines:
            line.close()

    def _work(self, candidate: int, text: str, script: Script, sampling: Sampling) -> None:
        """Write the script of one candidate."""
        number = 0
        try:
            for step in script:
                if isinstance(step, str):
                    text += step
                else:
                    text += self._write_section(candidate, step, number, self._request(text, step, sampling, number))
                    number += 1
            self._news.put("done")
        except Exception as error:  # raised again where the events are read
            self._news.put(error)

    def _request(self, text: str, section: Section, sampling: Sampling, number: int) -> dict[str, object]:
        """A request for one section. Servers pass over the names they do not know."""
        named = {"model": self._model} if self._model else {}
        return named | {
            "prompt": text,
            "stop": ["<"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": section.max_tokens + GRACE_TOKENS,
            "seed": (sampling.seed + number * SEED_STEP) & 0x7FFFFFFF,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "repeat_penalty": sampling.repeat_penalty,  # llama-server
            "repeat_last_n": PENALTY_TOKENS,
            "repetition_penalty": sampling.repeat_penalty,  # vLLM
        }

    def _write_section(self, candidate: int, section: Section, number: int, request: dict[str, object]) -> str:
        """Tell one section as it comes in, and return it whole."""
        cleaned = _Cleaner()
        whole, finish, pieces, told = "", "", 0, 0
        with closing(self._lines[candidate].ask(request)) as chunks:
            for chunk in chunks:
                text, tag, _ = cleaned(chunk.text).partition("<")
                text = text if whole else text.lstrip()
                whole += text
                self._news.put(Delta(section.name, text, candidate) if text else "")
                if chunk.text:
                    pieces += 1
                    self._tokens[candidate] += 1
                if number == 0:
                    self._prompt_tokens = self._prompt_tokens or chunk.prompt_tokens
                finish, told = finish or chunk.finish, told or chunk.tokens
                over = pieces - section.max_tokens
                if tag or over >= GRACE_TOKENS or (over >= 0 and whole.endswith(SENTENCE_ENDS)):
                    finish = "stop" if tag else "length"
                    break  # a server that keeps to the request comes here at a sentence end alone
        if told:
            self._tokens[candidate] += told - pieces  # not every token becomes a piece of its own
        if finish == "length" and 0 < told < section.max_tokens:
            raise DeskError("remote_context_full", host=self._host)
        if not whole:
            whole = PLACEHOLDER
            self._news.put(Delta(section.name, whole, candidate))
        self._news.put(Closed(section.name, finish == "length", candidate))
        return whole


class _Cleaner:
    """Text as the desk keeps it: no control characters, no half of a surrogate pair that JSON can spell."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def __call__(self, text: str) -> str:
        """The next stretch; the first half of a pair waits for its second in the next one."""
        return self._decoder.decode(text.encode("utf-16-le", "surrogatepass")).translate(_UNSEEN)


def _as_text(prompt: Sequence[Piece]) -> str:
    """The prompt as the server reads it, where any text may spell control tokens: what is not ours loses its '<'."""
    text = "".join(piece.text if piece.special else neutral(piece.text) for piece in prompt)
    return text.encode("utf-8", "replace").decode("utf-8")
