"""One reader that stops reading: it is held a megabyte, then cut with a reason, and others get everything in order."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from hub.kernel.delivery import Delivery
from hub.transport.deliveries import DeliveryPackets
from hub.transport.engineio.outbox import MAX_HELD_BYTES, WRITE_BUFFER_BYTES
from hub.transport.engineio.session import Session
from hub.transport.engineio.websocket import CloseCode, payloads_of
from hub.transport.socketio.server import SocketServer
from presence.schema import PresenceDiff
from tests.support.local_client import LocalClient
from tests.support.local_server import LocalServer
from tests.support.raw_client import Client
from tests.support.raw_engineio import PollingSession, WebSocketSession
from tests.support.raw_websocket import Opcode, encode_frame
from tests.support.wait import until

SIZE = 200
TEXT = "x" * 20_000


class Taker:
    """A client without a network that takes everything at once. Stands in for its own WebSocketConnection."""

    paused = False
    waiting_bytes = 0
    receiver: object = None

    def __init__(self, server: SocketServer) -> None:
        self.client = LocalClient(server)
        self.taken: list[bytes] = []
        self.write = self.taken.append
        self.client.session.use_websocket(cast("Any", self))
        self.client.session.source = self.client
        self.client.send("40", '42["join","room"]')

    def pause_reading(self) -> None:
        """See WebSocketConnection."""

    def close(self, code: int, reason: str) -> None:
        """See WebSocketConnection."""


@dataclass
class Crowd:
    """A room of 200: one reader that is looked at, a few on sockets that read, and the rest without a network."""

    local: LocalServer
    readers: list[WebSocketSession]
    others: list[Taker]

    @property
    def server(self) -> SocketServer:
        return self.local.server

    async def tell(self, number: int) -> None:
        """A message to everybody, and a turn of the loop."""
        await self.server.emit("news", [number, TEXT], room="room")
        await asyncio.sleep(0)

    async def assert_others_have_all(self, count: int) -> None:
        """Everybody else has got so many messages, in order."""
        expected = list(range(count))
        for reader in self.readers:
            assert numbers([await reader.packet() for _ in range(count)]) == expected
        await until(lambda: not self.local.engine.outboxes._pending)  # a busy machine makes slices of the room
        whole = b"".join(self.others[0].taken)
        assert numbers([payload.decode() for _, payload in payloads_of(whole)]) == expected
        assert all(b"".join(other.taken) == whole for other in self.others)


def numbers(packets: Sequence[str | bytes]) -> list[int]:
    return [json.loads(str(packet)[2:])[1][0] for packet in packets if str(packet).startswith('42["news"')]


async def join(session: WebSocketSession | PollingSession) -> None:
    await session.send("40", '421["join","room"]')
    while await session.packet() != "431[]":
        pass


@pytest.fixture
async def crowd(local: LocalServer) -> AsyncIterator[Crowd]:
    readers = [await local.client.websocket("/socket.io/") for _ in range(3)]
    for reader in readers:
        await join(reader)
    others = [Taker(local.server) for _ in range(SIZE - len(readers) - 1)]
    await until(lambda: local.server.rooms_of("/").count("room") == SIZE - 1)
    for other in others:
        other.taken.clear()
    yield Crowd(local, readers, others)
    for other in others:
        other.client.drop()


def held(session: Session) -> int:
    """Bytes that wait for a client in user space."""
    in_transport = 0 if session.connection is None else session.connection.waiting_bytes
    return in_transport + (0 if session.backlog is None else session.backlog.size)


async def test_by_websocket_it_reads_on_to_a_close_frame_that_says_why(crowd: Crowd, slow_reader: Client) -> None:
    stopped = await slow_reader.websocket("/socket.io/")
    await join(stopped)
    ours = crowd.local.session(stopped.handshake.sid)
    count = most = 0
    while ours.sid in crowd.local.engine.sessions:
        await crowd.tell(count)
        count, most = count + 1, max(most, held(ours))
    assert MAX_HELD_BYTES - 2 * len(TEXT) < most <= MAX_HELD_BYTES
    await crowd.assert_others_have_all(count)
    received = []
    while (frame := await stopped.socket.frame()).opcode != Opcode.CLOSE:
        received.append(frame.payload.decode())
    assert frame.payload == CloseCode.SLOW_READER.to_bytes(2, "big") + b"slow reader"
    got = numbers(received)
    assert got == list(range(len(got)))
    assert len(got) < count, "what waited for it was dropped"
    await slow_reader.close()
    await until(lambda: ours.sid not in crowd.local.engine.sessions)


async def test_by_long_polling_its_next_poll_says_why(crowd: Crowd) -> None:
    stopped = await crowd.local.client.polling("/socket.io/")
    await join(stopped)
    ours = crowd.local.session(stopped.handshake.sid)
    count = most = 0
    while ours.sid in crowd.local.engine.sessions:
        await crowd.tell(count)
        count, most = count + 1, max(most, held(ours))
    assert MAX_HELD_BYTES - 2 * len(TEXT) < most <= MAX_HELD_BYTES
    await crowd.assert_others_have_all(count)
    response = await stopped.get()
    assert response.status == 400
    assert json.loads(response.body) == {"code": 1, "message": "Session ID unknown", "reason": "slow reader"}


async def stop_reading(crowd: Crowd, reader: Client) -> tuple[WebSocketSession, Session]:
    """A member whose connection takes nothing more for now."""
    stopped = await reader.websocket("/socket.io/")
    await join(stopped)
    ours = crowd.local.session(stopped.handshake.sid)
    while ours.write is not None:
        await crowd.tell(0)
    return stopped, ours


async def test_what_is_volatile_is_dropped_for_it_before_it_is_cut(crowd: Crowd, slow_reader: Client) -> None:
    _, ours = await stop_reading(crowd, slow_reader)
    before = held(ours)
    for number in range(200):
        await crowd.server.emit("cursor", [number, TEXT], room="room", volatile=True)
        await asyncio.sleep(0)
    assert held(ours) == before
    assert before <= WRITE_BUFFER_BYTES + 2 * len(TEXT)
    assert ours.sid in crowd.local.engine.sessions


async def test_of_full_states_it_gets_the_newest_when_it_reads_on(crowd: Crowd, slow_reader: Client) -> None:
    stopped, ours = await stop_reading(crowd, slow_reader)
    for version in range(300):
        payload = {"users": [{"userId": user, "version": version, "text": TEXT} for user in "ab"]}
        packets = DeliveryPackets(Delivery([], PresenceDiff.event, json.dumps(payload).encode()))
        crowd.server.rooms_of("/").send(crowd.local.engine.outboxes, ["room"], packets)
        await asyncio.sleep(0)
    await crowd.server.emit("end", room="room")
    assert held(ours) < MAX_HELD_BYTES / 4
    received: list[list[Any]] = [["nothing"]]
    while received[-1][0] != "end":
        received.append(json.loads(str(await stopped.packet())[2:]))
    assert [name for name, *_ in received[-2:]] == [PresenceDiff.event, "end"]
    users = received[-2][1]["users"]
    assert [(user["userId"], user["version"]) for user in users] == [("a", 299), ("b", 299)]


async def test_one_that_reads_on_before_it_is_cut_has_missed_nothing(crowd: Crowd, slow_reader: Client) -> None:
    stopped = await slow_reader.websocket("/socket.io/")
    await join(stopped)
    ours = crowd.local.session(stopped.handshake.sid)
    count = 0
    while held(ours) < MAX_HELD_BYTES / 2:
        await crowd.tell(count)
        count += 1
    assert numbers([await stopped.packet() for _ in range(count)]) == list(range(count))
    await until(lambda: ours.write is not None)
    assert held(ours) == 0


async def test_one_that_only_sends_pings_of_the_websocket_is_held_no_more(crowd: Crowd, slow_reader: Client) -> None:
    """Their answers are written past the outbox."""
    seen = asyncio.Event()
    crowd.server.on("seen", lambda _sid: seen.set())
    stopped, ours = await stop_reading(crowd, slow_reader)
    before = held(ours)
    stopped.socket.send(*([encode_frame(b"x" * 100, Opcode.PING)] * 10_000), encode_frame('42["seen"]'))
    await seen.wait()
    assert held(ours) == before
