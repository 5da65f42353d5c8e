"""Locks on files that die with their holders, however those end."""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.embedded.errors import EmbeddedError

_POLL_S = 0.02


class FileLock:
    """flock(2) on `path`, released by the kernel when the last process that has the descriptor is gone.

    Children can be given `descriptor`: then the lock tells when all of them, and theirs, have ended. This needs
    neither pid files nor guesses about reused pids. The file holds the pid of a holder, for messages only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def acquire(self, timeout_s: float, holder: str) -> None:
        """Wait for the lock; raises EmbeddedError naming `holder` when it is still taken after `timeout_s`."""
        end = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() > end:
                pid = self.holder()
                who = f"{holder} (pid {pid})" if pid else holder
                raise EmbeddedError(
                    f"{who} still uses {self.path.parent} after {timeout_s:.0f} s; stop it, then try again"
                )
            await asyncio.sleep(_POLL_S)

    def name_holder(self, pid: int) -> None:
        """Write down who holds the lock, for the message of the next one who wants it."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{pid}\n".encode(), 0)

    def holder(self) -> int | None:
        """The pid last written by a holder, or None."""
        text = os.pread(self.descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None

    def close(self) -> None:
        """Let go of the descriptor. The lock stays with children that have it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
