"""One desk a folder: the second start learns where the first one answers."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.errors import StorageError
from storage.lock import DeskLock

HOLDER = """
import sys
from pathlib import Path
from storage.lock import DeskLock
lock = DeskLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
lock.publish("http://127.0.0.1:7860")
print("published", flush=True)
sys.stdin.read()
"""


def test_the_second_desk_is_told_the_address_and_a_killed_one_blocks_nobody(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        second = DeskLock(tmp_path / "data")
        with pytest.raises(StorageError) as refused:
            second.acquire()
        assert (refused.value.code, refused.value.values) == ("already_running", {"url": ""})
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "published\n"
        with pytest.raises(StorageError) as refused:
            second.acquire()
        assert refused.value.values == {"url": "http://127.0.0.1:7860"}
        holder.kill()
    second.acquire()
    with pytest.raises(StorageError) as refused:
        DeskLock(tmp_path / "data").acquire()
    assert refused.value.values == {"url": ""}, "the address of the killed desk must be gone"
    second.release()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_while_the_address_is_written_is_named(tmp_path):
    lock = DeskLock(tmp_path)
    lock.acquire()
    (tmp_path / "desk.url").symlink_to("/dev/full")
    with pytest.raises(StorageError) as refused:
        lock.publish("http://127.0.0.1:7860")
    assert refused.value.code == "disk_full"
    lock.release()


def test_a_lock_taken_in_one_thread_is_let_go_in_another(tmp_path):
    lock = DeskLock(tmp_path)
    taker = threading.Thread(target=lock.acquire)
    taker.start()
    taker.join()
    lock.release()
    again = DeskLock(tmp_path)
    again.acquire()
    again.release()
