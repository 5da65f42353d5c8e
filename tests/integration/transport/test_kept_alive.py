"""WebSocket handshakes on connections that have served other requests before, as those of proxies."""

import asyncio
import logging

import pytest

from tests.support.local_server import LocalServer
from tests.support.raw_engineio import Handshake, WebSocketSession
from tests.support.raw_http import RawConnection, request
from tests.support.raw_websocket import RawWebSocket, encode_frame, handshake
from tests.support.wait import until

TARGET = "/socket.io/?EIO=4&transport=websocket"
POLL = "/socket.io/?EIO=4&transport=polling"


async def used(local: LocalServer, *targets: str) -> RawConnection:
    """A connection that has had these requests answered."""
    connection = await local.client.connection()
    for target in targets:
        connection.send(request("GET", target))
        await connection.response()
    return connection


async def websocket_on(connection: RawConnection, target: str = TARGET) -> RawWebSocket:
    connection.send(handshake(target))
    status, _ = await connection.head()
    assert status == 101
    return RawWebSocket(connection)


def connections(local: LocalServer) -> int:
    return sum(local.door.addresses._open.values())


@pytest.mark.parametrize("before", [["/nothing"], [POLL], ["/nothing", POLL, "/nothing"]], ids=len)
async def test_a_websocket_works_there_as_on_a_new_connection(local: LocalServer, before: list[str]) -> None:
    socket = await websocket_on(await used(local, *before))
    session = WebSocketSession(socket, Handshake.of((await socket.frame()).payload.decode()))
    await session.send("40", '421["echo","early"]')
    assert str(await session.packet()).startswith("40")
    assert await session.packet() == '42["auth",{}]'
    assert await session.packet() == '431["early"]'
    await session.send('422["echo","' + "x" * 300_000 + '"]')
    assert len(await session.packet()) > 300_000


@pytest.mark.parametrize("end", ["close", "drop", "reset", "half-close"])
async def test_its_end_is_noticed_and_nothing_is_left(local: LocalServer, end: str) -> None:
    connection = await used(local, "/nothing")
    socket = await websocket_on(connection)
    await socket.frame()
    socket.send(encode_frame("40"))
    await until(lambda: local.server.rooms_of("/").sockets)
    match end:
        case "close":
            socket.send_close()
        case "drop":
            await connection.close()
        case "reset":
            connection.reset()
        case _:
            connection.end()
    await until(lambda: not local.left_behind())


async def test_a_session_can_move_to_a_websocket_on_the_connection_that_it_polled_by(local: LocalServer) -> None:
    polls = await local.client.connection()
    polls.send(request("GET", POLL))
    sid = Handshake.of((await polls.response()).text).sid
    socket = await websocket_on(polls, f"{TARGET}&sid={sid}")
    session = WebSocketSession(socket, None)
    await session.send("2probe")
    assert await session.packet() == "3probe"
    await session.send("5", "40")
    assert str(await session.packet()).startswith("40")
    poll = await local.client.request("GET", f"{POLL}&sid={sid}")
    assert poll.status == 400
    await local.client.close()
    await until(lambda: not local.left_behind())


@pytest.mark.parametrize("turns", range(8))
async def test_a_client_that_goes_right_after_its_handshake_leaves_nothing(
    local: LocalServer, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Between the request and the WebSocket are some turns of the loop, and it may go in any of them."""
    connection = await used(local, "/nothing")
    tasks = len(asyncio.all_tasks())
    connection.send(handshake(TARGET))
    for _ in range(turns):
        await asyncio.sleep(0)
    connection.reset()
    await until(lambda: connections(local) == 0)
    await until(lambda: not local.left_behind())
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_handshake_that_is_refused_there_leaves_the_connection_usable(local: LocalServer) -> None:
    connection = await used(local, "/nothing")
    connection.send(handshake(f"{TARGET}&sid=unknown"))
    assert (await connection.response()).status == 400
    connection.send(request("GET", "/nothing"))
    assert (await connection.response()).status == 404
