"""The engine's process dies in the middle of drafts, again and again: no word that was on screen is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from app.catalog import Card
from app.drafting import Drafter, Snapshot
from app.engine.llama import LlamaEngine
from storage.store import Store
from tests.tiny_gguf import write_model

KILLS = 50
PATIENCE_S = 60.0
CONTEXT_TOKENS = 4096


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process as only Unix does")
def test_fifty_deaths_of_the_engine_lose_no_text_that_was_shown(tmp_path: Path) -> None:
    policy = write_model(tmp_path / "policy.gguf", context_tokens=CONTEXT_TOKENS)
    card = Card("policy", "policy", policy, "a" * 64, 1, 1, CONTEXT_TOKENS, "写", "writes", None)
    store = Store.open(tmp_path / "data")
    engine = LlamaEngine(policy, None, CONTEXT_TOKENS, candidates=2)
    drafter = Drafter(store, engine, card, None)
    author = store.person("作者")
    chance = random.Random(7)
    crashed = 0
    try:
        for number in range(KILLS):
            draft_id = drafter.start(author, "", f"第 {number} 封信：最近总是睡不好。", candidates=1 + number % 2)
            seen = _written(drafter, draft_id, chance.randrange(60))
            if not seen.over:
                os.kill(engine.pid, signal.SIGKILL)
            end = _written(drafter, draft_id, None)
            row = store.draft(draft_id)
            crashed += end.stage == "failed" and end.error is not None and end.error.code == "engine_crashed"
            assert row.status == end.stage
            for section, text in seen.parts.items():
                # Of a draft that was whole before the blow fell, white space at the ends of sections is gone.
                assert row.sections[section].startswith(text.rstrip()), (number, section)
    finally:
        drafter.close()
        engine.close()
        store.close()
    # A few are over before the blow falls.
    assert crashed >= KILLS * 3 // 4


def _written(drafter: Drafter, draft_id: int, chars: int | None) -> Snapshot:
    """The draft once it has so many characters, or is over."""
    patience = time.monotonic() + PATIENCE_S
    while time.monotonic() < patience:
        now = drafter.snapshot(draft_id)
        if now.over or (chars is not None and sum(map(len, now.parts.values())) >= chars):
            return now
        time.sleep(0.001)
    raise TimeoutError(now.stage)
