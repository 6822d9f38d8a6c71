"""The bench on tiny models, one run each: that its parts work together, not how fast they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.bench import desk, figures
from app.settings import Settings
from tests.tiny_cards import write_card


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(desk, "RUNS", 1)
    monkeypatch.setattr(desk, "DRAFTS", 1)
    monkeypatch.setattr(desk, "SCORED_PAIRS", 4)
    monkeypatch.setattr(desk, "POST_CHARS", 40)
    write_card(tmp_path / "reward", "reward", threshold=0.5, human_quantiles=[i / 100 for i in range(101)])
    write_card(tmp_path / "policy", "policy", reward_model="reward")
    return Settings(models_dir=tmp_path)


def test_every_figure_is_positive_and_says_how_it_was_got(settings: Settings) -> None:
    report = json.loads(json.dumps(desk.measure(settings, lambda part: None)))
    assert report["machine"]["cores"] >= 1
    assert [model["name"] for model in report["models"]] == ["policy", "reward"]
    figures = report["figures"]
    assert {"first_paint", "engine_ready", "first_token", "stop_reading", "stop_writing", "score"} <= set(figures)
    for name, figure in figures.items():
        assert figure["value"] > 0 and figure["how"] and figure["unit"], name
        assert figure["spread"][0] <= figure["value"] <= figure["spread"][1], name
    ratio = figures["decode"]["value"] / figures["decode_bare"]["value"]
    assert figures["decode_ratio"]["value"] == pytest.approx(ratio)


def test_posts_differ_from_their_beginning_so_that_no_prompt_is_reused() -> None:
    posts = figures.posts(100)
    first, second = next(posts), next(posts)
    assert len(first) >= 100
    assert first[:8] != second[:8]


def test_a_figure_is_the_median_with_the_quartiles_around_it() -> None:
    assert figures.figure([4, 1, 2, 3, 100], "s", "by hand") | {"how": ""} == {
        "value": 3,
        "unit": "s",
        "spread": [2, 4],
        "runs": [4, 1, 2, 3, 100],
        "how": "",
    }
    assert figures.figure((7.0,), "s", "once")["spread"] == [7, 7]
