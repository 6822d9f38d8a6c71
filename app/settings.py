"""What a person may set, on the command line or in the environment (`EMPATHY_DESK_PORT=8000`), and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the desk keeps its data, where it listens and which model it uses."""

    model_config = SettingsConfigDict(env_prefix="EMPATHY_DESK_", frozen=True, extra="forbid")

    data_dir: Path = Field(default_factory=lambda: user_data_path("empathy-desk", appauthor=False))
    """Holds the database, its backups and the lock of the running desk."""

    database_url: SecretStr | None = None
    """postgresql://user:password@host/database, of a team's server that keeps the data; None: a file in `data_dir`.
    From the environment alone, like every password."""

    host: Literal["127.0.0.1"] = "127.0.0.1"
    """Fixed: the desk has no accounts, so it must not be reachable from another machine."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """None: the first free one of a small range. A port that was asked for and is taken is an error."""

    open_browser: bool = True

    language: Literal["zh", "en"] = "zh"

    model: str | None = None
    """Name of a card in `models_dir`; None: the catalogue's default."""

    candidates: int = Field(default=4, ge=1, le=8)
    """How many drafts a request may ask for; the engine reserves memory for as many."""

    reviewers: int = Field(default=1, ge=1, le=5)
    """How many people review each text, none seeing what the others found; where they differ, a lead decides."""

    models_dir: Path = Path(__file__).resolve().parents[1] / "model_cards"

    engine_url: str | None = None
    """Base address of an OpenAI-compatible server that writes the drafts; None: the local model. https, or http to this
    computer."""

    engine_model: str | None = None
    """Name that server knows its model by; None: the one it serves."""

    engine_key: SecretStr | None = None
    """Its key. From the environment alone: a command line can be read by every account of the machine."""

    @property
    def database(self) -> str | None:
        """The address, as the store is given it."""
        return self.database_url.get_secret_value() if self.database_url else None
