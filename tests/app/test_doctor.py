"""What the doctor finds where this machine has it; the rest is asked of the command in test_cli."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from app.doctor import examine
from app.settings import Settings
from app.web.words import WORDS


class WithoutTrigrams(sqlite3.Connection):
    """As a SQLite that was built without the full text index answers."""

    def execute(self, *_: object) -> sqlite3.Cursor:
        raise sqlite3.OperationalError("no such tokenizer: trigram")


def test_a_sqlite_that_cannot_search_has_to_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, words = Settings(data_dir=tmp_path, models_dir=tmp_path), WORDS["en"]

    def search() -> tuple[str, str]:
        (found,) = [finding for finding in examine(settings, words) if finding.subject == words("doctor_search")]
        return found.state, found.text

    assert search()[0] == "ok"
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=WithoutTrigrams))
    state, text = search()
    assert state == "mend" and sqlite3.sqlite_version in text


def test_a_server_that_does_not_answer_has_to_be_mended_and_its_password_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPATHY_DESK_DATABASE_URL", f"postgresql://me:canary@/desk?host={tmp_path}/nowhere")
    settings, words = Settings(data_dir=tmp_path / "data", models_dir=tmp_path), WORDS["en"]
    (found,) = [finding for finding in examine(settings, words) if finding.subject == words("doctor_database")]
    assert found.state == "mend" and f"{tmp_path}/nowhere/desk" in found.text
    assert "canary" not in found.text + repr(settings)
    assert not (tmp_path / "data").exists()
