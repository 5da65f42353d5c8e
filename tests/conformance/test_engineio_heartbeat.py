"""Engine.IO protocol 4, "Heartbeat": the server pings, and closes when no pong comes."""

import asyncio

import pytest

from tests.conformance.marks import at_short_ping
from tests.support.bare_server import BareServer
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, Session, WebSocketSession
from tests.support.raw_websocket import Opcode, encode_frame

pytestmark = at_short_ping

EARLY = 0.8
"""Of a time: a server may be a little early, so that it never passes the deadline that it told the client."""

LATE_S = 1.0
"""For a loaded machine."""


class Stopwatch:
    """The time since it was made, against what the server is set to."""

    def __init__(self) -> None:
        self._start = asyncio.get_running_loop().time()

    def shows(self, expected_ms: int) -> bool:
        """Whether it is about that time."""
        elapsed_s = asyncio.get_running_loop().time() - self._start
        return EARLY * expected_ms / 1000 <= elapsed_s <= expected_ms / 1000 + LATE_S


async def receive_ping(session: Session) -> None:
    """Wait for the next packet, which has to be a ping, and do not answer it."""
    assert await session.any_packet() == "2"


@pytest.mark.parametrize("path", [ENGINE_PATH, SOCKET_PATH])
async def test_the_server_pings_at_its_interval(client: Client, server: BareServer, transport: str, path: str) -> None:
    """Three pings take longer than interval and timeout together: each pong has kept the session alive."""
    session = await client.session(transport, path)
    if path == SOCKET_PATH:
        await session.send("40")
        assert [(await session.packet())[:2] for _ in range(2)] == ["40", "42"]
    for _ in range(3):
        watch = Stopwatch()
        await receive_ping(session)
        assert watch.shows(server.pace.ping_interval_ms)
        await session.send("3")


async def test_a_session_without_a_pong_is_closed_after_the_timeout(
    client: Client, server: BareServer, transport: str
) -> None:
    session = await client.session(transport)
    await receive_ping(session)
    watch = Stopwatch()
    await session.ended()
    assert watch.shows(server.pace.ping_timeout_ms)


async def test_a_session_that_is_never_polled_is_closed_as_well(client: Client) -> None:
    """As soon as interval and timeout are over: a WebSocket opened after it is the clock for that."""
    session = await client.polling()
    clock = await client.websocket()
    await receive_ping(clock)
    await clock.ended()
    assert (await session.get()).status == 400


async def test_a_pong_of_the_websocket_protocol_is_none_of_engine_io(client: Client) -> None:
    session = await client.websocket()
    await receive_ping(session)
    session.socket.send(encode_frame("2", Opcode.PONG))
    await session.ended()


async def test_a_pong_that_nobody_asked_for_does_no_harm(client: Client, transport: str) -> None:
    session = await client.session(transport)
    await session.send("3", "3", "4hello")
    assert await session.packet() == "4hello"
    await receive_ping(session)


async def test_the_heartbeat_goes_on_after_an_upgrade(client: Client, server: BareServer) -> None:
    polling = await client.polling()
    session: WebSocketSession = await client.candidate(polling)
    await session.send("2probe", "5", "4hello")
    assert [await session.packet() for _ in range(2)] == ["3probe", "4hello"]
    await receive_ping(session)
    await session.send("3")
    watch = Stopwatch()
    await receive_ping(session)
    assert watch.shows(server.pace.ping_interval_ms)
    await session.ended()
