"""The reward encoder against llama-cpp-python's own, on the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from llama_cpp import Llama

from app.engine.embed import Encoder
from app.engine.llama import LlamaEngine
from app.engine.native import load_model
from app.errors import DeskError
from tests.app.engine.drafts import OTHER_POST, POST

TEXTS = [POST, OTHER_POST, "x", "好", "回信：你辛苦了。\n慢慢来。", POST + OTHER_POST]


@pytest.fixture(scope="module")
def encoder(reward: Path) -> Encoder:
    return Encoder(load_model(reward, lambda: None), reward.name)


def test_vectors_equal_those_of_the_high_level_class(engine: LlamaEngine, reward: Path) -> None:
    # One thread: this process has not been told to let idle OpenMP threads sleep.
    peer = Llama(str(reward), embedding=True, n_ctx=512, n_batch=512, n_threads=1, n_threads_batch=1, verbose=False)
    expected = peer.embed(TEXTS, normalize=True)
    peer.close()
    np.testing.assert_allclose(engine.embed(TEXTS), expected, atol=1e-3)


def test_a_vector_does_not_depend_on_its_neighbours(engine: LlamaEngine) -> None:
    together = engine.embed(TEXTS * 40)
    alone = [engine.embed([text])[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone * 40, atol=1e-3)


def test_a_long_text_is_cut_before_its_final_token(encoder: Encoder) -> None:
    ids = encoder.ids(POST * 100)
    assert len(ids) == encoder.max_tokens == 512
    assert ids[-1] == encoder.vocab.eos
    assert ids[:-1] == encoder.vocab.tokens(POST * 100, special=False)[:511]


def test_a_text_that_just_fits_is_not_cut(encoder: Encoder) -> None:
    assert encoder.ids("x" * 511) == [*encoder.vocab.tokens("x" * 511, special=False), encoder.vocab.eos]


def test_an_engine_without_a_reward_model_says_so_and_goes_on(policy: Path) -> None:
    engine = LlamaEngine(policy, None)
    try:
        for _ in range(2):
            with pytest.raises(DeskError) as caught:
                engine.embed([POST])
            assert caught.value.code == "reward_model_missing"
    finally:
        engine.close()
