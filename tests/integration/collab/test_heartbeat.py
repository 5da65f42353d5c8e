"""Signs of life between hub and editors, at a short ping."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from collab.decoding import Reader
from collab.native import sync
from collab.native.hocuspocus_messages import PING
from hub.transport.socket_metrics import METRICS
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.native_editor import native_editor
from tests.support.raw_http import RawConnection
from tests.support.raw_websocket import Opcode, RawWebSocket, encode_frame, handshake
from tests.support.rest import Rest
from tests.support.wait import until
from tests.support.yjs import Writer

SHORT = {"SPARKLE_SOCKETS_PING_INTERVAL_S": "0.3", "SPARKLE_SOCKETS_PING_TIMEOUT_S": "0.5"}


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url, SHORT)) as running:
        yield running


async def _connect(node: RunningHub, target: str, *, reads_ahead: bool = True) -> RawWebSocket:
    connection = await RawConnection.open(node.port, reads_ahead=reads_ahead)
    connection.send(handshake(target))
    assert (await connection.head())[0] == 101
    return RawWebSocket(connection)


async def _document(node: RunningHub) -> tuple[str, str]:
    """The id of a new document, and a token for it."""
    async with Rest(node.url) as rest:
        ada = await rest.sign_up("ada")
        document_id = await rest.document(ada)
        body = (await rest.post(f"/documents/{document_id}/tokens", ada, json={"access": "write"})).expect(201)
    return document_id, body["token"]


async def _editor(node: RunningHub) -> RawWebSocket:
    document_id, token = await _document(node)
    editor = await _connect(node, f"/collab/{document_id}?token={token}")
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


async def test_who_never_reads_is_closed_and_has_missed_nothing_when_it_comes_back(node: RunningHub) -> None:
    document_id, token = await _document(node)
    target, closed = f"/collab/{document_id}?token={token}", METRICS.framed_closed["4008"]
    async with aiohttp.ClientSession() as http, native_editor(http, node.url, document_id, token) as ada:
        await until(lambda: ada.asked)
        for _ in range(6):
            await ada.write("x" * 1_500_000)
        await until(lambda: len(ada.told) == 7)
        slow, reader = await _connect(node, target, reads_ahead=False), Writer()
        slow.send(encode_frame(sync.step_1(b"\0"), Opcode.BINARY))
        await until(lambda: METRICS.framed_closed["4008"] > closed)
        await ada.write("missed")
        while (frame := await slow.frame()).opcode != Opcode.CLOSE:  # what was sent before it still comes
            if frame.payload[:2] == bytes((sync.SYNC, sync.STEP_2)):
                reader.take(Reader(frame.payload[2:]).raw())
        assert int.from_bytes(frame.payload[:2]) == 4008
        assert len(str(reader)) == 6 * 1_500_000
        await slow.connection.close()

        again = await _connect(node, target)
        again.send(encode_frame(sync.step_1(reader.doc.get_state()), Opcode.BINARY))
        while not (payload := (await again.frame()).payload).startswith(bytes((sync.SYNC, sync.STEP_2))):
            """A sign of life."""
        assert len(payload) < 1000
        reader.take(Reader(payload[2:]).raw())
        assert str(reader) == str(ada)
        assert ada.close_code is None
        await again.connection.close()
