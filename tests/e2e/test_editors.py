"""Unmodified Yjs providers on one document at two nodes: equal, aware of each other, and never beyond the rights."""

import signal

import aiohttp
import pytest

from collab.awareness import State
from tests.support.editing_room import EditingRoom
from tests.support.native_editor import native_editor
from tests.support.wait import until

KINDS = ("y-websocket", "hocuspocus", "y-socket.io")


async def test_all_kinds_at_both_nodes_have_one_text_and_see_everybody(room: EditingRoom) -> None:
    editors = [await room.editor(kind, room.owner, node=node) for kind in KINDS for node in range(2)]
    for editor in editors:
        await editor.until(synced=True)
    for editor in editors:
        await editor.write(f"[{editor.name} 😀]")
    everybody = sorted(each.name for each in editors)
    first = await editors[0].until(here=everybody, length=sum(len(f"[{name} 😀]") + 1 for name in everybody))
    assert all(f"[{name} 😀]" in first["text"] for name in everybody)
    for editor in editors:
        await editor.until(here=everybody, text=first["text"])
    gone = editors.pop()
    await gone.leave()
    for editor in editors:
        await editor.until(here=sorted(each.name for each in editors))


async def test_who_was_at_a_node_that_is_killed_goes_long_before_they_would_be_silent(room: EditingRoom) -> None:
    here, there = room.hub.nodes
    token, ada, bob = await room.token(room.owner, "write"), State(1, 1, b'"Ada"'), State(2, 1, b'"Bob"')
    async with (
        aiohttp.ClientSession() as http,
        native_editor(http, here.url, room.id, token) as stays,
        native_editor(http, there.url, room.id, token) as lost,
    ):
        await until(lambda: stays.synced and lost.synced)
        await stays.announce(ada)
        await lost.announce(bob)
        await until(lambda: stays.here == lost.here == {1: ada, 2: bob})
        there.send(signal.SIGKILL)
        await until(lambda: stays.here == {1: ada}, 12)  # a lease is 5 s, silence 30
    room.hub.wait_until_ready()


async def test_hocuspocus_says_that_all_is_synced_once_it_is_stored(room: EditingRoom) -> None:
    editor = await room.editor("hocuspocus", room.owner, node=0)
    await editor.until(synced=True, unsynced=0, access="read-write")
    await editor.write("stored")
    await editor.until(unsynced=0)
    other = await room.editor("hocuspocus", room.owner, node=1)
    await other.until(text="stored")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reader_reads_and_does_not_write(room: EditingRoom, kind: str) -> None:
    reader = await room.member("reader", "viewer")
    writing = await room.editor("y-websocket", room.owner, node=0)
    reading = await room.editor(kind, reader, node=1, access="read")
    await writing.write("seen")
    await reading.until(text="seen", synced=True)
    await reading.write(", not taken")
    await writing.write(", on")
    await reading.until(length=len("seen, not taken, on"))
    assert (await writing.state())["text"] == "seen, on"
    state = await reading.state()
    if kind == "hocuspocus":
        assert (state["access"], state["unsynced"]) == ("readonly", 1)
    elif kind == "y-websocket":
        assert state["denied"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_downgrade_and_a_dismissal_come_within_a_second(room: EditingRoom, kind: str) -> None:
    member = await room.member("member", "editor")
    editor = await room.editor(kind, member, node=1)
    await editor.until(synced=True)
    path = f"/documents/{room.id}/members/{member.id}"
    (await room.rest.request("PATCH", path, room.owner, json={"role": "viewer"})).expect(200)
    if kind == "hocuspocus":
        await editor.until(1.2, access="readonly")
    elif kind == "y-websocket":
        await editor.until(1.2, denied=1)
    (await room.rest.request("DELETE", path, room.owner)).expect(204)
    if kind == "hocuspocus":
        await editor.until(1.2, refused="the document is not yours to see any more")
    elif kind == "y-websocket":
        state = await editor.until(1.2, status="disconnected")
        assert state["closed"] == [4403]
    else:
        await editor.until(1.2, closed=["io server disconnect"])


async def test_a_block_puts_every_kind_out_of_a_public_document_within_a_second(room: EditingRoom) -> None:
    path, stranger = f"/documents/{room.id}", await room.rest.sign_up("stranger")
    (await room.rest.request("PATCH", path, room.owner, json={"visibility": "public"})).expect(200)
    editors = [await room.editor(kind, stranger, node=1, access="read") for kind in KINDS]
    for editor in editors:
        await editor.until(synced=True)
    (await room.rest.post(f"/users/{stranger.id}/block", room.owner)).expect(204)
    y_websocket, hocuspocus, y_socketio = editors
    await hocuspocus.until(1.2, refused="the document is not yours to see any more")
    await y_websocket.until(1.2, closed=[4403])
    await y_socketio.until(1.2, closed=["io server disconnect"])


@pytest.mark.parametrize("kind", KINDS)
async def test_who_has_no_token_is_told(room: EditingRoom, kind: str) -> None:
    editor = await room.editor(kind, room.owner, node=0, token="no token")
    if kind == "hocuspocus":
        await editor.until(refused="This is no document token.")
    elif kind == "y-websocket":
        await editor.until(closed=[4401])
    else:
        await editor.until(refused="Unauthorized")
