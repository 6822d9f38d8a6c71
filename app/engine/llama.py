"""The default engine: llama.cpp in a child process of ours, spoken to in JSON lines.

A crash, a hang or an abort in native code ends the child; it becomes a `DeskError` and a fresh child, and the page and
its text stay. Nothing here waits for ever: every wait for the child has an end, and writing to it never blocks.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from app.chain import Piece
from app.engine import wire
from app.engine.protocol import MAX_CANDIDATES, Event, Finished, Sampling, Script, Status
from app.errors import DeskError

_ROOT = Path(__file__).resolve().parents[2]


class _Child:
    """One engine process and a thread for each end of its pipes."""

    def __init__(self, arguments: Sequence[str]):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.engine.child", *arguments],
            cwd=_ROOT,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # native messages may quote what was being read
            start_new_session=True,  # Ctrl-C is for the desk, which then closes the child
        )
        self.pid = self._process.pid
        self._outgoing: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def send(self, message: wire.Message) -> None:
        """Queue a message; a child that is dead or does not read is noticed by `receive`."""
        self._outgoing.put(message)

    def receive(self, patience_s: float) -> wire.Message:
        """The next message; a nudge may come from the child or from this side.

        Raises:
            DeskError: engine_crashed (exit), engine_hung (seconds), or what the child reports.
        """
        try:
            message = self._incoming.get(timeout=patience_s)
        except queue.Empty:
            raise DeskError("engine_hung", seconds=round(patience_s)) from None
        if message is None:
            self._process.kill()  # in case it lives on without its pipe; a dead one keeps its exit code
            raise DeskError("engine_crashed", exit=_exit_name(self._process.wait()))
        if message["event"] == "error":
            raise DeskError(message["code"], **message["values"])
        return message

    def nudge(self) -> None:
        """Let `receive` return, so that its caller can wait anew with another patience."""
        self._incoming.put(wire.NUDGE)

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the process, stopped or hung as it may be, and let its threads run out."""
        self._process.kill()
        self._process.wait()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        assert self._process.stdin
        with suppress(OSError), self._process.stdin as pipe:
            while (message := self._outgoing.get()) is not None:
                pipe.write(wire.to_line(message))
                pipe.flush()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as pipe, suppress(ValueError):  # a dying child may leave half a line
            for line in pipe:
                self._incoming.put(wire.from_line(line))
        self._incoming.put(None)


class LlamaEngine:
    """Implements `protocol.Engine`. The child starts loading at once; the constructor does not wait for it.

    Args:
        policy: GGUF that writes; without it the engine only embeds, and `generate` raises no_model.
        reward: GGUF that scores; without it `embed` raises reward_model_missing.
        context_tokens: prompt and one response together.
        candidates: the most responses that are written in step.
        patience_s: longest silence of the child before it counts as hung.
        stop_patience_s: the same, once a generation was told to stop.
        policy_sha256: what the file must hash to, at every start of a child; another is model_changed. None: any.
        reward_sha256: as `policy_sha256`.
        cache: folder for what the policy has read of the system prompt; None, or no hash of it, keeps nothing.
    """

    def __init__(
        self,
        policy: Path | None,
        reward: Path | None,
        context_tokens: int = 4096,
        candidates: int = MAX_CANDIDATES,
        patience_s: float = 60.0,
        stop_patience_s: float = 5.0,
        *,
        policy_sha256: str | None = None,
        reward_sha256: str | None = None,
        cache: Path | None = None,
    ):
        self._arguments = [
            str(context_tokens),
            str(candidates),
            str(policy.resolve()) if policy else "",
            policy_sha256 or "",
            str(reward.resolve()) if reward else "",
            reward_sha256 or "",
            str(cache.resolve()) if cache else "",
        ]
        self.candidates = candidates
        self._patience_s = patience_s
        self._stop_patience_s = stop_patience_s
        self._turn = threading.Lock()
        self._changed = threading.Condition()  # guards all below
        self._request = 0
        self._generating = False
        self._stopped = 0
        self._ahead: tuple[int, Sequence[Piece]] | None = None
        """Request and prompt of a reading ahead that has perhaps not ended."""
        self._closed = False
        self._start()

    def status(self) -> Status:
        """What the page shows."""
        return self._status

    @property
    def pid(self) -> int:
        """Process id of the child, for measuring its memory."""
        return self._child.pid

    def generate(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        """See `protocol.Engine`. An iterator that is dropped half-way stops the generation."""
        asked = time.monotonic()
        with self._turn:
            request = self._begin(generating=True)
            self._end_reading_ahead(unless=prompt)
            try:
                if not self._wait_until_ready(request):
                    yield Finished(True, 0, 0.0, 0.0, 0, 0.0)
                    return
                waited_s = time.monotonic() - asked
                message = wire.generate_message(request, prompt, script, samplings)
                with closing(self._ask(message, "Finished")) as answers:
                    for answer in answers:
                        event = wire.read_event(answer)
                        if isinstance(event, Finished) and event.decode_tokens:
                            event = replace(event, first_token_s=event.first_token_s + waited_s)
                        yield event
            finally:
                with self._changed:
                    self._generating = False

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `protocol.Engine`."""
        with self._turn:
            request = self._begin(generating=False)
            self._end_reading_ahead()
            self._wait_until_ready(request)
            vectors: list[list[float]] = []
            for answer in self._ask({"op": "embed", "id": request, "texts": list(texts)}, "embedded"):
                if answer["event"] == "vectors":
                    vectors += wire.read_vectors(answer)
            return vectors

    def read_ahead(self, prompt: Sequence[Piece]) -> None:
        """See `protocol.Engine`. Does nothing while the engine is busy or not ready."""
        if self._status.state != "ready" or not self._turn.acquire(blocking=False):
            return
        try:
            if self._ahead is None or self._ahead[1] != prompt:
                self._end_reading_ahead()
                request = self._begin(generating=False)
                self._child.send(wire.prompt_message(request, prompt))
                self._ahead = request, prompt
        finally:
            self._turn.release()

    def stop(self) -> None:
        """See `protocol.Engine`."""
        with self._changed:
            if self._generating and self._stopped != self._request:
                self._stopped = self._request
                self._child.send({"op": "stop", "id": self._request})
                self._child.nudge()
                self._changed.notify_all()

    def close(self) -> None:
        """End the child; whatever runs raises engine_closed."""
        with self._changed:
            self._closed = True
            self._set_status(Status("failed", DeskError("engine_closed")))
            child = self._child
        child.end()

    def _begin(self, *, generating: bool) -> int:
        with self._changed:
            self._request += 1
            self._generating = generating
            return self._request

    def _end_reading_ahead(self, unless: Sequence[Piece] | None = None) -> None:
        """Stop a reading ahead, unless it is of this prompt."""
        if self._ahead and self._ahead[1] != unless:
            self._child.send({"op": "stop", "id": self._ahead[0]})
        self._ahead = None

    def _wait_until_ready(self, request: int) -> bool:
        """Wait for the child to have loaded; one that failed, or died idle, is replaced. False if stopped meanwhile.

        Raises:
            DeskError: what kept the models from loading.
        """
        if self._status.state == "failed" or (self._status.state == "ready" and not self._child.alive()):
            self._child.end()
            self._start()
        with self._changed:
            self._changed.wait_for(lambda: self._status.state != "starting" or self._stopped == request)
            status = self._status
        if status.error:
            raise DeskError(status.error.code, **status.error.values)
        return self._stopped != request

    def _ask(self, message: wire.Message, last: str) -> Generator[wire.Message, None, None]:
        """Send a request and yield its answers up to the one named `last`.

        Raises:
            DeskError: what the child reports; after a crash or a hang a fresh child is starting.
        """
        child = self._child
        child.send(message)
        answer: wire.Message = {"event": ""}
        try:
            while answer["event"] != last:
                answer = self._receive(child)
                yield answer
        except DeskError as error:
            raise self._recover(child, error) from None
        except BaseException:
            self.stop()
            self._drain(child, answer, last)
            raise

    def _drain(self, child: _Child, answer: wire.Message, last: str) -> None:
        """Take in what a dropped request still sends, so that the next one does not."""
        try:
            while answer["event"] != last:
                answer = self._receive(child)
        except DeskError as error:
            self._recover(child, error)

    def _receive(self, child: _Child) -> wire.Message:
        """The child's next message; a stop meanwhile shortens the wait for it."""
        message = wire.NUDGE
        while message == wire.NUDGE:
            stopped = self._stopped == self._request
            message = child.receive(self._stop_patience_s if stopped else self._patience_s)
        return message

    def _recover(self, child: _Child, error: DeskError) -> DeskError:
        """Put a fresh child in the place of a dead or hung one; returns the error to raise."""
        if self._closed:
            return DeskError("engine_closed")
        if error.code in ("engine_crashed", "engine_hung"):
            child.end()
            self._start()
        return error

    def _start(self) -> None:
        with self._changed:
            if self._closed:
                raise DeskError("engine_closed")
            self._child = _Child(self._arguments)
            self._set_status(Status("starting"))
            threading.Thread(target=self._shake_hands, args=(self._child,), daemon=True).start()

    def _shake_hands(self, child: _Child) -> None:
        """Wait until the child has loaded its models, or say why it has not."""
        try:
            while child.receive(self._patience_s)["event"] != "ready":
                pass
            status = Status("ready")
        except DeskError as error:
            child.end()
            status = Status("failed", error)
        with self._changed:
            if child is self._child and not self._closed:
                self._set_status(status)

    def _set_status(self, status: Status) -> None:
        self._status = status
        self._changed.notify_all()


def child_environment() -> dict[str, str]:
    """No debugger on abort; and OpenMP threads that wait spin for microseconds, then sleep.

    Spinning for long, OpenMP's habit, starves a machine with one other busy process. Sleeping at once costs a small
    model half of its speed at reading.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return inherited | {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "300", "GGML_NO_BACKTRACE": "1"}


def _exit_name(code: int) -> str:
    """The signal or exit code that ended a process."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit {code}"
