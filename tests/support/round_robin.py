"""A balancer that sends each request to the next node, whosever it is: the opposite of sticky sessions."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


@contextlib.asynccontextmanager
async def round_robin(nodes: Sequence[str]) -> AsyncIterator[str]:
    """The address of a balancer before nodes, given by theirs. Clients have to make a connection for each request."""
    turns = itertools.cycle(urlsplit(node) for node in nodes)
    ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" not in head.lower():
                first, _, rest = head.partition(b"\r\n")
                kept = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")]
                head = b"\r\n".join([first, b"Connection: close", *kept])
            node = next(turns)
            behind_reader, behind_writer = await asyncio.open_connection(node.hostname, node.port)
            ends.add(behind_writer)
            behind_writer.write(head)
            await asyncio.gather(_pipe(reader, behind_writer), _pipe(behind_reader, writer))
            ends.discard(behind_writer)
            behind_writer.close()
        ends.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for end in ends:
            end.close()
