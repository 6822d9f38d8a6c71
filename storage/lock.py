"""One desk a data folder. The system frees the lock when its holder dies, so none is ever stale."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from storage.database import make_folder
from storage.errors import StorageError, cannot_write


class DeskLock:
    """Held by the running desk; beside it stands the address where that desk answers."""

    def __init__(self, data_dir: Path):
        self._folder = data_dir
        # Taken in one thread and let go in another.
        self._lock = FileLock(data_dir / "desk.lock", timeout=0, thread_local=False)
        self._address = data_dir / "desk.url"

    def acquire(self) -> None:
        """Become the desk of this folder.

        Raises:
            StorageError: already_running (url; empty while that desk is still starting), folder_read_only (folder),
                disk_full.
        """
        make_folder(self._folder)
        try:
            self._lock.acquire()
            # Left behind by a desk that was killed.
            self._address.unlink(missing_ok=True)
        except Timeout:
            raise StorageError("already_running", url=self._published()) from None
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def publish(self, url: str) -> None:
        """Tell a second start where the desk answers. Raises StorageError disk_full, folder_read_only (folder)."""
        try:
            self._address.write_text(url, encoding="utf-8")
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def release(self) -> None:
        """End being the desk."""
        self._address.unlink(missing_ok=True)
        self._lock.release()

    def _published(self) -> str:
        try:
            return self._address.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
