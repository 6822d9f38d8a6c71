"""What is missing on this machine, and how to mend it. Looks and reports; changes nothing and stores nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.catalog import load_cards, policy_card, reward_card, verify
from app.errors import DeskError
from app.settings import Settings
from app.web.server import listen
from app.web.words import Words
from storage import search
from storage.database import FILE_NAME, open_database
from storage.errors import StorageError
from storage.migrate import known_version

DESK_MB = 400
"""The page's own process, beside the models."""

LEAST_FREE_MB = 500

State = Literal["ok", "note", "mend"]


@dataclass(frozen=True)
class Finding:
    """`note`: works, but worth knowing. `mend`: the desk does not work, or will soon not."""

    state: State
    subject: str
    text: str


def examine(settings: Settings, words: Words) -> list[Finding]:
    """Every check in turn, in the user's language."""
    found = [*_python(), *_search(), *_engine(), *_processor(), *_compiler(), *_folder(settings.data_dir), *_fonts()]
    findings = [
        Finding(state, words(f"doctor_{subject}"), words(f"doctor_{subject}_{state}", **values))
        for state, subject, values in found
    ]
    findings += [Finding(state, words("doctor_database"), text) for state, text in _database(settings, words)]
    findings += [Finding(state, words(subject), text) for state, subject, text in _models(settings, words)]
    findings += [Finding(state, words("doctor_port"), text) for state, text in _port(settings, words)]
    return findings


Check = Iterator[tuple[State, str, dict[str, object]]]
"""State, subject, and the values of the sentence `doctor_<subject>_<state>`."""


def _python() -> Check:
    yield "ok", "python", {"version": platform.python_version(), "sqlite": sqlite3.sqlite_version}


def _search() -> Check:
    yield "ok" if search.supported() else "mend", "search", {"version": sqlite3.sqlite_version}


def _engine() -> Check:
    # In a process of its own: a build for another processor ends whoever loads it.
    loaded = subprocess.run([sys.executable, "-c", "import llama_cpp"], capture_output=True)
    yield "ok" if loaded.returncode == 0 else "mend", "engine", {"exit": loaded.returncode}


def _processor() -> Check:
    flags = _read("/proc/cpuinfo")
    slow = platform.machine() in ("x86_64", "AMD64") and "flags" in flags and " avx2 " not in flags
    yield "note" if slow else "ok", "processor", {"name": processor_name(), "cores": os.cpu_count()}


def _compiler() -> Check:
    found = next((name for name in ("cc", "gcc", "clang", "cl") if shutil.which(name)), None)
    yield "ok" if found else "note", "compiler", {"name": found}


def _folder(data_dir: Path) -> Check:
    # The folder may still have to be made: what counts is the nearest one that is there.
    there = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    yield "ok" if writable else "mend", "folder", {"folder": data_dir}
    free_mb = shutil.disk_usage(there).free // 10**6
    yield "ok" if free_mb >= LEAST_FREE_MB else "mend", "disk", {"free_mb": free_mb, "least_mb": LEAST_FREE_MB}


def _fonts() -> Check:
    if shutil.which("fc-list"):  # elsewhere Chinese fonts come with the system
        fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True).stdout
        yield "ok" if fonts else "note", "fonts", {}


def _database(settings: Settings, words: Words) -> Iterator[tuple[State, str]]:
    if settings.database is None and not (settings.data_dir / FILE_NAME).exists():
        yield "ok", words("doctor_database_none")
        return
    try:
        database = open_database(settings.data_dir, settings.database)
        try:
            database.check()
            found = known_version(database)
        finally:
            database.close()
    except StorageError as error:
        yield "mend", words.error(DeskError(error.code, **error.values))
    else:
        yield "ok", words("doctor_database_ok" if found else "doctor_database_none")


def _models(settings: Settings, words: Words) -> Iterator[tuple[State, str, str]]:
    try:
        cards = load_cards(settings.models_dir)
        policy = policy_card(cards, settings.model)
        used = [card for card in (policy, reward_card(cards, policy)) if card]
        for card in used:
            verify(card)
            yield "ok", "doctor_model", words("doctor_model_ok", name=card.name, size_mb=card.size_bytes // 10**6)
    except DeskError as error:
        # The sentences of these two send a person here, so that here they need another one.
        advice = {"model_missing": "doctor_model_missing", "no_model": "doctor_model_none"}.get(error.code)
        yield "mend", "doctor_model", words(advice, **error.values) if advice else words.error(error)
        return
    needed_mb, free_mb = DESK_MB + sum(card.memory_mb for card in used), available_mb()
    if free_mb is not None:
        enough = free_mb >= needed_mb
        key = "doctor_memory_ok" if enough else "doctor_memory_mend"
        yield "ok" if enough else "mend", "doctor_memory", words(key, free_mb=free_mb, needed_mb=needed_mb)


def _port(settings: Settings, words: Words) -> Iterator[tuple[State, str]]:
    try:
        with listen(settings.host, settings.port) as listener:
            yield "ok", words("doctor_port_ok", port=listener.getsockname()[1])
    except DeskError as error:
        yield "mend", words.error(error)


def available_mb() -> int | None:
    """Memory that programs may still take; None where the system does not tell."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return None


def processor_name() -> str:
    """The processor as its maker calls it, as far as the system tells."""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
