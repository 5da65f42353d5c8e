"""y-websocket's protocol at two nodes: synchronised, confirmed, aware of each other, and never beyond the rights."""

import asyncio
import logging

import aiohttp
import asyncpg
import pytest

from collab.awareness import State
from collab.decoding import Reader
from collab.native import sync
from collab.native.hocuspocus_messages import PING, PONG
from hub.transport.socket_metrics import METRICS
from tests.integration.collab.conftest import Shared
from tests.support.native_editor import native_editor
from tests.support.raw_http import RawConnection, request
from tests.support.raw_websocket import Opcode, RawWebSocket, encode_frame, handshake
from tests.support.socket_client import socket_client
from tests.support.wait import until
from tests.support.yjs import Writer

ADA = State(1, 1, b'{"name":"Ada"}')
BOB = State(2, 1, b'{"name":"Bob"}')


async def test_editors_at_two_nodes_and_of_two_protocols_have_one_text_and_see_each_other(shared: Shared) -> None:
    async with (
        shared.connect(await shared.token(shared.ada)) as ada,
        shared.connect(await shared.token(shared.bob), node=1) as bob,
        socket_client(shared.nodes[1].url, shared.eve.token) as eve,
    ):
        reader, cursors = Writer(), list[bytes]()
        eve.io.on("collab:update", lambda payload: reader.take(payload["update"]))
        eve.io.on("collab:awareness", lambda payload: cursors.append(payload["update"]))
        reader.take((await eve.ok("collab:join", shared.id))["update"])
        await until(lambda: ada.synced and bob.synced)
        await ada.announce(ADA)
        await bob.announce(BOB)
        update = await ada.write("Hi 😀")
        await until(lambda: str(bob) == str(reader) == "Hi 😀")
        await until(lambda: update in ada.told)  # what is stored comes back, which confirms it
        await bob.write("!")
        await until(lambda: str(ada) == str(reader) == "Hi 😀!")
        await until(lambda: ada.here == bob.here == {1: ADA, 2: BOB})
        assert cursors
        await ada.socket.close()
        await until(lambda: bob.here == {2: BOB})


async def test_what_an_editor_did_while_it_was_away_is_asked_for(shared: Shared) -> None:
    token = await shared.token(shared.ada)
    async with shared.connect(token) as first:
        await first.write("one ")
        await until(lambda: first.told)
    writer = first.writer
    writer.write("two")
    async with shared.connect(token, node=1) as again:
        again.writer = writer
        await until(lambda: again.asked)
        async with shared.connect(token) as other:
            await until(lambda: str(other) == "one two")


async def test_what_was_deleted_long_ago_is_not_stored_again_by_who_comes_back(
    shared: Shared, pool: asyncpg.Pool
) -> None:
    async def rows() -> int:
        return int(await pool.fetchval("SELECT count(*) FROM collab_update WHERE document_id = $1", shared.id))

    async with shared.connect(await shared.token(shared.ada)) as first:
        await until(lambda: first.asked)  # its answer would bring what it has written once more
        await first.write("one two")
        before = first.writer.doc.get_state()
        del first.writer.text[0:4]
        await first.socket.send_bytes(sync.update(first.writer.doc.get_update(before)))
        await until(lambda: len(first.told) == 3)
        stored = await rows()
        async with shared.connect(await shared.token(shared.ada), node=1) as again:
            await until(lambda: again.asked and str(again) == "two")
            update = await again.write("!")
            await until(lambda: update in again.told and update in first.told)
        assert len(first.told) == 4
        assert await rows() == stored + 1


async def test_a_burst_is_stored_whole_and_shown_at_both_nodes_in_its_order(shared: Shared, pool: asyncpg.Pool) -> None:
    async with (
        shared.connect(await shared.token(shared.ada)) as ada,
        shared.connect(await shared.token(shared.eve, "read")) as here,
        shared.connect(await shared.token(shared.eve, "read"), node=1) as there,
    ):
        await until(lambda: ada.asked and here.synced and there.synced)
        updates = [await ada.write(f"{number},") for number in range(400)]  # more than may be under way
        readers = (ada, here, there)
        await until(lambda: all(len(reader.told) > 400 for reader in readers))
        for reader in readers:
            assert reader.told[1:] == updates  # after the answer when it came in
        rows = await pool.fetchval("SELECT count(*) FROM collab_update WHERE document_id = $1", shared.id)
        assert rows < 200  # many to a commit


async def test_a_gap_is_healed_by_asking(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.asked == 1)
        ada.writer.write("not sent, ")
        await ada.write("sent")
        async with shared.connect(await shared.token(shared.ada)) as other:
            await until(lambda: str(other) == "not sent, sent")
        assert ada.asked == 2


async def test_a_reader_reads_and_is_told_that_it_may_not_write(shared: Shared) -> None:
    for token in (await shared.token(shared.eve, "read"), await shared.token(shared.ada, "read")):
        async with shared.connect(token) as reader, shared.connect(await shared.token(shared.ada)) as ada:
            await until(lambda: reader.synced and ada.synced)
            assert not reader.asked
            await reader.write("no ")
            await reader.write("no ")
            await until(lambda: reader.denied)
            await ada.write("yes ")
            await until(lambda: "yes" in str(reader))
            assert "no" not in str(ada)
            assert len(reader.denied) == 1
    answer = await shared.rest.post(f"/documents/{shared.id}/tokens", shared.eve, json={"access": "write"})
    answer.expect(403)


async def test_who_loses_the_role_is_put_out_and_who_is_downgraded_may_only_read(shared: Shared) -> None:
    async with (
        shared.connect(await shared.token(shared.ada)) as ada,
        shared.connect(await shared.token(shared.bob), node=1) as bob,
    ):
        await until(lambda: ada.synced and bob.synced)
        await shared.change_role(shared.bob, "viewer")
        async with asyncio.timeout(1.0):
            await until(lambda: bob.denied)
        await bob.write("not mine")
        await shared.change_role(shared.bob, "editor")
        await until(lambda: str(ada) == "not mine")  # it is asked for what it could not send
        await shared.remove(shared.bob)
        async with asyncio.timeout(1.0):
            await until(lambda: bob.close_code)
        assert bob.close_code == 4403


@pytest.mark.parametrize("by_owner", [True, False], ids=["owner", "reader"])
async def test_a_block_puts_a_stranger_out_of_a_public_document_within_a_second(shared: Shared, by_owner: bool) -> None:
    stranger = await shared.rest.sign_up("stranger")
    path = f"/documents/{shared.id}"
    (await shared.rest.request("PATCH", path, shared.ada, json={"visibility": "public"})).expect(200)
    token = await shared.token(stranger, "read")
    one, other = (shared.ada, stranger) if by_owner else (stranger, shared.ada)
    async with (
        shared.connect(token, node=1) as reader,
        shared.connect(await shared.token(shared.eve, "read"), node=1) as eve,
    ):
        await until(lambda: reader.synced and eve.synced)
        (await shared.rest.post(f"/users/{other.id}/block", one)).expect(204)
        async with asyncio.timeout(1.0):
            await until(lambda: reader.close_code)
        assert (reader.close_code, eve.close_code) == (4403, None)
    assert await _close_code(shared, token) == 4403


async def test_a_token_is_for_one_document_one_session_and_a_while(shared: Shared) -> None:
    token = await shared.token(shared.bob)
    other = await shared.rest.document(shared.bob)
    refused = {
        "": 4401,
        "x" * 5000: 4401,
        token[:-2] + "AA": 4401,
        shared.bob.token: 4401,  # an access token has no place in an address
    }
    for wrong, code in refused.items():
        assert await _close_code(shared, wrong) == code
    assert await _close_code(shared, token, other) == 4403
    async with shared.connect(token) as one, shared.connect(token, node=1) as again:
        await until(lambda: one.synced and again.synced)
        (await shared.rest.post("/auth/logout", shared.bob)).expect(204)
        async with asyncio.timeout(1.0):
            await until(lambda: one.close_code and again.close_code)
    assert await _close_code(shared, token) == 4401


async def _close_code(shared: Shared, token: str, document_id: str | None = None) -> int | None:
    """By hand: aiohttp does not see a close frame that comes together with the answer to its handshake."""
    connection = await RawConnection.open(shared.nodes[0].port)
    connection.send(handshake(f"/collab/{document_id or shared.id}?token={token}", Host="localhost"))
    assert (await connection.head())[0] == 101
    return (await RawWebSocket(connection).closed(5.0)).code


@pytest.mark.parametrize(
    "message", [b"", b"\x07", b"\0", b"\0\x09\0", b"\0\0\xff\xff\xff\xff\xff\x7f", b"\1\5abc", b"\0\2\1\1"]
)
async def test_what_is_no_message_ends_the_connection_for_good(
    shared: Shared, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.synced)
        await ada.socket.send_bytes(message)
        await until(lambda: ada.close_code)
    assert ada.close_code == 4400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_several_messages_in_one_frame_are_all_taken(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.synced)
        one, two = ada.writer.write("one "), ada.writer.write("two")
        await ada.socket.send_bytes(sync.update(one) + sync.update(two) + b"\3")
        await until(lambda: {one, two} <= set(ada.told))


async def test_text_frames_and_large_ones_are_refused_by_their_codes(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await ada.socket.send_str("hello")
        await until(lambda: ada.close_code == 1003)
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await ada.socket.send_bytes(bytes(3 << 20))
        await until(lambda: ada.close_code == 1009)


async def test_the_token_is_in_no_line_of_the_log(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = await shared.token(shared.ada)
    async with shared.connect(token) as ada:
        await until(lambda: ada.synced)
    async with shared.http.get(f"{shared.nodes[0].url}/collab/{shared.id}", params={"token": token}) as response:
        assert response.status == 426
    ours = [record for record in caplog.records if record.name.split(".")[0] in {"hub", "collab"}]
    assert not [record for record in ours if token in record.getMessage()]


async def test_a_draining_node_sends_editors_elsewhere(shared: Shared) -> None:
    async with shared.connect(await shared.token(shared.ada), node=1) as ada:
        await until(lambda: ada.synced)
        await shared.nodes[1].hub.drain()
        await until(lambda: ada.close_code == 1012)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with shared.connect(await shared.token(shared.ada), node=1):
                pass
        assert refusal.value.status == 503


async def test_foreign_pages_may_not_connect(shared: Shared) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with native_editor(
            shared.http, shared.nodes[0].url, shared.id, "x", headers={"Origin": "https://evil.example"}
        ):
            pass
    assert refusal.value.status == 403


@pytest.mark.parametrize("path", ["/collab", "/collab/{id}?token={token}"], ids=["hocuspocus", "y-websocket"])
async def test_a_connection_that_has_served_http_can_become_an_editors(shared: Shared, path: str) -> None:
    connection = await RawConnection.open(shared.nodes[0].port)
    connection.send(request("GET", "/health/live"))
    assert (await connection.response()).status == 200
    connection.send(handshake(path.format(id=shared.id, token=await shared.token(shared.ada))))
    assert (await connection.head())[0] == 101
    editor = RawWebSocket(connection)
    if path == "/collab":
        editor.send(encode_frame(PING, Opcode.BINARY))
        assert (await editor.frame()).payload == PONG
    else:
        editor.send(encode_frame(sync.step_1(b"\0"), Opcode.BINARY))
        assert (await editor.frame()).payload == sync.step_2(b"\0\0")
    framed = shared.nodes[0].hub.door.framed
    assert len(framed._open) == 1
    await connection.close()
    await until(lambda: not framed._open)


async def test_an_editor_that_does_not_read_is_brought_up_to_date_when_it_does(shared: Shared) -> None:
    filled, updates = METRICS.framed_filled, 80
    async with shared.connect(await shared.token(shared.ada)) as ada:
        await until(lambda: ada.synced)
        connection = await RawConnection.open(shared.nodes[0].port, reads_ahead=False)
        connection.send(handshake(f"/collab/{shared.id}?token={await shared.token(shared.bob)}"))
        assert (await connection.head())[0] == 101
        slow, reader = RawWebSocket(connection), Writer()
        slow.send(encode_frame(sync.step_1(b"\0"), Opcode.BINARY))
        for number in range(updates):
            await ada.write(f"{number}:" + "x" * 100_000)
        await until(lambda: METRICS.framed_filled > filled, 30)
        await until(lambda: len(ada.told) > updates, 30)

        frames = 0
        while len(reader.text) < len(ada.writer.text):
            frame = await slow.frame(20)
            if frame.opcode == Opcode.BINARY and frame.payload[:2] in (b"\0\1", b"\0\2"):
                frames += 1
                reader.take(Reader(frame.payload[2:]).raw())
        assert frames < updates
        await ada.write("and on")
        while len(reader.text) < len(ada.writer.text):
            reader.take(Reader((await slow.frame(20)).payload[2:]).raw())
        assert str(reader) == str(ada)
        await connection.close()
