"""The transport under a whole node: who may connect, what becomes of a slow reader, and the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.kernel.delivery import Delivery
from hub.kernel.ids import user_room
from hub.transport.engineio.websocket import CloseCode
from presence.schema import PresenceDiff
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.raw_client import Client
from tests.support.raw_engineio import Session, WebSocketSession
from tests.support.raw_http import Ended
from tests.support.raw_websocket import Opcode
from tests.support.wait import until

POLL = "/socket.io/?EIO=4&transport=polling"
TEXT = "x" * 20_000


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url)) as running:
        yield running


def port_of(node: RunningHub) -> int:
    port = urlsplit(node.url).port
    assert port is not None
    return port


@pytest.fixture
async def client(node: RunningHub) -> AsyncIterator[Client]:
    client = Client(port_of(node))
    yield client
    await client.close()


@pytest.fixture
async def slow_reader(node: RunningHub) -> AsyncIterator[Client]:
    client = Client(port_of(node), reads_ahead=False)
    yield client
    await client.close()


async def packet(session: Session, beginning: str) -> str:
    """The next packet that begins like this."""
    while not (found := str(await session.packet())).startswith(beginning):
        pass
    return found


async def signed_in(client: Client, transport: str, token: str) -> Session:
    session = await client.session(transport, "/socket.io/")
    await session.send("40" + json.dumps({"token": token}))
    await packet(session, '42["session:ready"')
    return session


async def test_a_draining_node_says_so_and_closes_as_one_that_goes_away(node: RunningHub, client: Client) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    session = await signed_in(client, "websocket", token)
    assert isinstance(session, WebSocketSession)
    await node.hub.drain()
    await packet(session, '42["hub:draining"')
    assert (await session.closed()).code == CloseCode.GOING_AWAY


async def test_who_is_looked_at_when_the_node_begins_to_drain_is_not_let_in(
    node: RunningHub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would miss the farewell, and be served no more."""
    token = (await node.sign_up("ada"))["accessToken"]
    gate, goes_on, asked = node.hub.sockets._life._gate, asyncio.Event(), asyncio.Event()
    assert gate is not None
    admit = gate.admit

    async def slow_admit(*arguments: Any) -> Any:
        admission = await admit(*arguments)
        asked.set()
        await goes_on.wait()
        return admission

    monkeypatch.setattr(gate, "admit", slow_admit)
    session = await client.websocket("/socket.io/")
    await session.send("40" + json.dumps({"token": token}))
    await asked.wait()
    await node.hub.drain()
    goes_on.set()
    with pytest.raises(Ended):  # and no CONNECT_ERROR, after which its client would stay away
        await packet(session, "44")
    assert len(node.hub.sockets) == 0


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://hub.example", 200), ("https://hub.example", 200)],
)
async def test_pages_of_other_origins_are_refused_by_long_polling_too(
    node: RunningHub, client: Client, origin: str, status: int
) -> None:
    response = await client.request("GET", POLL, Host="hub.example", Origin=origin)
    assert response.status == status
    if status == 200:
        assert response.headers["access-control-allow-origin"] == origin
        assert response.headers["access-control-allow-credentials"] == "true"
    else:
        assert json.loads(response.body)["code"] == "forbidden_origin"
        assert "access-control-allow-origin" not in response.headers
        assert node.hub.door.engine.sessions == {}


async def test_a_reader_that_stops_gets_the_newest_states_and_no_volatile_events_and_is_cut_for_messages_alone(
    node: RunningHub, client: Client, slow_reader: Client
) -> None:
    ada = await node.sign_up("ada")
    room, token = user_room(ada["user"]["id"]), ada["accessToken"]
    stopped = await signed_in(slow_reader, "websocket", token)
    assert isinstance(stopped, WebSocketSession)
    reading = await signed_in(client, "polling", token)
    ours = node.hub.door.engine.sessions[stopped.handshake.sid]
    sockets = node.hub.sockets

    def deliver(event: str, payload: Any, *, volatile: bool = False) -> None:
        sockets.deliver(Delivery([room], event, json.dumps(payload).encode(), volatile=volatile))

    count = 0
    while ours.write is not None:
        deliver("test:news", [count, TEXT])
        await packet(reading, '42["test:news"')
        count += 1
    for version in range(100):
        deliver(PresenceDiff.event, {"users": [{"userId": "bob", "version": version}]})
        deliver("test:typing", TEXT, volatile=True)
        await packet(reading, '42["test:typing"')
    assert ours.sid in node.hub.door.engine.sessions
    seen = 0
    while ours.sid in node.hub.door.engine.sessions:
        deliver("test:news", [count, TEXT])
        assert (await packet(reading, '42["test:news"')).startswith(f'42["test:news",[{count},')
        count, seen = count + 1, seen + 1
    assert seen > 40
    while (frame := await stopped.socket.frame()).opcode != Opcode.CLOSE:
        assert not frame.payload.startswith(b'42["test:typing"')
    assert frame.payload[:2] == CloseCode.SLOW_READER.to_bytes(2, "big")
    await until(lambda: len(sockets) == 1)
