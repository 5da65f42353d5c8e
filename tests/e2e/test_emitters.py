"""Other programs push into the hub, and into servers of Node: the packages of npm, unmodified, and hub.emitter."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.emitter import Emitter, NodeEmitter
from hub.kernel.errors import Unavailable
from hub.storage.redis import connect
from tests.e2e.conftest import JS, Script
from tests.support.hub_process import HubProcess
from tests.support.rest import Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until


def for_node(url: str) -> dict[str, Any]:
    """A Redis URL as the client of npm takes it."""
    parts = urlsplit(url)
    return {"socket": {"path": parts.path}} if parts.scheme == "unix" else {"url": url}


async def test_redis_emitter_of_npm_pushes_into_the_hub(rest: Rest, script: Script, servers: Servers) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    said = await script(
        "redis_emitter",
        ada=ada.for_scripts(),
        bob=bob.for_scripts(),
        roomId=await rest.room(ada),
        redis=for_node(servers.redis_url),
    )
    news = [{"at": "1970-01-01T00:00:00.000Z"}, None, [1, "two"]]
    assert said["toRoom"] == [news, news]
    assert said["toAll"] == [[1], [1]]
    assert said["binary"] == [[0, 255], [0, 255]]
    assert said["volatile"] == [[{}], [{}]]
    assert [text for text, _ in said["text"]] == ["world", "world"]
    assert said["offset"]["after"] == said["text"][0][1], "a text at the end would be taken for the offset"
    assert said["except"] == [[1]]
    assert said["toUser"] == [[1]]
    assert said["joined"] == [[1], [1]]
    assert said["disconnected"] == "io server disconnect"
    assert said["after"] == [[2]]
    assert said["strays"] == [["some"], ["one"]]


@pytest.fixture
async def member(hub: HubProcess, rest: Rest) -> AsyncIterator[tuple[SocketClient, str]]:
    ada = await rest.sign_up("ada")
    room_id = await rest.room(ada)
    async with socket_client(hub.nodes[1].url, ada.token) as client:
        await client.ok("room:join", {"roomId": room_id})
        yield client, f"room:{room_id}"


async def test_hub_emitter_pushes_into_the_hub(member: tuple[SocketClient, str], servers: Servers) -> None:
    client, room = member
    async with Emitter(servers.redis_url) as emitter:
        for number in range(300):
            emitter.emit(room, "news", {"number": number})
        emitter.emit([room, "room:other"], "bytes", {"data": b"\x00\xff"})
        for number in range(300):
            assert (await client.expect("news"))["number"] == number
        assert await client.expect("bytes") == {"data": b"\x00\xff"}
        emitter.emit(room, "passing", {}, volatile=True)
        assert await client.expect("passing") == {}
        with pytest.raises(TypeError):
            emitter.emit(room, "news", {"what": object()})
        emitter.disconnect(room, "goodbye", {"why": "over"})
        assert await client.expect("goodbye") == {"why": "over"}
    await until(lambda: not client.connected)


async def test_what_hub_emitter_emits_is_recovered(rest: Rest, script: Script, servers: Servers) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    given = {"ada": ada.for_scripts(), "bob": bob.for_scripts(), "roomId": room_id, "way": "websocket", "loss": "link"}
    async with Emitter(servers.redis_url) as emitter:
        running = asyncio.gather(script("recovery", **given))
        while not running.done():  # noise in the same room, in the same order
            emitter.emit(f"room:{room_id}", "noise", {"text": "x" * 100})
            await emitter.flushed()
    [report] = await running
    assert report["after"]["recovered"] is True
    assert report["heard"] == list(range(report["said"]))


async def test_hub_emitter_says_what_is_wrong(servers: Servers, redis_url: str) -> None:
    with pytest.raises(Unavailable, match="No hub has used this Redis"):
        async with Emitter(redis_url):
            pass
    with pytest.raises(Unavailable, match="does not answer"):
        async with Emitter("unix:///nowhere/v.sock"):
            pass
    with pytest.raises(RuntimeError, match="enter the emitter first"):
        Emitter(servers.redis_url).emit("room:1", "news", {})


async def test_hub_emitter_pushes_into_servers_of_node(npm_clients: None, servers: Servers) -> None:
    given = json.dumps({"redis": for_node(servers.redis_url), "count": 3})
    process = await asyncio.create_subprocess_exec(
        *("node", "node_server.mjs", given), cwd=JS, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    redis = connect(servers.redis_url, size=2)
    try:
        assert process.stderr is not None
        assert await process.stderr.readline() == b"ready\n"
        emitter = NodeEmitter(redis)
        await emitter.emit("all", {"number": 1}, "two")
        await emitter.emit("room", [1], to="room")
        await emitter.emit("nobody", to="elsewhere")
        await emitter.emit("nobody", to="room", beside=["room"])
        await emitter.emit("bytes", b"\x00\xff", to=["room", "elsewhere"])
        report, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
        await redis.aclose()
    assert json.loads(report) == [["all", {"number": 1}, "two"], ["room", [1]], ["bytes", [0, 255]]]
