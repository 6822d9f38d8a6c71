"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from storage.errors import StorageError, cannot_write
from storage.exports.forms import Record

# Line ends for some readers, and legal inside a JSON string.
_ESCAPED = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\u0085": "\\u0085"}


def target(out: Path, data_dir: Path) -> Path:
    """The file that `out` leads to, if an export may take its place.

    Raises:
        StorageError: export_in_data_folder (file), export_not_a_file (file), export_folder_unusable (folder).
    """
    found = Path(os.path.realpath(out))
    try:
        if not found.parent.is_dir():
            raise StorageError("export_folder_unusable", folder=str(found.parent))
        # Where a server keeps the data, the folder is made with the first copy.
        if data_dir.exists() and any(folder.samefile(data_dir) for folder in found.parents):
            raise StorageError("export_in_data_folder", file=str(found))
        if found.exists() and not found.is_file():
            raise StorageError("export_not_a_file", file=str(found))
    except OSError as error:
        raise cannot_write(found.parent, error, "export_folder_unusable") from error
    return found


class Parts:
    """Files that are being written beside their places, which they take together at the end, in this order.

    No file system replaces two files in one step. Between the two renames a new file stands beside the old one that
    describes it, and the sha256 in that one tells: so what describes comes last.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Path, Path]] = []

    @contextmanager
    def file(self, out: Path) -> Iterator[BinaryIO]:
        """A new file that will be `out`; on disk when the block ends. Raises disk_full, export_folder_unusable."""
        try:
            with tempfile.NamedTemporaryFile(
                dir=out.parent, prefix=f".{out.name}.", suffix=".part", delete=False
            ) as file:
                self._parts.append((Path(file.name), out))
                yield file  # type: ignore[misc]
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(out.parent, error, "export_folder_unusable") from error

    def take_places(self) -> None:
        """Let readers see them: each sees an old file or a whole new one. Raises as `file`."""
        try:
            for part, out in self._parts:
                os.replace(part, out)
            for folder in {out.parent for _, out in self._parts}:
                _sync(folder)
        except OSError as error:
            raise cannot_write(out.parent, error, "export_folder_unusable") from error

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        for part, _out in self._parts:
            part.unlink(missing_ok=True)


def write_json_lines(file: BinaryIO, records: Iterable[Record]) -> str:
    """One record a line; returns the sha256 of the file."""
    digest = hashlib.sha256()
    for record in records:
        line = json.dumps(record, ensure_ascii=False)
        # Not str.translate, which takes as long as all the rest of an export.
        for char, escape in _ESCAPED.items():
            line = line.replace(char, escape)
        data = line.encode() + b"\n"
        file.write(data)
        digest.update(data)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    # The rename itself must survive a power cut. Windows cannot open a folder, and needs no such call.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
