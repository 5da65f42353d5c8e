"""hub.transport.connections_here: whatever clients answer, what comes of it can be told."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.transport.connections_here import MAX_ANSWER, ConnectionsHere
from hub.transport.socketio.server import SocketServer
from tests.support.local_client import LocalClient, settle

PACKED = "/socket.io-msgpack/"


@pytest.fixture
def server() -> SocketServer:
    server = SocketServer()

    async def connect(sid: str, _environ: object, _auth: object) -> None:
        await server.enter_room(sid, "room")

    server.on("connect", connect)
    return server


async def answer(server: SocketServer, client: LocalClient, packet: Callable[[Any], Any]) -> Any:
    """What is told of a client that answers with this; `packet` makes it of the id."""
    here = ConnectionsHere(server, NodeId("one"))
    await settle()
    client.received()
    asking = asyncio.get_running_loop().create_task(here.ask(RoomName("room"), "ask", {"n": 1}, 5))
    await settle()
    (question,) = client.received()
    if isinstance(question, bytes):
        ack_id: Any = msgspec.msgpack.decode(question)["id"]
    else:
        ack_id = question[2 : question.index("[")]
    client.send(packet(ack_id))
    outcome = await asking
    assert (outcome.answered, outcome.members, outcome.silent) == (1, 1, [])
    msgspec.json.encode(outcome)
    msgspec.msgpack.encode(outcome)
    return outcome.answers[0].answer


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", []),
        ('[{"a":[1,null,"é"]}]', [{"a": [1, None, "é"]}]),
        ("[1,2]", [1, 2]),
        (f'["{"a" * MAX_ANSWER}"]', None),
    ],
    ids=["nothing", "a value", "two", "a long one"],
)
async def test_an_answer_is_told_if_json_can_say_it_briefly(server: SocketServer, text: str, told: Any) -> None:
    client = LocalClient(server)
    client.send("40")
    assert await answer(server, client, lambda ack_id: f"43{ack_id}{text}") == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(b"abc", ["YWJj"]), ({None: 1}, None), (float("inf"), [None])],
    ids=["bytes", "a key that is nothing", "a number that is none"],
)
async def test_answers_of_the_other_parser_are_told_or_left_out(server: SocketServer, value: Any, told: Any) -> None:
    client = LocalClient(server, PACKED)
    client.send(msgspec.msgpack.encode({"type": 0, "nsp": "/"}))

    def packet(ack_id: int) -> bytes:
        return msgspec.msgpack.encode({"type": 3, "nsp": "/", "id": ack_id, "data": [value]})

    assert await answer(server, client, packet) == told


async def test_a_socket_that_is_no_connection_of_the_hub_is_not_described(server: SocketServer) -> None:
    client = LocalClient(server)
    client.send("40")
    await settle()
    here = ConnectionsHere(server, NodeId("one"))
    (sid,) = server.rooms_of("/").sockets
    assert here.describe(ConnectionId(sid)) is None
    assert here.describe(ConnectionId("nobody")) is None
