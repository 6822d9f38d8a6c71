"""What every measurement shares: a figure, what it was got on, and the posts it was got with."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.catalog import Card
from app.chain import prompt_pieces
from app.doctor import processor_name
from app.engine.llama import child_environment
from app.engine.protocol import Event, Finished

ROOT = Path(__file__).resolve().parents[2]
POST_CHARS = 600

SENTENCES = (
    "最近我总是很晚才睡着。",
    "白天上班的时候也没有精神。",
    "我和家里人吵了一架，谁也不肯先开口。",
    "朋友都说我想得太多，可是我停不下来。",
    "考试的结果出来以后，我一个人在房间里坐了很久。",
    "我不知道该不该继续这份工作。",
    "有时候觉得自己什么都做不好。",
    "其实我只是想有个人听我说说话。",
    "他说的那句话我一直记在心里。",
    "我很怕让父母失望。",
)

Tell = Callable[[str], None]
Figure = dict[str, Any]
Ask = Callable[[dict[str, Any]], dict[str, Any]]


def figure(runs: Sequence[float], unit: str, how: str) -> Figure:
    """One figure: the median of its runs, and the quartiles around it as their spread."""
    low, middle, high = statistics.quantiles(runs, method="inclusive") if len(runs) > 1 else [*runs] * 3
    return {"value": middle, "unit": unit, "spread": [low, high], "runs": list(runs), "how": how}


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    libraries = ("llama-cpp-python", "gradio", "numpy", "sqlalchemy")
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in libraries},
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def model(card: Card) -> dict[str, Any]:
    """Which file it was."""
    return {"name": card.name, "file": card.path.name, "sha256": card.sha256, "size_bytes": card.size_bytes}


def posts(chars: int, seed: int = 0) -> Iterator[str]:
    """Made-up posts of about that length, no two alike from their first sentence on."""
    draw = random.Random(seed)
    number = 0
    while True:
        number += 1
        text = f"这是第{number}封信。"
        while len(text) < chars:
            text += draw.choice(SENTENCES)
        yield text


def finished(events: Iterator[Event]) -> Finished:
    """The last event of a generation."""
    (last,) = deque(events, maxlen=1)
    assert isinstance(last, Finished)
    return last


def bare(ask: Ask, post: str, tokens: int, seed: int) -> dict[str, Any]:
    """Have `bare_loop` write that many tokens after the prompt of a post."""
    prompt = [[piece.text, piece.special] for piece in prompt_pieces(post)]
    return ask({"prompt": prompt, "tokens": tokens, "seed": seed})


@contextmanager
def loop(module: str, card: Card) -> Iterator[Ask]:
    """A yardstick in a process of its own, with the engine's environment: one JSON line in, one JSON line out."""
    command = [sys.executable, "-m", module, str(card.path.absolute()), str(card.context_tokens)]
    with subprocess.Popen(
        command, cwd=ROOT, env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        requests, answers = process.stdin, process.stdout

        def ask(request: dict[str, Any]) -> dict[str, Any]:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            answer: dict[str, Any] = json.loads(answers.readline())
            return answer

        yield ask
        requests.close()
