"""The proxy of `bench cluster` does to a link what its names say, and to no other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hub.kernel.tasks import Tasks
from load_tests.bench.cluster.proxy import Link, Proxy
from tests.support.wait import until

WITHIN_S = 5.0


@dataclass
class Echoing:
    """A node that sends back what it gets, and knows who is connected."""

    port: int = 0
    connected: int = 0
    taken: bytearray = field(default_factory=bytearray)
    tasks: Tasks = field(default_factory=Tasks)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.start(self._serve(reader, writer), name="echo")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    self.taken += data
                    writer.write(data)
        finally:
            self.connected -= 1
            writer.close()


@pytest.fixture
async def node() -> AsyncIterator[Echoing]:
    echoing = Echoing()
    server = await asyncio.start_server(echoing.accept, "127.0.0.1", 0)
    echoing.port = server.sockets[0].getsockname()[1]
    yield echoing
    server.close()
    await echoing.tasks.close()


@dataclass
class Through:
    """A client through the proxy."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def says(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.hears(len(data))

    async def hears(self, count: int) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.readexactly(count)


@dataclass
class Listening:
    """A proxy, and where it is."""

    proxy: Proxy
    port: int
    clients: list[Through] = field(default_factory=list)

    @property
    def links(self) -> set[Link]:
        return self.proxy.links

    async def connect(self) -> Through:
        through = Through(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(through)
        assert await through.says(b"hello") == b"hello"
        return through


@pytest.fixture
async def proxy(node: Echoing) -> AsyncIterator[Listening]:
    made = Proxy(lambda: [node.port], seed=1)
    async with made.listen() as port:
        listening = Listening(made, port)
        yield listening
        for client in listening.clients:
            client.writer.close()


async def test_a_cut_is_a_reset_on_both_sides(proxy: Listening, node: Echoing) -> None:
    client, other = await proxy.connect(), await proxy.connect()
    first = next(iter(proxy.links))
    first.cut()
    await until(lambda: node.connected == 1)
    await until(lambda: len(proxy.links) == 1)
    ends = [client, other]
    alive = [one for one in ends if not one.reader.exception() and not one.reader.at_eof()]
    assert len(alive) == 1
    assert await alive[0].says(b"still here") == b"still here"


async def test_what_is_sent_over_a_stalled_link_comes_late_and_whole(proxy: Listening, node: Echoing) -> None:
    client = await proxy.connect()
    [link] = proxy.links
    link.stall()
    client.writer.write(b"late")
    other = await proxy.connect()
    assert await other.says(b"in time") == b"in time"  # so the node had time for the other as well
    assert b"late" not in node.taken
    link.mend()
    assert await client.hears(4) == b"late"


async def test_a_slow_reader_still_speaks(proxy: Listening, node: Echoing) -> None:
    client = await proxy.connect()
    [link] = proxy.links
    link.stop_reading()
    client.writer.write(b"heard")
    await until(lambda: node.taken.endswith(b"heard"))
    link.mend()
    assert await client.hears(5) == b"heard"


async def test_a_node_is_not_told_when_a_client_leaves_a_black_hole(proxy: Listening, node: Echoing) -> None:
    client = await proxy.connect()
    [link] = proxy.links
    link.black_hole()
    client.writer.close()
    other = await proxy.connect()
    assert await other.says(b"x" * 100) == b"x" * 100
    assert node.connected == 2
    link.cut()
    await until(lambda: node.connected == 1)


async def test_a_client_is_refused_when_no_node_takes_it() -> None:
    proxy = Proxy(list, seed=1)
    async with proxy.listen() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(WITHIN_S):
            assert await reader.read() == b""
        writer.close()


async def test_a_node_that_refuses_is_passed_over(node: Echoing) -> None:
    with contextlib.closing(await asyncio.start_server(node.accept, "127.0.0.1", 0)) as closed:
        dead = closed.sockets[0].getsockname()[1]
    proxy = Proxy(lambda: [dead, node.port], seed=1)
    async with proxy.listen() as port:
        for _ in range(8):
            through = Through(*await asyncio.open_connection("127.0.0.1", port))
            assert await through.says(b"hello") == b"hello"
            through.writer.close()
