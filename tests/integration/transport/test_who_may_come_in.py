"""Who may come in, how many from one address, and for how long without a CONNECT."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket import CloseCode
from tests.support.local_server import LocalServer, local_server
from tests.support.raw_client import Client
from tests.support.raw_http import RawConnection, request
from tests.support.raw_websocket import RawWebSocket, close_payload, encode_frame, handshake
from tests.support.wait import until

LIMIT = 3
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
POLL = "/socket.io/?EIO=4&transport=polling"
HERE = "127.0.0.1"


@pytest.fixture
async def capped() -> AsyncIterator[LocalServer]:
    """A server that takes three connections of an address, and makes no exceptions."""
    settings = EngineSettings(connections_per_address=LIMIT, uncapped_addresses=(), head_timeout_s=0.3)
    async with local_server(settings) as local:
        yield local


def open_from(local: LocalServer, address: str = HERE) -> int:
    return local.door.addresses._open.get(address, 0)


@pytest.mark.parametrize("asked", [handshake(WEBSOCKET), request("GET", POLL), request("GET", "/nothing")])
async def test_one_connection_too_many_is_answered_with_429_and_closed(capped: LocalServer, asked: bytes) -> None:
    for _ in range(LIMIT):
        await capped.client.websocket("/socket.io/")
    connection = await capped.client.connection()
    connection.send(asked)
    response = await connection.response()
    assert response.status == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body)["code"] == "rate_limited"
    assert await connection.rest() == b""
    await until(lambda: open_from(capped) == LIMIT)
    assert len(capped.engine.sessions) == LIMIT


async def test_another_address_is_not_concerned(capped: LocalServer) -> None:
    clients = [Client(capped.client.port, source=f"127.0.0.{number}") for number in (2, 3)]
    for _ in range(LIMIT):
        for client in clients:
            await client.websocket("/socket.io/")
    assert [open_from(capped, f"127.0.0.{number}") for number in (2, 3)] == [LIMIT, LIMIT]
    for client in clients:
        connection = await client.connection()
        connection.send(handshake(WEBSOCKET))
        assert (await connection.response()).status == 429
        await client.close()
    await until(lambda: not capped.left_behind())


async def test_addresses_that_speak_for_everybody_have_no_limit() -> None:
    async with local_server(EngineSettings(connections_per_address=1)) as local:
        for _ in range(5):
            await local.client.websocket("/socket.io/")
        assert open_from(local) == 5


@pytest.fixture
async def dual_stack() -> AsyncIterator[LocalServer]:
    """A server on a socket of both families, which shows IPv4 addresses as IPv6."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    settings = EngineSettings(connections_per_address=LIMIT, uncapped_addresses=(HERE,))
    async with local_server(settings, dual_stack=True) as local:
        yield local


async def test_an_ipv4_address_is_itself_on_a_socket_of_both_families(dual_stack: LocalServer) -> None:
    for _ in range(LIMIT + 1):
        await dual_stack.client.websocket("/socket.io/")
    assert open_from(dual_stack) == LIMIT + 1, "it is on the list of those without a limit"
    other = Client(dual_stack.client.port, source="127.0.0.2")
    for _ in range(LIMIT):
        await other.websocket("/socket.io/")
    assert open_from(dual_stack, "127.0.0.2") == LIMIT
    connection = await other.connection()
    connection.send(request("GET", POLL))
    assert (await connection.response()).status == 429
    await other.close()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_connect_handler_sees_an_ipv4_address_as_such(dual_stack: LocalServer, transport: str) -> None:
    seen: list[str] = []
    dual_stack.server.on("connect", lambda _sid, environ, _auth: seen.append(environ["REMOTE_ADDR"]))
    await (await dual_stack.client.session(transport, "/socket.io/")).send("40")
    await until(lambda: seen == [HERE])


async def websocket(connection: RawConnection, target: str = WEBSOCKET) -> RawWebSocket:
    connection.send(handshake(target))
    status, _ = await connection.head()
    assert status == 101
    return RawWebSocket(connection)


async def close_frame(connection: RawConnection) -> None:
    (await websocket(connection)).send_close(close_payload(1000))
    await connection.rest()


async def violation(connection: RawConnection) -> None:
    (await websocket(connection)).send(encode_frame("x", reserved=1))
    await connection.rest()


async def lost_websocket(connection: RawConnection) -> None:
    await websocket(connection)


async def refused_handshake(connection: RawConnection) -> None:
    connection.send(handshake(WEBSOCKET + "&sid=unknown"))
    assert (await connection.response()).status == 400


async def plain_request(connection: RawConnection) -> None:
    connection.send(request("GET", "/nothing"))
    assert (await connection.response()).status == 404


async def websocket_after_a_request(connection: RawConnection) -> None:
    await plain_request(connection)
    await websocket(connection)


async def open_poll(connection: RawConnection) -> None:
    connection.send(request("GET", POLL))
    sid = json.loads((await connection.response()).body[1:])["sid"]
    connection.send(request("GET", f"{POLL}&sid={sid}"))


async def no_http(connection: RawConnection) -> None:
    connection.send(b"\x00\x01\x02")
    await connection.rest()


async def nothing_in_time(connection: RawConnection) -> None:
    await connection.rest()


WAYS = [
    *(close_frame, violation, lost_websocket, refused_handshake, plain_request, websocket_after_a_request),
    *(open_poll, no_http, nothing_in_time),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_connection_counts_no_more_when_it_is_gone(
    capped: LocalServer, way: Callable[[RawConnection], Awaitable[None]], how: str
) -> None:
    connections = [await capped.client.connection() for _ in range(LIMIT)]
    await until(lambda: open_from(capped) == LIMIT)
    for connection in connections:
        await way(connection)
        if how == "reset":
            connection.reset()
        else:
            await connection.close()
    await until(lambda: open_from(capped) == 0)
    await capped.client.websocket("/socket.io/")


@pytest.mark.parametrize("before", [[], ["/nothing"]], ids=["first request", "kept alive"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("https://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1", 101),
        ("https://127.0.0.1", 101),
        ("https://app.example", 101),
    ],
)
async def test_a_websocket_of_a_foreign_page_is_refused(before: list[str], origin: str, status: int) -> None:
    async with local_server(origins="https://app.example") as local:
        connection = await local.client.connection()
        for target in before:
            connection.send(request("GET", target))
            await connection.response()
        connection.send(handshake(WEBSOCKET, Origin=origin))
        assert (await connection.head())[0] == status
        assert len(local.engine.sessions) == (status == 101)


@pytest.mark.parametrize("first", [[], ["40/nowhere,"]], ids=["nothing", "a CONNECT that was refused"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_session_without_an_accepted_connect_ends_in_time(first: list[str], transport: str) -> None:
    async with local_server(EngineSettings(connect_timeout_s=0.2)) as local:
        session = await local.client.session(transport, "/socket.io/")
        for packet in first:
            await session.send(packet)
            assert str(await session.packet()).startswith("44/nowhere")
        if transport == "websocket":
            close = await session.closed()  # type: ignore[attr-defined]
            assert (close.code, close.reason) == (CloseCode.POLICY, "no CONNECT in time")
        else:
            await session.ended()
        await local.client.close()
        await until(lambda: not local.left_behind())


async def test_a_session_with_an_accepted_connect_stays() -> None:
    async with local_server(EngineSettings(connect_timeout_s=0.1)) as local:
        kept, left = await local.client.websocket("/socket.io/"), await local.client.websocket("/socket.io/")
        await kept.send("40")
        await left.closed()
        assert list(local.engine.sessions) == [kept.handshake.sid]
