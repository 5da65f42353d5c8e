"""Signs of life between hub and editors, at a short ping."""

from collections.abc import AsyncIterator

import pytest

from collab.native import sync
from collab.native.hocuspocus_messages import PING
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.raw_http import RawConnection
from tests.support.raw_websocket import Opcode, RawWebSocket, encode_frame, handshake
from tests.support.rest import Rest

SHORT = {"SPARKLE_SOCKETS_PING_INTERVAL_S": "0.3", "SPARKLE_SOCKETS_PING_TIMEOUT_S": "0.5"}


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url, SHORT)) as running:
        yield running


async def _connect(node: RunningHub, target: str) -> RawWebSocket:
    connection = await RawConnection.open(node.port)
    connection.send(handshake(target))
    assert (await connection.head())[0] == 101
    return RawWebSocket(connection)


async def _editor(node: RunningHub) -> RawWebSocket:
    async with Rest(node.url) as rest:
        ada = await rest.sign_up("ada")
        document_id = await rest.document(ada)
        body = (await rest.post(f"/documents/{document_id}/tokens", ada, json={"access": "write"})).expect(201)
    editor = await _connect(node, f"/collab/{document_id}?token={body['token']}")
    editor.send(encode_frame(sync.step_1(b"\0"), Opcode.BINARY))
    return editor


async def test_who_answers_pings_stays_and_is_sent_a_sign_of_life(node: RunningHub) -> None:
    editor = await _editor(node)
    alive = 0
    while alive < 5:  # longer than without an answer
        frame = await editor.frame()
        if frame.opcode == Opcode.PING:
            editor.send(encode_frame(frame.payload, Opcode.PONG))
        elif frame.payload == sync.KEEP_ALIVE:
            alive += 1
    await editor.connection.close()


async def test_who_does_not_answer_is_closed(node: RunningHub) -> None:
    editor = await _editor(node)
    pings = 0
    while (frame := await editor.frame()).opcode != Opcode.CLOSE:
        pings += frame.opcode == Opcode.PING
    assert int.from_bytes(frame.payload[:2]) == 4000
    assert pings == 1
    await editor.connection.close()


async def test_a_socket_of_hocuspocus_without_a_document_is_closed(node: RunningHub) -> None:
    client = await _connect(node, "/collab")
    told = []
    while (frame := await client.frame()).opcode != Opcode.CLOSE:
        if frame.opcode == Opcode.PING:
            client.send(encode_frame(frame.payload, Opcode.PONG))
        else:
            told.append(frame.payload)
    assert int.from_bytes(frame.payload[:2]) == 4408
    assert told == [PING]
    await client.connection.close()
