"""Nodes that are dead, hang or do not keep up: clients learn of it soon, and memory stays bounded."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.kernel.ids import NodeTag
from hub.kernel.ports import NodeAddress
from hub.transport.engineio.outbox import MAX_HELD_BYTES, WRITE_BUFFER_BYTES
from hub.transport.engineio.session_ids import new_id
from hub.transport.engineio.websocket import CloseCode
from hub.transport.forwarding.hop import LOST
from hub.transport.node_entrance import NodeFront
from load_tests.relayed_server import new_tag
from tests.support.node_cluster import LocalCluster, LocalNode
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, WebSocketSession
from tests.support.raw_http import Ended, RawConnection, request
from tests.support.raw_websocket import handshake
from tests.support.wait import until

POLL = f"{ENGINE_PATH}?EIO=4&transport=polling&sid="
WEBSOCKET = f"{ENGINE_PATH}?EIO=4&transport=websocket&sid="
AT_ONCE_S = 1.0
KERNEL_BYTES = 8 << 20
"""What the kernel may hold of one connection in both directions, and of the one behind it."""


@contextlib.asynccontextmanager
async def hanging_node(folder: Path) -> AsyncIterator[NodeAddress]:
    """A node that takes connections and says nothing."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield NodeAddress(socket=str(path))


def asked(connection: RawConnection, kind: str, sid: str) -> None:
    match kind:
        case "poll":
            connection.send(request("GET", POLL + sid))
        case "post":
            connection.send(request("POST", POLL + sid, b"4hello"))
        case _:
            connection.send(handshake(WEBSOCKET + sid))


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("n")


KINDS = ["poll", "post", "websocket"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_that_hangs_is_given_up_when_its_lease_runs_out(
    cluster: LocalCluster, short_folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.forwarding.forwarder.WATCH_S", 0.05)
    node, hanging = cluster.nodes[0], new_tag()
    async with hanging_node(short_folder) as address:
        cluster.directory.addresses[hanging] = address
        connection = await node.client.connection()
        asked(connection, kind, new_id() + hanging)
        await until(lambda: node.forwarder._cuts.get(hanging))
        del cluster.directory.addresses[hanging]
        response = await connection.response(AT_ONCE_S)
        assert (response.status, json.loads(response.body)["code"]) == (400, 1)
    await until(lambda: not node.forwarder._cuts)


async def test_a_handshake_is_not_waited_for_as_long_as_a_lease(
    cluster: LocalCluster, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.forwarding.pipe.ANSWER_S", 0.1)
    node, hanging = cluster.nodes[0], new_tag()
    async with hanging_node(short_folder) as address:
        cluster.directory.addresses[hanging] = address
        connection = await node.client.connection()
        asked(connection, "websocket", new_id() + hanging)
        response = await connection.response(AT_ONCE_S)
        assert (response.status, json.loads(response.body)["code"]) == (400, 1)
        assert await connection.rest() == b""
    await until(lambda: not node.open_connections())


async def test_a_poll_is_not_waited_for_beyond_the_heartbeat(cluster: LocalCluster, short_folder: Path) -> None:
    node, hanging = cluster.nodes[0], new_tag()
    node.forwarder._answer_s = 0.1
    async with hanging_node(short_folder) as address:
        cluster.directory.addresses[hanging] = address
        for kind in ("poll", "post"):
            connection = await node.client.connection()
            asked(connection, kind, new_id() + hanging)
            assert (await connection.response(AT_ONCE_S)).status == 400


@pytest.mark.parametrize("kind", ["poll", "post"])
async def test_a_request_whose_connection_breaks_is_not_repeated(
    cluster: LocalCluster, short_folder: Path, kind: str
) -> None:
    """The packets of the first answer would be lost, and nobody would know."""
    node, breaking, requests = cluster.nodes[0], new_tag(), []

    async def take_and_break(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if LOST.encode() not in head:
            requests.append(head)
        writer.close()

    server = await asyncio.start_unix_server(take_and_break, short_folder / "s")
    cluster.directory.addresses[breaking] = NodeAddress(socket=str(short_folder / "s"))
    for count in (1, 2):
        connection = await node.client.connection()
        asked(connection, kind, new_id() + breaking)
        response = await connection.response(AT_ONCE_S)
        assert (response.status, json.loads(response.body)["code"]) == (400, 1)
        assert len(requests) == count
    server.close()


async def test_connections_are_kept_for_the_next_request_and_closed_with_the_lease(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[NodeFront] = []

    class Noted(NodeFront):
        def _http(self) -> asyncio.Protocol:  # for a connection's first request
            asked.append(self)
            return super()._http()

    monkeypatch.setattr("hub.transport.node_entrance.NodeFront", Noted)
    owner, node, _ = cluster.nodes
    session = node.takes_up(await owner.client.polling())
    for _ in range(10):
        await session.send("4hello")
        assert await session.packet() == "4hello"
    assert len(asked) == 1
    (pool,) = node.forwarder._sessions.values()
    del cluster.directory.addresses[owner.tag]
    assert (await session.get()).status == 400
    assert pool.closed
    assert not node.forwarder._sessions


def dead_addresses(folder: Path) -> list[NodeAddress]:
    left = folder / "left"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    return [
        NodeAddress(socket=str(left)),
        NodeAddress(socket=str(folder / "never")),
        NodeAddress(socket="/etc/passwd"),
        NodeAddress(host="127.0.0.1", port=port),
        NodeAddress(host="no-such-host.invalid", port=port),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_dead_node_is_noticed_at_once(cluster: LocalCluster, short_folder: Path, kind: str) -> None:
    node, dead = cluster.nodes[0], new_tag()
    for address in dead_addresses(short_folder):
        cluster.directory.addresses[dead] = address
        connection = await node.client.connection()
        started = time.monotonic()
        asked(connection, kind, new_id() + dead)
        response = await connection.response()
        assert (response.status, json.loads(response.body)["code"]) == (400, 1), address
        assert time.monotonic() - started < 2 * AT_ONCE_S, address


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_goes_while_its_node_is_looked_up_leaves_nothing(
    cluster: LocalCluster, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, looked_up, goes_on = cluster.nodes[0], asyncio.Event(), asyncio.Event()

    async def slow(_node: NodeTag) -> NodeAddress | None:
        looked_up.set()
        await goes_on.wait()
        return None

    monkeypatch.setattr(cluster.directory, "address_of", slow)
    connection = await node.client.connection()
    asked(connection, kind, new_id() + cluster.nodes[1].tag)
    await looked_up.wait()
    connection.reset()
    goes_on.set()
    await until(lambda: not node.open_connections())
    await until(lambda: not node.forwarder._cuts and not node.forwarder._polls and not node.forwarder._ends)


async def pipe(owner: LocalNode, through: Client) -> WebSocketSession:
    """A Socket.IO session of one node, on a WebSocket of another, in the room "room"."""
    session = await owner.client.polling(SOCKET_PATH)
    websocket = await through.candidate(session)
    await websocket.send("2probe")
    assert await websocket.packet() == "3probe"
    await websocket.send("5", "40", '421["join","room"]')
    while await websocket.packet() != "431[]":
        pass
    return websocket


async def read_on(websocket: WebSocketSession) -> None:
    while True:
        await websocket.any_packet()


async def test_a_reader_that_stops_is_cut_by_its_node_and_holds_little_between(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    reader = Client(other.client.port, reads_ahead=False)
    websocket = await pipe(owner, reader)
    (session,) = owner.server.engine.sessions.values()
    (end,) = other.forwarder._ends
    text, sent, most = "x" * 50_000, 0, 0
    while session.sid in owner.server.engine.sessions:
        await owner.server.emit("m", text, room="room")
        sent += len(text)
        await asyncio.sleep(0)
        assert end.transport is not None
        most = max(most, end.transport.get_write_buffer_size())
        assert sent < KERNEL_BYTES + 2 * MAX_HELD_BYTES, "it was never cut"
    assert 0 < most <= WRITE_BUFFER_BYTES + (512 << 10), "what is read from the other node at once comes on top"
    with pytest.raises(Ended) as ended:
        await read_on(websocket)
    assert int.from_bytes(ended.value.args[0].payload[:2], "big") == CloseCode.SLOW_READER
    await reader.close()


async def test_a_sender_is_slowed_by_a_node_that_does_not_read(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    goes_on, handled = asyncio.Event(), 0

    async def slow(_sid: str, _text: str) -> None:
        nonlocal handled
        await goes_on.wait()
        handled += 1

    owner.server.on("slow", slow)
    websocket = await pipe(owner, other.client)
    (end,) = other.forwarder._ends
    event = '42["slow","' + "x" * 50_000 + '"]'
    for _ in range(400):
        await websocket.send(event)
    await until(lambda: end._reading is False)
    assert end.other is not None
    assert end.other.transport is not None
    assert end.other.transport.get_write_buffer_size() <= WRITE_BUFFER_BYTES + (512 << 10)
    goes_on.set()
    await until(lambda: handled == 400)
    assert end._reading
