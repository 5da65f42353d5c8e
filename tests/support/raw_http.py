"""HTTP/1.1 over one TCP connection, by hand: nothing is sent or read but what a test asks for."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

ANSWER_S = 5.0
"""A limit and no measure: an answer takes a millisecond."""

_HEAD_BYTES = 1 << 21
"""What a head, or a line of a chunked body, may be at most."""
_LITTLE_BYTES = 4096


class Ended(Exception):
    """The server ended the connection where something was to be read from it."""


@dataclass(frozen=True)
class Response:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


class RawConnection:
    """A TCP connection to the server. Every read raises Ended at its end, and TimeoutError when it takes too long."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, *, source: str = "127.0.0.1", reads_ahead: bool = True) -> Self:
        """Connect to a port of the loopback from one of its addresses.

        Without `reads_ahead` hardly anything is taken from the server but what is asked for: the rest stays with it.
        """
        connected = socket.socket()
        connected.setblocking(False)
        if not reads_ahead:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LITTLE_BYTES)
        connected.bind((source, 0))
        async with asyncio.timeout(ANSWER_S):
            await asyncio.get_running_loop().sock_connect(connected, ("127.0.0.1", port))
            limit = _HEAD_BYTES if reads_ahead else _LITTLE_BYTES
            return cls(*await asyncio.open_connection(sock=connected, limit=limit))

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel, in one piece (asyncio sets TCP_NODELAY)."""
        self._writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the next answer."""
        status_line, *lines = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        version, status, *_ = status_line.split(" ")
        assert version.startswith("HTTP/"), status_line  # aiohttp names the version that it was asked with, be it 0.9
        fields = [line.partition(":") for line in lines]
        return int(status), {name.lower(): value.strip() for name, _, value in fields}

    async def response(self, timeout_s: float = ANSWER_S) -> Response:
        """The next answer, whole."""
        async with asyncio.timeout(timeout_s):
            status, headers = await self.head()
            if headers.get("transfer-encoding") == "chunked":
                body = await self._chunks()
            elif "content-length" in headers:
                body = await self.exactly(int(headers["content-length"]))
            else:
                body = await self.rest()
            return Response(status, headers, body)

    async def exactly(self, count: int, timeout_s: float = ANSWER_S) -> bytes:
        """The next `count` bytes."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended from error

    async def rest(self, timeout_s: float = ANSWER_S) -> bytes:
        """Everything up to the end of the connection, be it closed or reset."""
        received = bytearray()
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(ConnectionError):
                while piece := await self._reader.read(1 << 16):
                    received += piece
        return bytes(received)

    def end(self) -> None:
        """Say that nothing more will be sent; what the server sends can still be read."""
        self._writer.write_eof()

    async def close(self) -> None:
        """Close it, as a process that dies would: what was sent still arrives, what comes is refused."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def reset(self) -> None:
        """End it at once, as a machine that has restarted would."""
        self._writer.transport.abort()

    async def _until(self, separator: bytes) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._reader.readuntil(separator)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended from error

    async def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(await self._until(b"\r\n"), 16):
            body += await self.exactly(size)
            await self._until(b"\r\n")
        await self._until(b"\r\n")
        return bytes(body)


def request(method: str, target: str, body: bytes | None = None, /, **headers: str) -> bytes:
    """A request. Underscores in the names of headers stand for hyphens; Content-Length follows from the body."""
    fields = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        fields.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")
