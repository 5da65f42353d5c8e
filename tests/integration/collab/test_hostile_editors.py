"""Editors that ask for more than they read, or say more than they may: what they cost is bounded, and others notice
nothing.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from collab.awareness import MAX_STATES, State, encode
from collab.native import hocuspocus_messages as messages
from collab.native import sync
from collab.native.passes import Passes
from collab.tokens import Pass
from hub.transport.engineio.outbox import MAX_HELD_BYTES
from hub.transport.socket_metrics import METRICS
from tests.integration.collab.conftest import Shared
from tests.integration.collab.test_hocuspocus import Client
from tests.support.raw_http import RawConnection
from tests.support.raw_websocket import Opcode, RawWebSocket, encode_frame, handshake
from tests.support.wait import until
from tests.support.yjs import Writer

ADA = State(1, 1, b'{"name":"Ada"}')
ANSWER = 600_000
"""Bytes."""


async def by_hand(shared: Shared, *, reads_ahead: bool = True) -> RawWebSocket:
    connection = await RawConnection.open(shared.nodes[0].port, reads_ahead=reads_ahead)
    connection.send(handshake(f"/collab/{shared.id}?token={await shared.token(shared.bob)}"))
    assert (await connection.head())[0] == 101
    return RawWebSocket(connection)


def held(shared: Shared) -> int:
    """What waits for the socket for which most does."""
    return max(one._backlog.size + one._connection.waiting_bytes for one in shared.nodes[0].hub.door.framed._open)


async def test_who_asks_for_the_document_again_and_again_and_reads_nothing_fills_no_memory(shared: Shared) -> None:
    filled, requests = METRICS.framed_filled, 24
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.synced)
        await ada.write("x" * ANSWER)
        await until(lambda: len(ada.told) == 2)
        greedy = await by_hand(shared, reads_ahead=False)
        greedy.send(encode_frame(sync.step_1(b"\0") * requests, Opcode.BINARY))
        await until(lambda: METRICS.framed_filled > filled)
        update = await ada.write("meanwhile")
        await until(lambda: update in ada.told)
        assert held(shared) < MAX_HELD_BYTES + 2 * ANSWER
        answers = 0
        while answers < requests:
            frame = await greedy.frame(20)
            answers += frame.payload[:2] == bytes((sync.SYNC, sync.STEP_2))
        await greedy.connection.close()


async def test_who_asks_many_times_at_once_who_is_there_is_told_once(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.synced)
        await ada.announce(ADA)
        await until(lambda: ada.here)
        asking = await by_hand(shared)
        asking.send(encode_frame(sync.step_1(b"\0"), Opcode.BINARY))
        while not (await asking.frame()).payload.startswith(sync.awareness(encode([ADA]))):
            """Everybody is told of when the document is open."""
        update = Writer().write("a")
        asking.send(encode_frame(bytes((sync.QUERY_AWARENESS,)) * 900 + sync.update(update), Opcode.BINARY))
        told = 0
        while (payload := (await asking.frame()).payload) != sync.update(update):
            told += payload == sync.awareness(encode([ADA]))
        assert told == 1
        await asking.connection.close()


@pytest.mark.parametrize(
    "states",
    [[State(7, 1, b'"' + b"x" * 70_000 + b'"')], [State(client, 1, b"1") for client in range(MAX_STATES + 1)]],
    ids=["bytes", "states"],
)
async def test_awareness_that_is_too_much_is_dropped_and_costs_nobody_the_connection(
    shared: Shared, states: list[State]
) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await ada.announce(*states)  # also before it is let in
        await until(lambda: ada.synced)
        await ada.announce(*states)
        await ada.announce(ADA)
        await until(lambda: ada.here == {1: ADA})


async def test_of_many_changes_with_a_gap_in_one_frame_the_hub_asks_once(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.asked == 1)
        ada.writer.write("not sent, ")
        await ada.socket.send_bytes(b"".join(sync.update(ada.writer.write(f"{number} ")) for number in range(10)))
        async with shared.connect(await shared.token(shared.ada)) as other:
            await until(lambda: str(other) == str(ada))
        assert ada.asked == 2


@dataclass
class Doors:
    """Nobody is let in before they are opened."""

    waiting: list[Pass] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    doors, check = Doors(), Passes.check

    async def wait(self: Passes, given: Pass) -> None:
        doors.waiting.append(given)
        await doors.opened.wait()
        await check(self, given)

    monkeypatch.setattr(Passes, "check", wait)
    yield doors
    doors.opened.set()


@pytest.fixture
async def client(shared: Shared) -> Client:
    return Client(await shared.http.ws_connect(f"{shared.nodes[0].url}/collab"))


async def test_closing_a_document_before_it_is_open_makes_no_room_for_another(
    shared: Shared, client: Client, doors: Doors
) -> None:
    token = await shared.token(shared.ada)
    names = [f"{shared.id}\0{number}" for number in range(9)]
    for name in names:
        await client.authenticate(name, token)
        await client.say(name, bytes((messages.CLOSE,)))
    await client.hear(names[-1], messages.denied("This connection has too many documents open."))
    assert len(doors.waiting) == 5
    doors.opened.set()

    async def is_open() -> bool:
        client.told.clear()
        await client.authenticate(shared.id, token)
        await client.socket.send_bytes(messages.PING)
        while client.told[-1:] != [messages.PONG]:
            client.told.append((await client.socket.receive(10)).data)
        return messages.denied("This connection has too many documents open.") not in b"".join(client.told)

    await until(is_open)


async def test_what_waits_before_anybody_is_let_in_is_bounded_for_all_documents_of_a_socket(
    shared: Shared, client: Client, doors: Doors
) -> None:
    token, names = await shared.token(shared.ada), [f"{shared.id}\0{number}" for number in range(3)]
    for name in names:
        await client.authenticate(name, token)
        await client.say(name, sync.update(Writer().write("x" * 450_000)))
    (socket,) = shared.nodes[0].hub.door.framed._open
    await until(lambda: socket.held)
    doors.opened.set()
    for name in names:
        await client.hear(name, messages.sync_status(applied=True))
    assert not socket.held
