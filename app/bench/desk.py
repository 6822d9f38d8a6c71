"""What the desk needs on this machine in seconds, tokens and megabytes: medians of several runs of the real parts.

Not a test: nothing here fails for being slow. Every figure says how it was got.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from app.bench.figures import POST_CHARS, ROOT, Figure, Tell, bare, figure, finished, loop, machine, model, posts
from app.catalog import Card
from app.composing import compose
from app.engine.llama import LlamaEngine
from app.engine.protocol import Delta, Event, Finished, Reading, Sampling
from app.errors import DeskError
from app.models import choose, start_local
from app.scoring import Scorer
from app.settings import Settings

RUNS = 5
STOP_ATTEMPTS = 20
DRAFTS = 15
"""More than the other runs: a small model writes one in a seventh of a second."""
SCORED_PAIRS = 256


def measure(settings: Settings, tell: Tell) -> dict[str, Any]:
    """Every figure with its unit, its runs and how it was got, and what it was got on.

    Raises:
        DeskError: as the catalogue and the engine do; reward_model_missing (model).
    """
    policy, reward = choose(settings.model_copy(update={"engine_url": None}))
    if reward is None:
        raise DeskError("reward_model_missing", model=policy.name)
    report: dict[str, Any] = {"machine": machine(), "models": [model(policy), model(reward)], "figures": {}}
    for part in (start_figures, engine_figures):
        tell(part.__name__)
        report["figures"] |= part(settings, policy, reward)
    figures = report["figures"]
    if "desk_memory" in figures:
        total = figures["desk_memory"]["value"] + figures["engine_memory"]["value"]
        figures["total_memory"] = figure([total], "MB", "desk_memory + engine_memory")
    return report


def start_figures(settings: Settings, policy: Card, reward: Card) -> dict[str, Figure]:
    """From the command to the page."""
    imports = [import_s("app.web.app") for _ in range(RUNS)]
    answers, paints, memory = zip(*(first_paint(settings, policy) for _ in range(RUNS)), strict=True)
    command = " ".join(entry())
    figures = {
        "import_app_web": figure(imports, "s", "import app.web.app in a fresh interpreter, measured inside it"),
        "first_answer": figure(
            answers, "s", f"from the start of `{command}` to the first page by HTTP, which may wait"
        ),
        "first_paint": figure(paints, "s", f"from the start of `{command}` to the whole HTML of the desk by HTTP"),
    }
    known = [mb for mb in memory if mb is not None]
    if known:
        how = "largest Pss of the page's process after its first paint and an idle second"
        figures["desk_memory"] = figure([max(known)], "MB", how)
    return figures


def entry() -> list[str]:
    """The command that a person gives, where this runs in the environment that it made; else what it hands over to."""
    return ["launch.py"] if Path(sys.prefix) == ROOT / ".venv" else ["-m", "app"]


def import_s(module: str) -> float:
    script = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def first_paint(settings: Settings, policy: Card) -> tuple[float, float, float | None]:
    """Seconds to the first answer and to the desk itself, and the memory of the process that serves it in MB."""
    with socket.socket() as probe:
        probe.bind((settings.host, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as data_dir:
        command = [sys.executable, *entry(), "--data-dir", data_dir, "--port", str(port), "--no-browser"]
        command += ["--models-dir", str(settings.models_dir.absolute()), "--model", policy.name]
        began = time.perf_counter()
        desk = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            answered, painted = wait_for_page(f"http://{settings.host}:{port}/", desk)
            time.sleep(1)
            return answered - began, painted - began, pss_mb(desk.pid)
        finally:
            desk.terminate()
            desk.wait(timeout=30)


def wait_for_page(url: str, desk: subprocess.Popen[bytes]) -> tuple[float, float]:
    """When the desk first answered, and when it answered with its page: while that is built, it answers 503."""
    # Without the proxies of the environment: this is the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answered = 0.0
    while desk.poll() is None:
        try:
            with opener.open(url, timeout=5) as answer:
                answer.read()
                now = time.perf_counter()
                return answered or now, now
        except urllib.error.HTTPError:
            answered = answered or time.perf_counter()
        except urllib.error.URLError:
            pass
        time.sleep(0.02)
    raise DeskError("internal")


def engine_figures(settings: Settings, policy: Card, reward: Card) -> dict[str, Figure]:
    """Drafting and scoring, on the engine the desk uses."""
    ready = []
    for _ in range(RUNS):
        began = time.perf_counter()
        with closing(start_local(policy, reward, settings.candidates)) as engine:
            while engine.status().state == "starting":
                time.sleep(0.002)
            ready.append(time.perf_counter() - began)
    figures = {"engine_ready": figure(ready, "s", "from its construction to both models loaded, file cache warm")}
    with closing(start_local(policy, reward, settings.candidates)) as engine:
        figures |= draft_figures(engine, policy)
        figures |= stop_figures(engine)
        figures |= score_figures(engine, reward)
        # Looking at a process's memory slows that process, so it is done in a pass of its own.
        with watched(engine.pid) as peak:
            finished(compose(engine, next(posts(POST_CHARS)), Sampling(seed=0)))
            score_figures(engine, reward)
    if peak:
        how = "largest Pss of the engine's process while drafting and scoring, looked at 20 times a second"
        figures["engine_memory"] = figure([max(peak)], "MB", how)
    return figures


def draft_figures(engine: LlamaEngine, policy: Card) -> dict[str, Figure]:
    """Whole drafts through our engine, each beside a bare loop that writes as many tokens after the same prompt."""
    first, ours, theirs = [], [], []
    with loop("app.bench.bare_loop", policy) as ask:
        for number, post in zip(range(DRAFTS + 1), posts(POST_CHARS), strict=False):
            sampling = Sampling(seed=number)
            done = finished(compose(engine, post, sampling))
            bare_s = bare(ask, post, done.decode_tokens, number)["decode_s"]
            if number:  # the first pair warms both up
                first.append(done.first_token_s)
                ours.append(done.decode_tokens / done.decode_s)
                theirs.append(done.decode_tokens / bare_s)
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {
        "first_token": figure(first, "s", f"new post of {POST_CHARS} characters, system prompt already read"),
        "decode": figure(ours, "tokens/s", "whole drafts, sampled tokens over the time from the first to the end"),
        "decode_bare": figure(
            theirs, "tokens/s", "app/bench/bare_loop.py: same prompt, draws, threads and number of tokens"
        ),
        "decode_ratio": figure(ratios, "of bare", "decode / decode_bare, run by run, the two in turn"),
    }


def stop_figures(engine: LlamaEngine) -> dict[str, Figure]:
    """How long a stop takes to be obeyed."""
    new_posts = posts(POST_CHARS, seed=1)
    in_prompt = [stop_s(engine, new_posts, Reading) for _ in range(RUNS)]
    in_text = [stop_s(engine, new_posts, Delta) for _ in range(RUNS)]
    return {
        "stop_reading": figure(in_prompt, "s", "from stop() to the last event, after the first report of reading"),
        "stop_writing": figure(in_text, "s", "from stop() to the last event, after the first piece of text"),
    }


def stop_s(engine: LlamaEngine, new_posts: Iterator[str], kind: type[Event]) -> float:
    """Stop at the first event of that kind; seconds until the generation has ended.

    On a busy machine a small model may have written all before the stop reaches it; then another post is drafted.
    """
    for post in islice(new_posts, STOP_ATTEMPTS):
        stopped_at = 0.0
        event: Event | None = None
        for event in compose(engine, post, Sampling(seed=0)):
            if isinstance(event, kind) and not stopped_at:
                stopped_at = time.perf_counter()
                engine.stop()
        taken = time.perf_counter() - stopped_at
        if isinstance(event, Finished) and event.stopped:
            return taken
    raise TimeoutError(f"{STOP_ATTEMPTS} drafts were whole before a stop reached them; let the machine rest.")


def score_figures(engine: LlamaEngine, reward: Card) -> dict[str, Figure]:
    """Pairs a minute."""
    scorer = Scorer(engine, reward)
    runs = []
    for number in range(RUNS):
        letters, answers = posts(300, seed=number), posts(200, seed=1000 + number)
        pairs = [(next(letters), next(answers)) for _ in range(SCORED_PAIRS)]
        began = time.perf_counter()
        scorer.score(pairs)
        runs.append(SCORED_PAIRS / (time.perf_counter() - began) * 60)
    how = f"{SCORED_PAIRS} pairs of a post of 300 and an answer of 200 characters, all different"
    return {"score": figure(runs, "pairs/min", how)}


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The memory of a process in MB, sampled while the block runs; stays empty where the system does not tell."""
    seen: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            mb = pss_mb(pid)
            if mb is not None:
                seen.append(mb)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def pss_mb(pid: int) -> float | None:
    """Memory of a process, with its share of what it shares; None where the system does not tell."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) / 1024 if found else None
