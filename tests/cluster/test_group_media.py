"""A call of three on two nodes, with a media server that is killed in the middle of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.storage.redis import connect
from signaling.media.embedded.lease_redis import MediaServers
from tests.support.hub_process import HubProcess, Node, running_hub_process
from tests.support.media_caller import MediaCaller, only_loopback
from tests.support.rest import Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until

HEARD = 10
"""Frames of sound, a fifth of a second."""
RESUMED_S = 15.0
"""After a death: three seconds of lease, and a new connection. On a machine with other work it has taken eight."""


@pytest.fixture(scope="module")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("hub")
    with running_hub_process(servers, folder, SPARKLE_MEDIA_SERVERS="2", SPARKLE_MEDIA_LISTEN="127.0.0.1") as running:
        yield running
    assert "Traceback" not in running.output, running.output


class InCall:
    """Somebody in a call, who sends sound and has a section for each of the others."""

    def __init__(self, client: SocketClient, person: Person) -> None:
        self.client = client
        self.person = person
        self.caller: MediaCaller | None = None
        self._seq = 0

    async def connect(self, call_id: str, gen: int) -> None:
        """A new connection to the media server of the call."""
        if self.caller is not None:
            await self.caller.close()

        async def answer(sdp: str) -> str:
            self._seq += 1
            offer = {"callId": call_id, "seq": self._seq, "gen": gen, "legTo": "media"}
            await self.client.ok("call:signal", {**offer, "signal": {"type": "offer", "sdp": sdp}})
            told = await self.client.expect("call:signal", lambda event: event["from"] == "media")
            assert told["gen"] == gen
            return str(told["signal"]["sdp"])

        self.caller = MediaCaller(answer)
        self.caller.send("audio")
        self.caller.receive("audio", "audio")
        await self.caller.negotiate()

    def hears(self, others: int) -> bool:
        assert self.caller is not None
        heard = [count for count in self.caller.played("audio") if count >= HEARD]
        return len(heard) == others


async def media_server_of(call_id: str, hub: HubProcess, servers: Servers) -> int:
    """The process that has the room of a call."""
    redis = connect(servers.redis_url, size=2)
    address = await MediaServers(redis).where(call_id)
    await redis.aclose()
    assert address is not None
    port = address.url.rpartition(":")[2]
    pids = [Node(name, "", hub.program.pid).pid for name in ("m1", "m2")]
    return next(pid for pid in pids if port in words_of(pid))


def words_of(pid: int) -> list[str]:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


@pytest.fixture
async def open_clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncExitStack]:
    only_loopback(monkeypatch)
    async with AsyncExitStack() as stack:
        yield stack


async def test_three_hear_each_other_through_the_media_server_and_again_after_it_was_killed(
    hub: HubProcess, servers: Servers, rest: Rest, open_clients: AsyncExitStack
) -> None:
    people = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    members = [
        InCall(await open_clients.enter_async_context(socket_client(hub.nodes[at % 2].url, person.token)), person)
        for at, person in enumerate(people)
    ]
    ada, bob, eve = members
    placed = await ada.client.ok("call:initiate", {"to": [bob.person.id, eve.person.id], "type": "audio"})
    call = {"callId": placed["callId"]}
    await bob.client.ok("call:accept", call)
    await until(lambda: hub.output.count("commands on") == 2, 30.0)
    await eve.client.ok("call:accept", call)

    async def connected(gen: int) -> None:
        for one in members:
            moved: Any = await one.client.expect("call:move", timeout_s=RESUMED_S)
            assert (moved["engine"], moved["gen"]) == ("embedded", gen)
        for one in members:
            await one.connect(call["callId"], gen)
        # Who came before the others were there asks again, as they are told to.
        for one in members[:2]:
            await one.client.expect("call:tracks", lambda event: len(event["streams"]) == 3)
            assert one.caller is not None
            await one.caller.negotiate()
        await until(lambda: all(one.hears(2) for one in members))

    await connected(1)
    os.kill(await media_server_of(call["callId"], hub, servers), signal.SIGKILL)
    began = asyncio.get_running_loop().time()
    await connected(2)
    assert asyncio.get_running_loop().time() - began < RESUMED_S * 2
    for one in members:
        await one.client.ok("call:hangup", call)
        assert one.caller is not None
        await one.caller.close()
