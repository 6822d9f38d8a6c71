"""Approved texts as training data: files are the interface between the desk and `training`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.chain import messages, post_text, render
from storage.errors import StorageError, cannot_write
from storage.records import ApprovedItem
from storage.store import Store

# Line ends for some readers, and legal inside a JSON string.
_ESCAPED = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\u0085": "\\u0085"})


@dataclass(frozen=True)
class ExportReport:
    """What was written: the number of lines, and the hash of the file."""

    count: int
    sha256: str


def export_sft(store: Store, out: Path) -> ExportReport:
    """Write every approved text as one line of TRL's conversational format; all of them or no file.

    Raises:
        StorageError: nothing_approved; export_mismatch (draft_id); disk_full; as `_target`. `out` is then as it was
            before.
    """
    target = _target(out, store.folder)
    lines = [_line(item) for item in store.reviewing.approved_items()]
    if not lines:
        raise StorageError("nothing_approved")
    # Before the file: what leaves is on record even if the desk dies in between.
    store.reviewing.log_export(len(lines))
    return ExportReport(len(lines), _write(target, lines))


def _target(out: Path, data_dir: Path) -> Path:
    """The file that `out` leads to, if an export may take its place.

    Raises:
        StorageError: export_in_data_folder (file), export_not_a_file (file), export_folder_unusable (folder).
    """
    target = Path(os.path.realpath(out))
    try:
        if not target.parent.is_dir():
            raise StorageError("export_folder_unusable", folder=str(target.parent))
        if any(folder.samefile(data_dir) for folder in target.parents):
            raise StorageError("export_in_data_folder", file=str(target))
        if target.exists() and not target.is_file():
            raise StorageError("export_not_a_file", file=str(target))
    except OSError as error:
        raise cannot_write(target.parent, error, "export_folder_unusable") from error
    return target


def _line(item: ApprovedItem) -> bytes:
    reply = {"role": "assistant", "content": render(item.response)}
    record = {"messages": [*messages(post_text(item.title, item.description)), reply]}
    return json.dumps(record, ensure_ascii=False).translate(_ESCAPED).encode() + b"\n"


def _write(out: Path, lines: Iterable[bytes]) -> str:
    """Write beside `out`, then take its place: a reader sees the old file or the whole new one."""
    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", suffix=".part", delete=False) as file:
            part = Path(file.name)
            digest = hashlib.sha256()
            for line in lines:
                file.write(line)
                digest.update(line)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, out)
        _sync(out.parent)
    except OSError as error:
        raise cannot_write(out.parent, error, "export_folder_unusable") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    # The rename itself must survive a power cut. Windows cannot open a folder, and needs no such call.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
