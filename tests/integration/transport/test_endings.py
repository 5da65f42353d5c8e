"""However a connection ends, it ends soon, and nothing of it is left."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hub.transport.eager import HubLoop
from hub.transport.engineio.session import Session
from hub.transport.engineio.websocket import CloseCode
from tests.support.local_server import LocalServer
from tests.support.raw_client import Client
from tests.support.raw_engineio import WebSocketSession
from tests.support.raw_websocket import Opcode, encode_frame
from tests.support.wait import until

End = Callable[[WebSocketSession], Awaitable[None]]


async def close(session: WebSocketSession) -> None:
    session.socket.send_close()


async def half_close(session: WebSocketSession) -> None:
    session.socket.connection.end()


async def break_protocol(session: WebSocketSession) -> None:
    session.socket.send(encode_frame("x", reserved=7))


async def drop(session: WebSocketSession) -> None:
    await session.disconnect()


async def reset(session: WebSocketSession) -> None:
    session.socket.connection.reset()


ENDS = [close, half_close, break_protocol, drop, reset]


async def fill(local: LocalServer, session: Session) -> int:
    """Send until the kernel takes nothing more, and say how many events that were."""
    count = 0
    while session.write is not None:
        await local.server.emit("flood", "x" * 50_000)
        await asyncio.sleep(0)
        count += 1
    return count


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.transport.engineio.websocket_connection.LINGER_S", 0.2)


async def test_these_tests_run_on_the_loop_of_the_hub() -> None:
    assert isinstance(asyncio.get_running_loop(), HubLoop)


@pytest.mark.parametrize("end", ENDS)
async def test_nothing_is_left_of_a_connection_that_has_ended(local: LocalServer, end: End) -> None:
    session = await local.client.websocket("/socket.io/")
    await session.send("40", "40/custom,", '42["join","room"]', '420["echo",1]')
    await session.packet()
    assert {"sessions", "sockets", "rooms", "addresses"} <= set(local.left_behind())
    await end(session)
    await until(lambda: not local.left_behind())


@pytest.mark.parametrize("end", ENDS)
async def test_a_client_that_ends_without_reading_what_waits_for_it_is_not_waited_for(
    local: LocalServer, slow_reader: Client, end: End
) -> None:
    """What waits is up to a megabyte, and a client that keeps its connection open could have it kept for ever."""
    session = await slow_reader.websocket("/socket.io/")
    await session.send("40")
    await session.packet()
    await fill(local, local.session(session.handshake.sid))
    await end(session)
    await until(lambda: not local.left_behind(), timeout_s=2)


async def test_a_client_that_reads_on_gets_all_that_was_sent_before_it_closed(
    local: LocalServer, slow_reader: Client
) -> None:
    session = await slow_reader.websocket("/socket.io/")
    await session.send("40")
    await session.packet()
    await session.packet()
    count = await fill(local, local.session(session.handshake.sid))
    session.socket.send_close()
    for _ in range(count):
        assert len((await session.socket.frame()).payload) > 50_000
    assert (await session.socket.frame()).opcode == Opcode.CLOSE


MANY = 2000


@pytest.mark.parametrize("ends", ["clients", "server"])
async def test_the_end_of_thousands_at_once_leaves_nothing(local: LocalServer, ends: str) -> None:
    tasks = len(asyncio.all_tasks())
    sessions: list[WebSocketSession] = []
    while len(sessions) < MANY:
        sessions += await asyncio.gather(*(local.client.websocket("/socket.io/") for _ in range(100)))
    for number, session in enumerate(sessions):
        await session.send("40", f'42["join","room {number % 200}"]', '42["join","all"]')
    rooms = local.server.rooms_of("/")
    await until(lambda: rooms.count("all") == MANY)
    assert {rooms.count(f"room {number}") for number in range(200)} == {MANY // 200}
    if ends == "clients":
        for session in sessions:
            session.socket.connection.reset()
    else:
        for ours in list(local.engine.sessions.values()):
            ours.close("server disconnect", CloseCode.GOING_AWAY)
    await until(lambda: set(local.left_behind()) <= {"addresses"})
    await local.client.close()
    await until(lambda: not local.left_behind())
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
