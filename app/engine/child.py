"""The engine process, JSON lines on its standard streams.

`python -m app.engine.child CONTEXT_TOKENS CANDIDATES POLICY SHA256 REWARD SHA256 CACHE`; "" for no policy, for no
reward model, for a hash not to check, or for keeping nothing on disk.
llama.cpp aborts the process on a bad file or a full cache; here that costs a message and a fresh child, not the page.
It ends when its standard input closes. It writes no text to any stream but the pipe to its parent, and no core file.
"""

from __future__ import annotations

import hashlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from app.engine import gguf_header, wire
from app.engine.protocol import Closed, Delta, Event
from app.errors import DeskError

DELTA_INTERVAL_S = 0.1
LOADING_INTERVAL_S = 0.5


def main() -> None:
    """Load the models, then serve one request after the other until the parent goes away."""
    forbid_core_files()
    out = take_stdout()

    def emit(message: wire.Message) -> None:
        out.write(wire.to_line(message))
        out.flush()

    try:
        context_tokens, candidates, policy, policy_sha256, reward, reward_sha256, cache = sys.argv[1:]
        for path, sha256 in ((policy, policy_sha256), (reward, reward_sha256)):
            if path:
                check(Path(path), sha256)
        writes, scores = (Path(path) if path else None for path in (policy, reward))
        kept = (Path(cache), policy_sha256) if cache and policy_sha256 else None
        serve(emit, writes, scores, int(context_tokens), int(candidates), kept)
    except DeskError as error:
        emit(error_message(error))
    except Exception as error:
        # The message of an unforeseen exception may quote text; its class and place do not.
        emit(error_message(DeskError("engine_crashed", exit=place(error))))
    finally:
        os._exit(1)  # without waiting for the thread that reads standard input


def check(path: Path, sha256: str) -> None:
    """Make sure that a file is a model, and the expected one: it may have been replaced while the desk runs.

    Raises:
        DeskError: model_missing, model_unreadable, model_changed (model, file).
    """
    gguf_header.check(path)
    if not sha256:
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise DeskError("model_changed", model=path.parent.name, file=path.name)


def serve(
    emit: Callable[[wire.Message], None],
    policy: Path | None,
    reward: Path | None,
    context_tokens: int,
    candidates: int,
    kept: tuple[Path, str] | None = None,
) -> None:
    """Answer requests for ever; returns only by an exception.

    `kept` is the folder for what the policy has read of the system prompt, and the hash of its file.

    Raises:
        DeskError: model_unreadable if llama.cpp refuses a model.
    """
    # Only now, because loading the library takes longer than finding that a file is no model.
    from app.engine.decode import Writer
    from app.engine.embed import Encoder
    from app.engine.lead import LeadFile
    from app.engine.native import StopSwitch, load_model

    switch = StopSwitch()
    requests: queue.SimpleQueue[wire.Message] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, requests, switch.pull), daemon=True).start()

    loading = at_intervals(LOADING_INTERVAL_S, lambda: emit({"event": "loading"}))
    writer = None
    if policy:
        lead = LeadFile(*kept) if kept else None
        writer = Writer(load_model(policy, loading), policy.name, context_tokens, candidates, switch, lead)
    encoder = Encoder(load_model(reward, loading), reward.name) if reward else None
    emit({"event": "ready"})

    while True:
        request = requests.get()
        try:
            if writer and request["op"] == "generate":
                switch.arm(request["id"])
                for event in joined(writer.write(*wire.read_generate(request))):
                    emit(wire.event_message(event))
            elif writer and request["op"] == "read":
                switch.arm(request["id"])
                for _ in writer.read_ahead(wire.read_prompt(request)):
                    emit(wire.NUDGE)
            elif encoder and request["op"] == "embed":
                for vectors in encoder.vectors(request["texts"]):
                    emit(wire.vectors_message(len(vectors), vectors.tobytes()))
                emit({"event": "embedded"})
            elif request["op"] != "read":  # nobody waits for its answer
                raise DeskError("reward_model_missing" if request["op"] == "embed" else "no_model")
        except DeskError as error:
            emit(error_message(error))


def listen(source: BinaryIO, requests: queue.SimpleQueue[wire.Message], stop: Callable[[int], None]) -> None:
    """Take requests off the pipe while the main thread computes; stops act at once."""
    for line in source:
        message = wire.from_line(line)
        if message["op"] == "stop":
            stop(message["id"])
        else:
            requests.put(message)
    os._exit(0)  # the parent is gone, and with it whoever could want the rest


def joined(events: Iterator[Event]) -> Iterator[Event]:
    """Join the deltas of a candidate's section, so that a fast model does not send a line for every token."""
    waiting: dict[int, Delta] = {}
    sent = 0.0
    for event in events:
        if isinstance(event, Delta):
            earlier = waiting.get(event.candidate)
            waiting[event.candidate] = replace(event, text=earlier.text + event.text) if earlier else event
            if time.monotonic() - sent >= DELTA_INTERVAL_S:
                yield from waiting.values()
                waiting.clear()
                sent = time.monotonic()
        else:
            # What closes one candidate's section leaves the others' text waiting.
            done = [event.candidate] if isinstance(event, Closed) else list(waiting)
            yield from (waiting.pop(candidate) for candidate in done if candidate in waiting)
            yield event


def at_intervals(interval_s: float, act: Callable[[], None]) -> Callable[[], None]:
    """A call that acts only if the last act is `interval_s` ago."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last >= interval_s:
            last = time.monotonic()
            act()

    return call


def error_message(error: DeskError) -> wire.Message:
    """An error for the pipe."""
    return {"event": "error", "code": error.code, "values": error.values}


def place(error: Exception) -> str:
    """Class and line of an exception, without its message."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return type(error).__name__ + where


def take_stdout() -> BinaryIO:
    """Keep standard output for messages alone: what native code prints goes to standard error instead."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def forbid_core_files() -> None:
    """A core file would hold the posts that were in memory."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
