"""A TCP proxy between clients and nodes, whose links can be cut, stalled, or left open with nothing coming through.

It stands for a balancer without stickiness: each TCP connection goes to any node that takes one.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence

from hub.kernel.tasks import Tasks

CONNECT_S = 1.0
CHUNK_BYTES = 64 * 1024
NODE_BUFFER_BYTES = 64 * 1024
"""What the kernel takes from a node for a reader that does not read. With the usual megabytes nobody would be slow."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends a reset (socket(7))."""


class Link:
    """One client's TCP connection, and the one behind it to a node."""

    def __init__(self, client: asyncio.StreamWriter, node: asyncio.StreamWriter) -> None:
        self._ends = (client, node)
        self.up, self.down = asyncio.Event(), asyncio.Event()
        """Whether bytes pass from the client, and to it."""
        self.keeps_node = False
        """Whether the node goes on believing in a client that has gone."""
        self.mend()

    def cut(self) -> None:
        """Reset both connections."""
        for end in self._ends:
            sock = end.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()
        self.mend()

    def stall(self) -> None:
        """Let nothing through for now: what is sent comes late."""
        self.up.clear()
        self.down.clear()

    def stop_reading(self) -> None:
        """Take nothing more from the node, as a client does that is too slow; what the client sends passes."""
        self.down.clear()

    def black_hole(self) -> None:
        """Let nothing through, and do not tell the node when the client gives up."""
        self.keeps_node = True
        self.stall()

    def mend(self) -> None:
        """Let everything through again, late."""
        self.up.set()
        self.down.set()


class Proxy:
    """Listens for clients. ``links`` are those that are open."""

    def __init__(self, ports: Callable[[], Sequence[int]], seed: int) -> None:
        """``ports``: of the nodes that a balancer would try now."""
        self._ports = ports
        self._draw = random.Random(seed)
        self._tasks = Tasks()
        self.links: set[Link] = set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[int]:
        """Listen on a free port, which it gives."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for link in list(self.links):
                link.cut()
            await self._tasks.close()

    def some(self, count: int, draw: random.Random) -> list[Link]:
        """So many links of those that are open, or all."""
        links = sorted(self.links, key=id)
        return draw.sample(links, min(count, len(links)))

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._serve(reader, writer), name="link")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = await self._connected()
        if node is None:
            writer.close()
            return
        node_reader, node_writer = node
        link = Link(writer, node_writer)
        self.links.add(link)
        ways = [
            asyncio.get_running_loop().create_task(_pump(reader, node_writer, link.up)),
            asyncio.get_running_loop().create_task(_pump(node_reader, writer, link.down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if link.keeps_node:
                writer.close()
                await link.up.wait()
        finally:
            for way in ways:
                way.cancel()
            self.links.discard(link)
            writer.close()
            node_writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports = list(self._ports())
        for port in self._draw.sample(ports, len(ports)):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NODE_BUFFER_BYTES)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                    return await asyncio.open_connection(sock=sock)
            except OSError:  # refused: the node is down, or drains; TimeoutError too
                sock.close()
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            await passes.wait()
            writer.write(data)
            await writer.drain()
