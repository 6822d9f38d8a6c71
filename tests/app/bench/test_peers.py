"""`bench --peers` on a tiny model: that the roads work together and the sums are right, not how fast they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.__main__ import cli
from app.bench import figures, peers
from app.bench.random_model import Shape, write
from app.errors import DeskError
from app.settings import Settings
from tests.tiny_gguf import write_model

SMALL = Shape(blocks=1, hidden=256, feed_forward=256, heads=4, key_value_heads=2, head=64)


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(peers, "LEAST_ROUNDS", 2)
    monkeypatch.setattr(peers, "LEAST_S", 0.0)
    monkeypatch.setattr(peers, "SECTION_TOKENS", 2)
    monkeypatch.setattr(peers, "POST_CHARS", 40)
    vocabulary, out = write_model(tmp_path / "vocabulary.gguf"), tmp_path / "random.gguf"
    write(vocabulary, out, SMALL)
    return out


def test_every_road_is_gone_and_every_bar_is_held_against_the_median(gguf: Path) -> None:
    report = json.loads(json.dumps(peers.measure(Settings(), lambda round: None, gguf)))
    assert report["model"]["size_bytes"] == gguf.stat().st_size and len(report["model"]["sha256"]) == 64
    assert report["machine"]["cores"] >= 1 and report["machine"]["llama_server"] is None
    got = report["figures"]
    assert list(got) == list(peers.HOW)
    assert [name for name, found in got.items() if found is None] == ["one_server", "four_server"]
    assert set(report["left_out"]) == {"one_server", "four_server"}
    for name, found in got.items():
        if found:
            assert len(found["runs"]) == (1 if name == "format_valid" else 2) and min(found["runs"]) > 0, name
    for ratio, over, under in (
        ("one_over_bare", "one", "one_bare"),
        ("four_over_bare", "four", "four_bare"),
        ("four_over_grammar", "four", "four_grammar"),
        ("draft_over_redraft", "draft", "redraft"),
        ("draft_over_redraft_layer", "draft", "redraft_layer"),
    ):
        pairs = zip(got[over]["runs"], got[under]["runs"], strict=True)
        assert got[ratio]["runs"] == pytest.approx([one / other for one, other in pairs])
    assert got["format_valid"]["runs"] == [1]
    assert [bar["figure"] for bar in report["bars"]] == [bar.figure for bar in peers.BARS]
    assert all(bar["value"] == got[bar["figure"]]["value"] for bar in report["bars"])


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ({}, {}),
        ({"one_over_bare": 0.949, "first_token": 0.31}, {"one_over_bare": False, "first_token": False}),
        ({"format_valid": 0.999, "stop_reading": 0.11}, {"format_valid": False, "stop_reading": False}),
    ],
)
def test_a_bar_is_reached_at_its_limit_and_missed_behind_it(values: dict[str, float], reached: dict[str, bool]) -> None:
    limits = {bar.figure: bar.at_least or bar.at_most or 0.0 for bar in peers.BARS}
    held = {name: figures.figure([value], "", "") for name, value in (limits | values).items()}
    found = {bar["figure"]: bar["reached"] for bar in peers.bars({**held})}
    assert found == dict.fromkeys(limits, True) | reached


def test_one_broken_text_in_a_hundred_rounds_misses_the_bar() -> None:
    runs = {name: [1.0] for name in peers.HOW} | {"format_valid": [5 / 6] + [1.0] * 99}
    (validity,) = (bar for bar in peers.bars(peers.figures_of(runs)) if bar["figure"] == "format_valid")
    assert validity["value"] == pytest.approx(599 / 600) and not validity["reached"]


def test_options_that_only_count_together_are_refused_alone(tmp_path: Path) -> None:
    for options in (["--gguf", "a.gguf"], ["--server", "http://127.0.0.1:1"], ["--peers", "--vocabulary", "a.gguf"]):
        done = CliRunner().invoke(cli, ["--data-dir", str(tmp_path), "bench", *options])
        assert done.exit_code == 2 and "--peers" in done.output


def test_a_model_beside_the_catalogue_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match="model_missing"):
        peers.card_of(tmp_path / "none.gguf")
