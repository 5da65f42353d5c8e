"""A way to Redis on which what was sent may arrive late, even if its sender has closed, as TCP repeats it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from hub.cluster.address import RedisAddress


class LateNetwork:
    """Passes everything on, until it is told to keep back what its present connections send."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._passes = asyncio.Event()
        self._passes.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._late: list[tuple[asyncio.Event, set[asyncio.Task[None]]]] = []
        self.url = ""
        self.kept = 0
        """Bytes that have not been passed on yet."""

    def keep_back(self) -> None:
        """Keep what the connections of now send; later ones are not concerned."""
        self._passes.clear()
        self._late.append((self._passes, set(self._connections)))
        self._passes = asyncio.Event()
        self._passes.set()

    def fall_silent(self) -> None:
        """Pass on nothing more, of any connection. They stay open."""
        self._passes.clear()

    def speak_again(self) -> None:
        """Pass on everything, what was kept first."""
        self._passes.set()

    async def deliver(self) -> None:
        """Pass on what was kept. Returns when Redis has taken it. The clients must have closed."""
        for passes, connections in self._late:
            passes.set()
            await asyncio.wait(connections, timeout=5)
        self._late.clear()

    async def close(self) -> None:
        """Wait for the end of all connections, which the clients have closed."""
        await self.deliver()
        if self._connections:
            await asyncio.wait(self._connections, timeout=5)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection."""
        self._connections.add(_this_task())
        passes, address = self._passes, self._address
        if address.path is not None:
            from_redis, to_redis = await asyncio.open_unix_connection(address.path)
        else:
            from_redis, to_redis = await asyncio.open_connection(address.host, address.port)

        async def up() -> None:
            while data := await reader.read(1 << 16):
                self.kept += len(data)
                await passes.wait()
                self.kept -= len(data)
                to_redis.write(data)
            to_redis.write_eof()

        async def down() -> None:
            while data := await from_redis.read(1 << 16):
                writer.write(data)

        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(up(), down())
        finally:
            to_redis.close()
            writer.close()
            self._connections.discard(_this_task())


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


@contextlib.asynccontextmanager
async def late_network(redis_url: str) -> AsyncIterator[LateNetwork]:
    """A way to this Redis; ``url`` is its near end."""
    network = LateNetwork(RedisAddress.of(redis_url))
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield network
    finally:
        server.close()
        await network.close()
