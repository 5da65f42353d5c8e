"""The embedded chain: an address from the beginning, and a process behind it from the first connection on.

py-evm takes seconds to start and 66 MB, and many hubs never use it. So the supervisor listens, as systemd does for
its services, and hands the listening socket to a process when somebody knocks.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.identity import Identity
from hub.embedded.server import ENVIRONMENT, Server

_BACKLOG = 128  # connections that may wait for the process
_FIRST_DELAY_S = 0.5  # after a start that failed
_LONGEST_DELAY_S = 30.0
_READY_S = 1.0
_NPM_ANVIL = "contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"  # where `npm ci` of the contracts puts it


def find_anvil(engine: str, path: str | None) -> Path | None:
    """The anvil program that `engine` (auto, anvil, eth-tester) means, on `path` or beside the contracts.

    None: the chain in memory. Raises EmbeddedError if it must be anvil and there is none.
    """
    if engine == "eth-tester":
        return None
    on_path = shutil.which("anvil", path=path)
    found = Path(on_path) if on_path else next(Path(__file__).parents[2].glob(_NPM_ANVIL), None)
    if found is None and engine == "anvil":
        raise EmbeddedError("SPARKLE_CHAIN_ENGINE is anvil, but there is no such program: run `npm ci` in contracts")
    return found


class ChainServer(Server):
    """The chain process on `listener`. With `anvil` its chain is in `<data folder>/chain`, else in memory."""

    name: ClassVar[str] = "chain"
    title: ClassVar[str] = "the embedded chain"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_s: ClassVar[float] = 90.0  # 2 for answers, then the last save of a long chain, for which anvil has 60

    def __init__(self, folder: DataFolder, listener: socket.socket, anvil: Path | None) -> None:
        super().__init__(folder, Identity(os.geteuid(), os.getegid(), "self"))
        self.description = ""
        """What the process says that it is."""
        # It finds the packages where we found them, whatever environment that was.
        self.environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.inherit = [listener.fileno()]
        self._port: int = listener.getsockname()[1]
        self._anvil = anvil
        self._lock = -1

    @property
    def url(self) -> str:
        """Loopback, and without a password: there is nothing of value behind it."""
        return f"http://127.0.0.1:{self._port}"

    async def prepare(self, lock: int) -> None:
        """Make the folder of anvil's chain."""
        self._lock = lock
        if self._anvil is not None:
            (self.folder.path / "chain").mkdir(mode=0o700, exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        """This Python. Without -P it would look for packages in the current directory first."""
        kept: list[str | Path] = (
            [] if self._anvil is None else ["--anvil", self._anvil, "--folder", self.folder.path / "chain"]
        )
        process: list[str | Path] = [sys.executable, "-P", "-m", "hub.embedded.chain_process"]
        return [*process, "--fd", str(self.inherit[0]), "--lock", str(self._lock), *kept]

    async def is_ready(self, pid: int) -> bool:
        """It accepts the connection, which otherwise waits in the backlog, and says what it is."""
        async with asyncio.timeout(_READY_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        self.description = body.decode()
        return head.split()[1] == b"200"


class EmbeddedChain:
    """JSON-RPC at `url`. Nothing runs until somebody connects while `watch` does."""

    def __init__(self, folder: DataFolder, *, anvil: Path | None, announce: Callable[[str], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self._server = ChainServer(folder, self._listener, anvil)
        self._announce = announce
        self.url = self._server.url

    async def watch(self) -> None:
        """Start the process whenever somebody connects and none runs, until cancelled. `stop` is then still owed."""
        delay_s = _FIRST_DELAY_S
        while True:
            await self._somebody_waits()
            started = time.monotonic()
            try:
                await self._server.start()
            except EmbeddedError as error:
                self._announce(str(error))
                self._turn_away()
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
                continue
            delay_s = _FIRST_DELAY_S
            self._announce(
                f"the embedded chain runs after {time.monotonic() - started:.1f} s: {self._server.description}"
            )
            if (process := self._server.process) is not None:
                await process.wait()
                self._announce(f"the embedded chain {process.end}; the next request starts it again")

    async def stop(self) -> None:
        """End the process if there is one, and say so if it could not save its chain. Idempotent."""
        process = self._server.process
        was_running = process is not None and process.exit_code is None
        await self._server.stop()
        if process is not None and was_running and process.exit_code not in {0, -self._server.stop_signal}:
            self._announce(f"the embedded chain {process.end} when it was stopped: its last changes may be lost")

    def kill(self) -> None:
        """End it at once."""
        self._server.kill()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._listener.close()

    async def _somebody_waits(self) -> None:
        loop, knock = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listener, knock.set)
        try:
            await knock.wait()
        finally:
            loop.remove_reader(self._listener)

    def _turn_away(self) -> None:
        """Those who wait hear at once that there is no chain."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
