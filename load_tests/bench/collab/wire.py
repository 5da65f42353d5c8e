"""Typists and readers of documents as raw WebSockets, for measuring: ``python -m load_tests.bench.collab.wire FILE``.

The same bytes for every server: y-websocket's protocol, or Hocuspocus' (the same with the document's name before it).
Typed letters go at a pace. Of the readers one looks at what it gets, the others count bytes: Python could not look at a
quarter of a million messages a second, and a server does not know who looks.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from collab.decoding import MAX_CLIENT_ID, BadUpdate, Reader, uint
from collab.update import parse_document

BINARY = b"\x82"
SMALL, LARGE = 126, 127
ONE_LETTER, LETTER_END = b"\1\1", b"\1a\0"
"""One client, one item; one unit of text, nothing deleted."""
OPEN_S = 30.0
LATE_S = 20.0
"""After the last letter, until all letters have come."""
FULL_SHARE = 0.5
"""Of the bytes that the reader gets who looks: one that gets fewer was left behind. Merged letters have fewer."""


class Typing(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    dialect: str
    """``y-websocket``, or ``hocuspocus``."""
    urls: Sequence[str]
    """``host:port/path`` of each typist, who has the document of its number modulo ``documents``."""
    names: Sequence[str]
    """Of the documents, as Hocuspocus wants them before each message."""
    tokens: Sequence[str]
    """Of the documents."""
    typists: int
    readers: int
    """All of document 0, by the first URL."""
    per_second: float
    """Letters of all typists together."""
    seconds: float


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; times in ms."""

    sent: int
    acknowledged: int
    ack_p50: float = 0.0
    ack_p99: float = 0.0
    read: int = 0
    read_p50: float = 0.0
    read_p99: float = 0.0
    behind: int = 0
    """Readers who were left behind."""


class Client(asyncio.Protocol):
    """One WebSocket."""

    def __init__(self, typing: Typing, number: int, looks: bool) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.received = 0
        self.times: list[float] = []
        """When which letter came: (client, clock) is in ``sent`` of the typists."""
        self._typing = typing
        self._document = number % len(typing.names)
        self._url = typing.urls[number % len(typing.urls)]
        self._looks = looks
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_open = False
        self.sent: dict[tuple[int, int], float] = {}
        """(client, clock) → when it was sent. Shared by whoever looks for them."""
        self.acks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not derived from it
        host, _, path = self._url.partition("/")
        token = self._typing.tokens[self._document]
        query = f"?token={token}" if token and self._typing.dialect == "y-websocket" else ""
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /{path}{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:40]:
                self.opened.set_exception(ConnectionError(self._buffer[:200].decode(errors="replace")))
                return
            data = bytes(self._buffer[end + 4 :])
            self._buffer.clear()
            self._is_open = True
            if self._typing.dialect == "hocuspocus":
                self.send(b"\2\0" + uint(0))  # authentication: an empty token
            self.send(b"\0\0\1\0")  # sync step 1 of an empty document
        self.received += len(data)
        if not self.opened.done() and self.received:
            self.opened.set_result(None)
        if self._looks:
            self._buffer += data
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed"))

    def send(self, message: bytes) -> None:
        """One message, after the document's name where the dialect has it there."""
        assert self._transport is not None
        if self._typing.dialect == "hocuspocus":
            name = self._typing.names[self._document].encode()
            message = uint(len(name)) + name + message
        size = len(message)
        head = bytes([0x80 | size]) if size < SMALL else bytes([0x80 | SMALL]) + size.to_bytes(2, "big")
        self._transport.write(BINARY + head + b"\0\0\0\0" + message)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        now = time.perf_counter()
        buffer = self._buffer
        at = 0
        while len(buffer) - at >= 2:
            size, body = buffer[at + 1] & 127, at + 2
            if size == SMALL:
                size, body = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == LARGE:
                size, body = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < body + size:
                break
            if buffer[at] & 15 == 2:
                self._take(bytes(buffer[body : body + size]), now)
            at = body + size
        del buffer[:at]

    def _take(self, message: bytes, now: float) -> None:
        reader = Reader(message)
        if self._typing.dialect == "hocuspocus":
            reader.raw()
        kind = reader.uint()
        if kind == 8:
            self.acks += 1
        if kind not in (0, 4) or reader.uint() not in (1, 2):
            return
        try:
            brought = letters_in(reader.raw())
        except BadUpdate:
            return
        for client, first, end in brought:
            for clock in range(first, end):
                if (sent := self.sent.get((client, clock))) is not None:
                    self.times.append(now - sent)


def letters_in(update: bytes) -> Sequence[tuple[int, int, int]]:
    """(client, first clock, clock past the last) of what an update brings. Raises BadUpdate.

    One :func:`letter` is known by its form, in a quarter of the time: at 20,000 of them a second, seen by a typist and
    by a reader, this process would need more than its core.
    """
    if update.startswith(ONE_LETTER) and update.endswith(LETTER_END):
        reader = Reader(update)
        reader.skip(len(ONE_LETTER))
        client, clock = reader.uint(MAX_CLIENT_ID), reader.uint()
        return [(client, clock, clock + 1)]
    return parse_document(update).brings


def letter(client: int, clock: int) -> bytes:
    """The update of a typed letter."""
    head = ONE_LETTER + uint(client) + uint(clock)
    item = b"\4\1\4text" if clock == 0 else b"\x84" + uint(client) + uint(clock - 1)
    update = head + item + LETTER_END
    return b"\0\2" + uint(len(update)) + update


async def type_letters(typing: Typing) -> Typed:
    """Connect, say "ready" on the standard output, wait for a line, and type."""
    typists = [await _connect(typing, number, looks=True) for number in range(typing.typists)]
    sent: dict[tuple[int, int], float] = {}
    readers = [await _connect(typing, 0, looks=number == 0) for number in range(typing.readers)]
    for reader in readers:
        reader.sent = sent
    await asyncio.sleep(1.0)
    for one in (*typists, *readers):
        one.received = one.acks = 0
        one.times.clear()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    count = await _type(typing, typists, sent)
    end = time.perf_counter() + LATE_S
    wanted = count if readers else 0
    while time.perf_counter() < end and (  # noqa: ASYNC110 all clients would have to tell
        (readers and len(readers[0].times) < wanted) or sum(map(_acknowledged, typists)) < count
    ):
        await asyncio.sleep(0.05)
    print("done", flush=True)
    acks = sorted(took for typist in typists for took in typist.times)
    read = sorted(readers[0].times) if readers else []
    behind = sum(reader.received < FULL_SHARE * readers[0].received for reader in readers)
    result = Typed(
        sent=count,
        acknowledged=sum(map(_acknowledged, typists)),
        ack_p50=_quantile_ms(acks, 0.5),
        ack_p99=_quantile_ms(acks, 0.99),
        read=len(read),
        read_p50=_quantile_ms(read, 0.5),
        read_p99=_quantile_ms(read, 0.99),
        behind=behind,
    )
    for one in (*typists, *readers):
        one.close()
    return result


def _acknowledged(typist: Client) -> int:
    return max(len(typist.times), typist.acks)


async def _type(typing: Typing, typists: Sequence[Client], sent: dict[tuple[int, int], float]) -> int:
    clocks = [0] * len(typists)
    base = int.from_bytes(os.urandom(4), "big") << 8
    began, total = time.perf_counter(), int(typing.per_second * typing.seconds)
    for number in range(total):
        due = began + number / typing.per_second
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        elif number % 32 == 0:
            await asyncio.sleep(0)
        who = number % len(typists)
        client, clock = base + who, clocks[who]
        clocks[who] += 1
        now = time.perf_counter()
        sent[client, clock] = now
        typists[who].sent[client, clock] = now
        typists[who].send(letter(client, clock))
    return total


async def _connect(typing: Typing, number: int, looks: bool) -> Client:
    url = typing.urls[number % len(typing.urls)]
    host, _, port = url.partition("/")[0].partition(":")
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(typing, number, looks), host, int(port))
    async with asyncio.timeout(OPEN_S):
        await client.opened
    return client


def _quantile_ms(times: Sequence[float], share: float) -> float:
    return 1000 * times[min(int(share * len(times)), len(times) - 1)] if times else 0.0


if __name__ == "__main__":
    given = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Typing)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(msgspec.to_builtins(runner.run(type_letters(given)))), flush=True)
