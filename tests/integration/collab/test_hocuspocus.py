"""Hocuspocus by hand: what unmodified clients do not do, several documents on one socket, and its close codes."""

import logging

import aiohttp
import pytest

from collab.native import hocuspocus_messages as messages
from collab.native import sync
from collab.native.sync import block
from tests.integration.collab.conftest import Shared
from tests.support.wait import until
from tests.support.yjs import Writer

ASK = sync.step_1(b"\0")


class Client:
    """One WebSocket, and everything that came over it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.told: list[bytes] = []

    async def say(self, name: str, body: bytes) -> None:
        await self.socket.send_bytes(block(name.encode()) + body)

    async def authenticate(self, name: str, token: str) -> None:
        await self.say(name, bytes((messages.AUTH, messages.TOKEN)) + block(token.encode()) + block(b"4.8.0"))

    async def hear(self, name: str, body: bytes) -> None:
        """Read until this has come."""
        wanted = block(name.encode()) + body
        while wanted not in self.told:
            message = await self.socket.receive(10)
            assert message.type is aiohttp.WSMsgType.BINARY, (message, self.told)
            self.told.append(message.data)

    async def code(self) -> int | None:
        """With what code it is closed."""
        while not self.socket.closed:
            await self.socket.receive(10)
        return self.socket.close_code


@pytest.fixture
async def client(shared: Shared) -> Client:
    return Client(await shared.http.ws_connect(f"{shared.nodes[0].url}/collab"))


async def test_documents_on_one_socket_are_opened_each_with_its_own_token(shared: Shared, client: Client) -> None:
    other = await shared.rest.document(shared.ada)
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.authenticate(other, await shared.token(shared.ada))  # of the first one
    await client.hear(shared.id, messages.authenticated(may_write=True))
    await client.hear(other, messages.denied("the token is for another document"))
    await client.say(other, ASK)
    await client.say(shared.id, ASK)
    await client.hear(shared.id, sync.step_2(b"\0\0"))
    await client.hear(shared.id, sync.step_1(b"\0"))
    assert not [one for one in client.told if one.startswith(block(other.encode()) + sync.step_2(b"")[:2])]


async def test_a_change_is_confirmed_when_it_is_stored_and_refused_where_it_may_not_be(
    shared: Shared, client: Client
) -> None:
    names = f"{shared.id}\0one", f"{shared.id}\0two"
    await client.authenticate(names[0], await shared.token(shared.ada))
    await client.authenticate(names[1], await shared.token(shared.eve, "read"))
    for name in names:
        await client.say(name, ASK)
    update = Writer().write("a")
    await client.say(names[0], sync.update(update))
    await client.hear(names[0], messages.sync_status(applied=True))
    await client.hear(names[1], sync.update(update))
    await client.hear(names[1], messages.authenticated(may_write=False))
    client.told.clear()
    await client.say(names[1], sync.update(Writer().write("b")))
    await client.hear(names[1], messages.sync_status(applied=False))


async def test_a_change_with_a_gap_is_confirmed_once_the_answer_is_stored_and_nothing_besides(
    shared: Shared, client: Client
) -> None:
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.say(shared.id, ASK)
    await client.hear(shared.id, sync.step_1(b"\0"))
    await client.say(shared.id, sync.step_2(b"\0\0"))
    confirmed = block(shared.id.encode()) + messages.sync_status(applied=True)
    await client.hear(shared.id, messages.sync_status(applied=True))
    client.told.clear()
    writer = Writer()
    writer.write("a")
    second = writer.write("b")
    await client.say(shared.id, sync.update(second))
    await client.hear(shared.id, sync.step_1(b"\0"))
    assert confirmed not in client.told
    await client.say(shared.id, sync.step_2(writer.doc.get_update()))
    await client.say(shared.id, ASK)
    await client.hear(shared.id, sync.step_2(writer.doc.get_update()))
    assert client.told.count(confirmed) == 1


async def test_what_the_hub_has_no_use_for_is_passed_over(shared: Shared, client: Client) -> None:
    for body in (b"\5" + block(b"a message"), b"\3", ASK, b"\7"):
        await client.say(shared.id, body)
    await client.socket.send_bytes(messages.PONG)
    await client.socket.send_bytes(messages.PING)
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.say(shared.id, b"\5" + block(b"a message"))
    await client.hear(shared.id, messages.authenticated(may_write=True))
    assert messages.PONG in client.told


async def test_a_document_is_closed_and_opened_again_on_one_socket(shared: Shared, client: Client) -> None:
    for _ in range(2):
        client.told.clear()
        await client.authenticate(shared.id, await shared.token(shared.ada))
        await client.say(shared.id, ASK)
        await client.hear(shared.id, sync.step_2(b"\0\0"))
        await client.say(shared.id, b"\7")


async def test_who_is_put_out_hears_of_it_and_keeps_other_documents(shared: Shared, client: Client) -> None:
    mine = await shared.rest.document(shared.bob)
    await client.authenticate(shared.id, await shared.token(shared.bob))
    answer = await shared.rest.post(f"/documents/{mine}/tokens", shared.bob, json={"access": "write"})
    await client.authenticate(mine, answer.expect(201)["token"])
    await client.hear(shared.id, messages.authenticated(may_write=True))
    await shared.remove(shared.bob)
    await client.hear(shared.id, messages.close("the document is not yours to see any more"))
    await client.say(mine, ASK)
    await client.hear(mine, sync.step_2(b"\0\0"))


@pytest.mark.parametrize("message", [b"", b"\xff", b"\1a\x0b", b"\1a\2\2", b"\xc9\1" + b"x" * 201 + b"\3"])
async def test_what_is_no_message_closes_the_socket(
    shared: Shared, client: Client, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.hear(shared.id, messages.authenticated(may_write=True))
    await client.socket.send_bytes(message)
    assert await client.code() == 4400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_message_that_is_too_large_closes_the_socket(shared: Shared, client: Client) -> None:
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.hear(shared.id, messages.authenticated(may_write=True))
    await client.socket.send_bytes(bytes(3 << 20))
    assert await client.code() == 1009


async def test_more_documents_than_a_connection_may_have_are_denied(shared: Shared, client: Client) -> None:
    token = await shared.token(shared.ada)
    for number in range(6):
        await client.authenticate(f"{shared.id}\0{number}", token)
    await client.hear(f"{shared.id}\0{5}", messages.denied("This connection has too many documents open."))


async def test_nobody_is_in_memory_once_the_socket_is_gone(shared: Shared, client: Client) -> None:
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.say(shared.id, ASK)
    await client.hear(shared.id, sync.step_2(b"\0\0"))
    framed = shared.nodes[0].hub.door.framed
    assert len(framed._open) == 1
    await client.socket.close()
    await until(lambda: not framed._open)


async def test_each_change_of_a_burst_is_confirmed_and_none_comes_back(shared: Shared, client: Client) -> None:
    writer = Writer()
    await client.authenticate(shared.id, await shared.token(shared.ada))
    await client.say(shared.id, ASK)
    await client.hear(shared.id, sync.step_1(b"\0"))
    before = len(client.told)
    for number in range(100):
        await client.say(shared.id, sync.update(writer.write(f"{number},")))
    confirmed = block(shared.id.encode()) + messages.sync_status(applied=True)
    while len(client.told) - before < 100:
        message = await client.socket.receive(10)
        client.told.append(message.data)
    assert client.told[before:] == [confirmed] * 100
