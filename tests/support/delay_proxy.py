"""A TCP proxy with latency: it stretches the moments in which a client changes its transport."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            loop.call_later(delay_s, writer.write, data)
    loop.call_later(delay_s, writer.close)


@contextlib.asynccontextmanager
async def delay_proxy(port: int, delay_s: float) -> AsyncIterator[int]:
    """The port of a proxy that passes everything on to ``port``, each way so much later."""
    ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        ends.update((writer, behind_writer))
        await asyncio.gather(_pipe(reader, behind_writer, delay_s), _pipe(behind_reader, writer, delay_s))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in ends:
            writer.close()
        await asyncio.sleep(delay_s)
