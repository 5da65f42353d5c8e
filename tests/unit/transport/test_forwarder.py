"""What hub.transport.forwarding.forwarder adds to the requests of aiohttp."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.http_writer import StreamWriter
from yarl import URL

from hub.transport.forwarding.forwarder import PassedOn


class Connection:
    """As much of aiohttp's as a request uses while it writes its body."""

    def __init__(self, protocol: aiohttp.client_proto.ResponseHandler) -> None:
        self.protocol = protocol

    def close(self) -> None:
        """It is closed."""


async def body() -> AsyncIterator[bytes]:
    return
    yield


async def written_after_the_connection_was_closed(kind: type[aiohttp.ClientRequest]) -> None:
    """Write the end of a chunked body to a connection that is closing."""
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as session:
        port = server.sockets[0].getsockname()[1]
        transport, protocol = await loop.create_connection(
            lambda: aiohttp.client_proto.ResponseHandler(loop), "127.0.0.1", port
        )
        request = kind("POST", URL("http://node/"), data=body(), loop=loop, session=session)
        writer = StreamWriter(protocol, loop)
        writer.enable_chunking()
        transport.close()
        await request.write_bytes(writer, Connection(protocol))  # type: ignore[arg-type]  # the part that is used


async def test_the_end_of_a_body_that_nobody_takes_any_more_is_no_error() -> None:
    await written_after_the_connection_was_closed(PassedOn)


async def test_it_is_one_in_aiohttp() -> None:
    with pytest.raises(aiohttp.ClientConnectionResetError):
        await written_after_the_connection_was_closed(aiohttp.ClientRequest)
