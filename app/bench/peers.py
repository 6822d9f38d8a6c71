"""Our engine beside other roads to a draft, on the same file: a bare loop, a grammar, and llama-server where one runs.

The roads take turns, and ratios are taken round by round. Decoding is compared from the first sampled token on: every
road reads the prompt once and keeps it. The text of the forced tags counts for nobody, so the grammar, which has to
sample them, gets by with less text for as many tokens.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from app.bench.figures import POST_CHARS, Figure, Tell, figure, loop, machine, model, posts
from app.bench.roads import CANDIDATES, Roads
from app.bench.server import LlamaServer
from app.catalog import Card
from app.engine import gguf_header
from app.engine.protocol import Sampling
from app.models import choose, start_local
from app.settings import Settings

LEAST_ROUNDS = 5
LEAST_S = 120.0
"""A small model goes more rounds in this time: its drafts are as different in length, and sooner done."""
SECTION_TOKENS = 64
"""Where the sections of a model beside the catalogue are closed: one with random weights would run on to the desk's
caps, and write five times as much as a draft is."""
CONTEXT_TOKENS = 4096

HOW = {
    "one": ("tokens/s", "our engine, one candidate: sampled tokens over the time from the first to the end"),
    "one_bare": ("tokens/s", "app/bench/bare_loop.py: same prompt, draws, threads and number of tokens"),
    "one_server": ("tokens/s", "llama-server, by its own timings: same prompt, draws and number of tokens, no grammar"),
    "one_over_bare": ("times", "one / one_bare"),
    "four": ("tokens/s", f"our engine, {CANDIDATES} candidates in step, all their tokens together"),
    "four_bare": ("tokens/s", f"app/bench/bare_loop.py, {CANDIDATES} times one after the other, as many tokens"),
    "four_grammar": (
        "tokens/s",
        f"Llama.create_completion with our format as GBNF, {CANDIDATES} times, as many tokens",
    ),
    "four_server": ("tokens/s", f"llama-server with n_cmpl {CANDIDATES}, as many tokens, no grammar"),
    "four_over_bare": ("times", "four / four_bare"),
    "four_over_grammar": ("times", "four / four_grammar"),
    "first_token": (
        "s",
        "from the request to the first token; the post was read ahead, as when a person has pasted it",
    ),
    "draft": ("s", "one candidate, from the request to the end: new post, system prompt already read"),
    "redraft": ("s", "the same post again with L1 to L3 kept: L4 and the answer, from the request to the end"),
    "redraft_layer": ("s", "the same with all but L4 kept: L4 alone"),
    "draft_over_redraft": ("times", "draft / redraft"),
    "draft_over_redraft_layer": ("times", "draft / redraft_layer"),
    "stop_reading": ("s", "from stop() to the last event, after the first report of reading"),
    "format_valid": ("of all", "share of the texts of all rounds, from our engine, that the strict parser takes"),
}


@dataclass(frozen=True)
class Bar:
    """What the median of a figure is to reach."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None


BARS = (
    Bar("one_over_bare", at_least=0.95),
    Bar("four_over_bare", at_least=1.4),
    Bar("four_over_grammar", at_least=3.0),
    Bar("first_token", at_most=0.3),
    Bar("draft_over_redraft", at_least=3.0),
    Bar("stop_reading", at_most=0.1),
    Bar("format_valid", at_least=1.0),
)


def measure(settings: Settings, tell: Tell, gguf: Path | None = None, server_url: str | None = None) -> dict[str, Any]:
    """Every figure, what it was got on, and which bars are reached. Figures that could not be got are None.

    Args:
        settings: name the model, where `gguf` does not.
        tell: is told of every round.
        gguf: a model beside the catalogue.
        server_url: of a llama-server that serves the same file.

    Raises:
        DeskError: as the catalogue, the engine and `LlamaServer` do.
    """
    policy = card_of(gguf) if gguf else choose(settings.model_copy(update={"engine_url": None}))[0]
    server = LlamaServer(server_url, policy) if server_url else None
    section_tokens = SECTION_TOKENS if gguf else None
    measured_on = machine() | {"llama_server": server.build if server else None}
    runs: dict[str, list[float]] = defaultdict(list)
    with (
        closing(start_local(policy, None, CANDIDATES)) as engine,
        loop("app.bench.bare_loop", policy) as bare,
        loop("app.bench.grammar_loop", policy) as grammar,
    ):
        roads = Roads(engine, bare, grammar, server, section_tokens)
        new_posts = posts(POST_CHARS)
        tell("warming up")
        roads.round(new_posts, seed=0)
        began = time.monotonic()
        for number in count(1):
            tell(f"round {number}")
            for name, value in roads.round(new_posts, seed=100 * number).items():
                runs[name].append(value)
            if number >= LEAST_ROUNDS and time.monotonic() - began >= LEAST_S:
                break
    figures = figures_of(runs)
    return {
        "machine": measured_on,
        "model": model(policy),
        "sampling": {name: value for name, value in asdict(Sampling(seed=0)).items() if name != "seed"},
        "post_chars": POST_CHARS,
        "section_tokens": section_tokens,
        "figures": figures,
        "left_out": {name: "no --server was given" for name, got in figures.items() if got is None},
        "bars": bars(figures),
    }


def figures_of(runs: Mapping[str, Sequence[float]]) -> dict[str, Figure | None]:
    """The figures of all rounds, in the order of `HOW`; None for a road that nobody could go."""
    # Over all texts: a median of the rounds would hide the one that is broken.
    summed = {**runs, "format_valid": [statistics.fmean(runs["format_valid"])]}
    return {name: figure(summed[name], *how) if name in summed else None for name, how in HOW.items()}


def card_of(gguf: Path) -> Card:
    """A card for a file that has none.

    Raises:
        DeskError: model_missing, model_unreadable.
    """
    gguf_header.check(gguf)
    with gguf.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size, name = gguf.stat().st_size, gguf.stem
    return Card(name, "policy", gguf, sha256, size, size >> 20, CONTEXT_TOKENS, title_zh=name, title_en=name)


def bars(figures: dict[str, Figure | None]) -> list[dict[str, Any]]:
    """Each bar with the median held against it, and whether that reaches it."""
    found = []
    for bar in BARS:
        reached = figures[bar.figure]
        assert reached
        value = reached["value"]
        high = bar.at_least is None or value >= bar.at_least
        low = bar.at_most is None or value <= bar.at_most
        found.append({**asdict(bar), "value": value, "reached": high and low})
    return found
