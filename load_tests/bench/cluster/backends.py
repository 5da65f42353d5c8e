"""PostgreSQL and Valkey as a hub's users have them, durable; Valkey can be killed and started again."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import load_or_create
from hub.config import Settings, environment
from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.server import Server
from hub.embedded.stack import Stack
from hub.storage.migrate import migrate
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.transport.crowd import Crowd
from load_tests.bench.transport.servers import WIDE_LIMITS

TOKEN_S = 6 * 3600
"""A run with 1000 faults takes most of an hour, and its clients bring the token that they began with."""


class Backends:
    """Running servers, and people and rooms in the database."""

    def __init__(self, stack: Stack, data: Path, crowd: Crowd) -> None:
        self._data = data
        self.crowd = crowd
        self.redis_url = stack.redis_url
        self.database_url = stack.database_url
        self.valkey: Server = next(server for server in stack.servers if server.name == "valkey")
        self.postgres: Server = next(server for server in stack.servers if server.name == "postgres")

    @property
    def environment(self) -> dict[str, str]:
        """Of a node on these servers."""
        inherited = {name: value for name, value in environment().items() if name in ("PATH", "HOME", "LANG")}
        return inherited | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SPARKLE_DATA": str(self._data),
            "SPARKLE_GATE_CONNECTS_PER_MINUTE": "1000000",
            "SPARKLE_ACCOUNTS_ACCESS_TOKEN_S": str(TOKEN_S),
            **WIDE_LIMITS,
        }

    def pause_redis(self) -> None:
        """Let Valkey stand still."""
        if self.valkey.process is not None:
            self.valkey.process.send(signal.SIGSTOP)

    def go_on_redis(self) -> None:
        """Let it go on. Harmless if it does."""
        if self.valkey.process is not None:
            self.valkey.process.send(signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def redis_down(self, *, clean: bool) -> AsyncIterator[None]:
        """End Valkey, by SIGTERM or by SIGKILL, and start it again with what it has on disk."""
        if clean:
            await self.valkey.stop()
        else:
            self.valkey.kill()
            await self.valkey.stop()
        try:
            yield
        finally:
            await self.valkey.start()


@contextlib.asynccontextmanager
async def running_backends(folder: Path, *, people: int, rooms: int, also: int = 0) -> AsyncIterator[Backends]:
    """Start both in ``folder``, which users other than ours must be able to enter. About 3 s.

    ``also``: see Crowd.insert.
    """
    with DataFolder(folder / "servers") as servers:
        stack = Stack(servers)
        try:
            await stack.start()
            await migrate(stack.database_url)
            data = folder / "hub"
            data.mkdir()
            key = load_or_create(Settings(data=data).key_file)
            crowd = Crowd(stack.database_url, key, AccountsSettings(access_token_s=TOKEN_S), folder)
            await asyncio.to_thread(crowd.insert, people, rooms, also=also)
            yield Backends(stack, data, crowd)
        except EmbeddedError as error:
            raise CannotMeasure(str(error)) from None
        finally:
            await stack.stop()
