"""Locks that children inherit."""

import os
import signal
import sys
from pathlib import Path

import pytest

from hub.embedded.errors import EmbeddedError
from hub.embedded.locks import FileLock
from hub.embedded.spawn import spawn


def test_a_lock_is_had_once(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as first, FileLock(tmp_path / "lock") as second:
        assert first.try_acquire()
        assert not second.try_acquire()
        first.close()
        assert second.try_acquire()


async def test_a_child_keeps_the_lock_until_it_ends(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.try_acquire()
        child = spawn(["/bin/sleep", "60"], environment={}, when_parent_dies=signal.SIGKILL, inherit=[lock.descriptor])
        lock.name_holder(child.pid)
    with FileLock(tmp_path / "lock") as again:
        assert not again.try_acquire()
        with pytest.raises(EmbeddedError, match=rf"the server \(pid {child.pid}\) still uses {tmp_path} after 0 s"):
            await again.acquire(0.05, "the server")
        await child.stop(signal.SIGTERM, 5.0)
        await again.acquire(5.0, "the server")


async def test_a_grandchild_keeps_it_too(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.try_acquire()
        read, write = os.pipe()
        # the child waits for its own child, which waits until we close the pipe
        code = f"import os\nif os.fork() == 0: os.read({read}, 1)\n"
        child = spawn(
            [sys.executable, "-I", "-S", "-c", code],
            environment={},
            when_parent_dies=signal.SIGKILL,
            inherit=[lock.descriptor, read],
        )
        os.close(read)
    assert await child.wait() == 0
    with FileLock(tmp_path / "lock") as again:
        assert not again.try_acquire()
        os.close(write)
        await again.acquire(5.0, "the grandchild")


def test_a_lock_file_without_a_pid_names_nobody(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.holder() is None
        lock.name_holder(123456)
        lock.name_holder(7)  # a shorter one leaves nothing of the longer
        assert lock.holder() == 7
