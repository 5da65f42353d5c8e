"""What starting and stopping PostgreSQL and Valkey have in common."""

import asyncio
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.identity import Identity
from hub.embedded.spawn import Process, run_to_end, spawn

# PATH for what initdb runs; C because the launcher reads messages; UTC because logs of two servers are compared.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_READY_S = 60.0  # includes crash recovery
_READY_POLL_S = 0.005
_PREVIOUS_S = 5.0  # beyond what it has for its end: measured 1.6 s for a PostgreSQL whose launcher was killed
_TAIL_LINES = 12


class Server(ABC):
    """One embedded server; `start` and `stop` may be called again and again, from any event loop."""

    name: ClassVar[str]
    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    stop_s: ClassVar[float] = 10.0
    """How long it may take to shut down before it is killed."""

    def __init__(self, folder: DataFolder, identity: Identity) -> None:
        self.folder = folder
        self.identity = identity
        self.process: Process | None = None
        self.environment: Mapping[str, str] = ENVIRONMENT
        self.inherit: Sequence[int] = ()
        self._log_start = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """How clients reach it; the same after every restart."""

    @abstractmethod
    async def prepare(self, lock: int) -> None:
        """Make what must exist before the start. No other process uses the data; children must inherit `lock`."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    async def is_ready(self, pid: int) -> bool:
        """Whether the process `pid` takes connections. OSError, ValueError and IndexError mean no."""

    async def start(self) -> None:
        """Start and wait until it takes connections; raises EmbeddedError with the end of the log."""
        try:
            with self.folder.lock(self.name) as lock:
                # A killed launcher's server may still be shutting down.
                await lock.acquire(self.stop_s + _PREVIOUS_S, f"the {self.title} of the previous run")
                await self.prepare(lock.descriptor)
                self.process = self.spawn(self.command(), lock.descriptor)
                lock.name_holder(self.process.pid)
        except OSError as error:
            raise EmbeddedError(f"{self.title} could not be started in {self.folder.path}: {error}") from error
        try:
            await self._until_ready(self.process)
        except BaseException:  # failed or cancelled
            await self.process.stop(self.stop_signal, self.stop_s)
            raise

    async def stop(self) -> None:
        """Shut down cleanly within `stop_s`, else kill. Idempotent."""
        if self.process is not None:
            await self.process.stop(self.stop_signal, self.stop_s)
            self.process = None

    def kill(self) -> None:
        """End it at once; whoever waits for its end is told. PostgreSQL recovers at its next start."""
        if self.process is not None:
            self.process.send(signal.SIGKILL)

    def spawn(self, command: Sequence[str | Path], lock: int) -> Process:
        """Start a child that writes to this server's log, holds `lock` and goes when we go."""
        with self.folder.open_log(self.name) as log:
            self._log_start = log.tell()
            return spawn(
                command,
                environment=self.environment,
                when_parent_dies=self.stop_signal,
                identity=self.identity,
                inherit=[lock, *self.inherit],
                output=log,
                directory="/",
            )

    async def run(self, command: Sequence[str | Path], lock: int, timeout_s: float) -> None:
        """Run a short program of this server to its end; raises EmbeddedError with the end of the log."""
        process = self.spawn(command, lock)
        try:
            code = await run_to_end(process, timeout_s)
        except TimeoutError as error:
            raise self.failure(f"{Path(command[0]).name} {error}") from None
        if code != 0:
            raise self.failure(f"{Path(command[0]).name} {process.end}")

    def failure(self, reason: str) -> EmbeddedError:
        """The error that says which server, why, and what it wrote last."""
        path = self.folder.log_path(self.name)
        written = path.read_bytes()[self._log_start :] if path.exists() else b""
        lines = written.decode(errors="replace").splitlines()[-_TAIL_LINES:]
        end_of_log = "".join(f"\n  | {line}" for line in lines)
        return EmbeddedError(f"{self.title} could not be started: {reason}\n  end of {path}:{end_of_log or ' (empty)'}")

    async def _until_ready(self, process: Process) -> None:
        end = time.monotonic() + _READY_S
        while not await self._seems_ready(process.pid):
            if process.exit_code is not None:
                raise self.failure(process.end)
            if time.monotonic() > end:
                raise self.failure(f"it takes no connections after {_READY_S:.0f} s")
            await asyncio.sleep(_READY_POLL_S)

    async def _seems_ready(self, pid: int) -> bool:
        try:
            return await self.is_ready(pid)
        except (OSError, ValueError, IndexError):
            return False
