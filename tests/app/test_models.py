"""The engine that the settings ask for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.catalog import Card
from app.chain import prompt_pieces
from app.engine.protocol import MAX_CANDIDATES, Finished, Sampling, Section
from app.errors import DeskError
from app.models import choose, start
from app.settings import Settings
from tests.tiny_cards import write_card


@pytest.fixture
def policy(tmp_path: Path) -> Card:
    write_card(tmp_path / "policy", "policy")
    return choose(Settings(models_dir=tmp_path))[0]


def test_the_number_of_candidates_is_set_within_what_engines_and_store_hold() -> None:
    assert Settings().candidates == 4
    assert [Settings(candidates=number).candidates for number in (1, MAX_CANDIDATES)] == [1, MAX_CANDIDATES]
    for number in (0, MAX_CANDIDATES + 1):
        with pytest.raises(ValidationError):
            Settings(candidates=number)


def test_the_engine_has_room_for_as_many_candidates_as_are_set(policy: Card, tmp_path: Path) -> None:
    with closing(start(Settings(models_dir=tmp_path, candidates=2), policy, None)) as engine:
        assert engine.candidates == 2
        script, samplings = ("<L1>", Section("L1", 8), "</L1>"), [Sampling(seed) for seed in range(3)]
        *_, last = engine.generate(prompt_pieces("信"), script, samplings[:2])
        assert isinstance(last, Finished) and not last.stopped
        with pytest.raises(DeskError, match="engine_crashed"):
            list(engine.generate(prompt_pieces("信"), script, samplings))
    url = "http://127.0.0.1:9/v1"
    with closing(start(Settings(engine_url=url, candidates=2), policy, None)) as remote:
        assert remote.candidates == 2
