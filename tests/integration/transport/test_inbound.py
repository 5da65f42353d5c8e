"""What one client sends is taken in bounded pieces: it waits for its handlers, and others do not wait for it."""

import asyncio
from typing import Any

import pytest

from hub.transport.engineio.session import MESSAGES_A_TURN
from hub.transport.engineio.session import Session as OurSession
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket import CloseCode
from hub.transport.socketio.client import MAX_IN_FLIGHT
from tests.support.local_server import LocalServer, local_server
from tests.support.raw_engineio import PollingSession, Session, WebSocketSession
from tests.support.raw_http import request
from tests.support.wait import until

TRANSPORTS = ["polling", "websocket"]


class Turns:
    """How often something happened in each turn of the loop."""

    def __init__(self) -> None:
        self.most = self.total = 0
        self._this_turn = 0
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def count(self, *_: Any) -> None:
        self._this_turn += 1
        self.total += 1
        self.most = max(self.most, self._this_turn)

    async def _watch(self) -> None:
        while True:
            self._this_turn = 0
            await asyncio.sleep(0)

    def stop(self) -> None:
        self._task.cancel()


async def connected(local: LocalServer, transport: str) -> Session:
    session = await local.client.session(transport, "/socket.io/")
    await session.send("40")
    await session.packet()
    await session.packet()
    return session


def send_all(session: Session, *packets: str) -> "asyncio.Task[None]":
    return asyncio.get_running_loop().create_task(session.push(*packets))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_burst_of_small_events_is_handled_in_pieces_between_which_others_have_their_turn(
    local: LocalServer, transport: str
) -> None:
    """A quarter of a megabyte, which is read at once, has 20 000 of them."""
    turns = Turns()
    local.server.on("count", turns.count)
    session = await connected(local, transport)
    sending = send_all(session, *['42["count"]'] * 9000)
    await until(lambda: turns.total == 9000)
    await sending
    turns.stop()
    assert turns.most < 2 * MESSAGES_A_TURN, "the end of one piece that was read, and a whole turn's of the next"


class Slow:
    """A handler of "slow" that waits until it is let go. `started` are the numbers it was called with."""

    def __init__(self, local: LocalServer) -> None:
        self.started: list[int] = []
        self.goes_on = asyncio.Event()
        local.server.on("slow", self._handle)

    async def _handle(self, _sid: str, number: int) -> int:
        self.started.append(number)
        await self.goes_on.wait()
        return number


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_with_32_events_under_way_is_read_no_further_until_one_is_done(
    local: LocalServer, transport: str
) -> None:
    slow = Slow(local)
    busy, other = await connected(local, transport), await connected(local, transport)
    ours = local.session(busy.handshake.sid)
    sending = send_all(busy, *(f'42{number}["slow",{number}]' for number in range(100)))
    await until(lambda: len(slow.started) == MAX_IN_FLIGHT)
    await other.send('421["echo","others go on"]')
    assert await other.packet() == '431["others go on"]'
    assert len(slow.started) == MAX_IN_FLIGHT
    assert ours.held
    assert transport == "websocket" or not sending.done(), "the POST is answered when its last packet was taken"
    slow.goes_on.set()
    await sending
    assert [await busy.packet() for _ in range(100)] == [f"43{number}[{number}]" for number in range(100)]
    assert not ours.held


class Dues:
    """Counts how often the heartbeat looked at a session."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        due = OurSession.due

        def counted(session: OurSession) -> None:
            self.count += 1
            due(session)

        patch.setattr(OurSession, "due", counted)


async def test_a_pong_that_is_not_read_because_of_us_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    dues = Dues(monkeypatch)
    async with local_server(EngineSettings(ping_interval_s=0.1, ping_timeout_s=0.1)) as local:
        slow = Slow(local)
        session = await local.client.websocket("/socket.io/")
        await session.send("40", *(f'42["slow",{number}]' for number in range(40)))
        while await session.any_packet() != "2":
            pass
        await session.send("3", '421["echo","read at last"]')
        await until(lambda: dues.count > 5)
        slow.goes_on.set()
        assert await session.packet() == '431["read at last"]'


async def test_a_pong_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    dues = Dues(monkeypatch)
    async with local_server(EngineSettings(ping_interval_s=0.1, ping_timeout_s=0.1)) as local:
        session = await local.client.websocket("/socket.io/")
        while await session.any_packet() != "2":
            pass
        close = await session.closed()
        assert (close.code, close.reason) == (CloseCode.PING_TIMEOUT, "ping timeout")
        assert dues.count == 2
        await until(lambda: not local.left_behind())


@pytest.mark.parametrize("what", ["a content length", "chunks"])
async def test_a_post_that_drips_ends_its_session_in_time(
    local: LocalServer, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.polling.BODY_S", 0.2)
    session = await connected(local, "polling")
    assert isinstance(session, PollingSession)
    connection = await local.client.connection()
    if what == "chunks":
        connection.send(request("POST", session.target, None, Transfer_Encoding="chunked") + b"1\r\n4\r\n")
    else:
        connection.send(request("POST", session.target, b"4", Content_Length="1000"))
    assert (await connection.response(2)).status == 408
    assert (await session.get()).status == 400
    await local.client.close()
    await until(lambda: not local.left_behind())


async def test_a_client_that_goes_in_the_middle_of_its_post_ends_its_session(local: LocalServer) -> None:
    session = await connected(local, "polling")
    assert isinstance(session, PollingSession)
    connection = await session.begin_post(b'42["echo"', missing=100)
    await until(lambda: local.session(session.handshake.sid).posting)
    await connection.close()
    await until(lambda: not local.engine.sessions)


async def test_a_session_whose_post_is_not_taken_whole_does_not_move_to_a_websocket(local: LocalServer) -> None:
    """A client pauses before it moves. For one that does not, the rest of the POST would be lost, or out of order."""
    slow = Slow(local)
    session = await connected(local, "polling")
    assert isinstance(session, PollingSession)
    posting = send_all(session, *(f'42["slow",{number}]' for number in range(50)))
    await until(lambda: len(slow.started) == MAX_IN_FLIGHT)
    candidate = await local.client.candidate(session)
    await candidate.send("2probe", "5", '42["slow",100]')
    assert await candidate.packet() == "3probe"
    assert (await candidate.closed()).code == CloseCode.PROTOCOL_ERROR
    slow.goes_on.set()
    await posting
    assert slow.started == list(range(50))
    await session.send('421["echo","still polling"]')
    while await session.packet() != '431["still polling"]':
        pass


@pytest.mark.parametrize(
    "post",
    [
        {"headers": {"Content_Encoding": "gzip"}, "body": b"no gzip"},
        {"headers": {"Content_Encoding": "deflate"}, "body": b"no deflate"},
        {"headers": {"Transfer_Encoding": "chunked"}, "body": b"1\r\n4\r\n1\r\n\xff\r\n0\r\n\r\n"},
    ],
    ids=["gzip", "deflate", "utf-8"],
)
async def test_a_body_that_is_not_what_its_head_says_ends_its_session(local: LocalServer, post: Any) -> None:
    session = await connected(local, "polling")
    assert isinstance(session, PollingSession)
    connection = await local.client.connection()
    headers = {"Content_Length": str(len(post["body"])), **post["headers"]}
    if "Transfer_Encoding" in headers:
        del headers["Content_Length"]
    connection.send(request("POST", session.target, None, **headers) + post["body"])
    assert (await connection.response()).status == 400
    assert local.engine.sessions == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_packet_with_all_its_attachments_is_no_bigger_than_a_message_may_be(transport: str) -> None:
    limit = 5000
    head = '453-1["message-with-ack",{"_placeholder":true,"num":1}]'
    async with local_server(EngineSettings(max_payload=limit)) as local:
        session = await connected(local, transport)
        for part in (head, b"x" * 2000, b"fits", b"x" * (limit - len(head) - 2004)):
            await session.send(part)
        assert [await session.packet() for _ in range(2)] == ['461-1[{"_placeholder":true,"num":0}]', b"fits"]

        for part in (head, b"x" * 2000, b"fits", b"x" * (limit - len(head) - 2003)):
            await session.send(part)
        if isinstance(session, WebSocketSession):
            assert (await session.closed()).code == CloseCode.TOO_BIG
        else:
            await session.ended()
        await local.client.close()
        await until(lambda: not local.left_behind())


async def test_attachments_are_refused_when_they_are_too_many_bytes_and_not_when_the_last_has_come() -> None:
    async with local_server(EngineSettings(max_payload=5000)) as local:
        session = await connected(local, "websocket")
        assert isinstance(session, WebSocketSession)
        await session.send('4510-["message"]', b"x" * 4000, b"x" * 4000)
        assert (await session.closed()).code == CloseCode.TOO_BIG
