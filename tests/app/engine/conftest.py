from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.llama import LlamaEngine
from tests.tiny_gguf import write_model

CONTEXT_TOKENS = 40_000
"""Room for generations that last seconds even on a tiny model."""


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "policy.gguf", context_tokens=CONTEXT_TOKENS)


@pytest.fixture(scope="session")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "reward.gguf", reward=True, context_tokens=512)


@pytest.fixture(scope="module")
def engine(policy: Path, reward: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(policy, reward, CONTEXT_TOKENS)
    yield engine
    engine.close()
