"""A node dies, drains or hangs: nothing acknowledged is lost, and the others notice in time."""

import asyncio
import contextlib
import signal
from typing import Any

import aiohttp

from tests.support.hub_process import HubProcess
from tests.support.rest import Rest
from tests.support.socket_client import connected_to, socket_client
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

OFFLINE_WITHIN_S = 8.0
"""Of the death of a node: 5 s of lease, and the sweeper's next round."""


async def test_people_of_a_dead_node_go_offline_once_and_are_counted_no_more(hub: HubProcess, rest: Rest) -> None:
    survivor, dying = hub.nodes
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    async with socket_client(survivor.url, ada.token) as watcher, socket_client(dying.url, bob.token) as lost:
        await lost.ok("room:join", {"roomId": room_id})
        assert (await watcher.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
        (before,) = (await watcher.ok("presence:watch", {"userIds": [bob.id]}))["users"]
        assert before["status"] == "online"

        dying.send(signal.SIGKILL)
        (gone,) = (await watcher.expect("presence:diff", _says("offline", bob.id), OFFLINE_WITHIN_S))["users"]
        assert gone["version"] > before["version"]
        assert (await watcher.ok("room:join", {"roomId": room_id}))["memberCount"] == 1

        await until(dying.is_ready, 20.0)  # its successor sweeps too, and finds nothing left to tell
        async with socket_client(dying.url, bob.token):
            await watcher.expect("presence:diff", _says("online", bob.id, above=gone["version"]))
        # Her own, and that bob came before he was watched: it may coalesce until after that.
        others = [user for event, diff in watcher.received if event == "presence:diff" for user in diff["users"]]
        assert all(user["userId"] == ada.id or user["version"] <= before["version"] for user in others)


async def test_an_acknowledged_change_survives_the_node_that_took_it(hub: HubProcess, rest: Rest) -> None:
    survivor, dying = hub.nodes
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    document_id = await rest.document(ada, bob)
    writer = Writer()
    async with socket_client(dying.url, ada.token) as client:
        await client.ok("collab:join", document_id)
        for word in ("written ", "and ", "acknowledged"):
            await client.ok("collab:change", {"documentId": document_id, "update": writer.write(word)})
        dying.send(signal.SIGKILL)
        async with socket_client(survivor.url, bob.token) as reader:
            joined = await reader.ok("collab:join", document_id)
    assert text_of(joined["update"]) == "written and acknowledged"


async def test_an_acknowledged_message_survives_the_node_that_took_it(hub: HubProcess, rest: Rest) -> None:
    survivor, dying = hub.nodes
    ada = await rest.sign_up("ada")
    room_id = await rest.room(ada)
    async with socket_client(dying.url, ada.token) as client:
        await client.ok("room:join", {"roomId": room_id})
        sent = await client.ok("room:send", {"roomId": room_id, "clientId": "one", "body": "kept"})
        dying.send(signal.SIGKILL)
    async with socket_client(survivor.url, ada.token) as client, Rest(survivor.url) as at_survivor:
        (stored,) = (await at_survivor.get(f"/rooms/{room_id}/messages", ada)).expect(200)["data"]
        assert (stored["messageId"], stored["body"]) == (sent["messageId"], "kept")
        await client.ok("room:join", {"roomId": room_id})
        assert await client.ok("room:send", {"roomId": room_id, "clientId": "one", "body": "kept"}) == sent


async def test_a_ringing_call_outlives_the_node_that_placed_it(hub: HubProcess, rest: Rest) -> None:
    survivor, dying = hub.nodes
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with socket_client(survivor.url, bob.token) as callee:
        async with socket_client(dying.url, ada.token) as caller:
            placed = await caller.ok("call:initiate", {"to": bob.id, "type": "audio"})
            await callee.expect("call:incoming")
            dying.send(signal.SIGKILL)
        call_id = {"callId": placed["callId"]}
        accepted = await callee.ok("call:accept", call_id)
        assert accepted["callId"] == placed["callId"]

        async with socket_client(survivor.url, ada.token) as caller:
            snapshot = await caller.ok("call:sync", {**call_id, "sinceVersion": placed["version"]})
            assert snapshot["state"] == accepted["state"]
            await caller.ok("call:signal", {**call_id, "seq": 1, "signal": {"type": "offer", "sdp": "v=0"}})
            assert (await callee.expect("call:signal"))["signal"]["type"] == "offer"


async def test_clients_of_a_draining_node_are_told_and_come_back_on_the_other(hub: HubProcess, rest: Rest) -> None:
    ada = await rest.sign_up("ada")
    leaving, staying = hub.nodes
    staying_id = staying.node_id
    async with contextlib.AsyncExitStack() as open_clients:
        client = await connected_to(leaving.node_id, hub.url, ada.token, open_clients)
        leaving.send(signal.SIGTERM)

        assert (await client.expect("hub:draining"))["reconnectAfterMs"] > 0
        assert (await client.expect("session:ready"))["nodeId"] == staying_id
        assert await client.ok("presence:get", {"userIds": []}) == {"users": []}


async def test_the_shared_port_is_ready_only_while_every_node_is(hub: HubProcess) -> None:
    names = {node.node_id for node in hub.nodes}
    assert {status for status, _ in await _ask_for_readiness(hub)} == {200}

    with hub.nodes[1].paused():
        answers = await _ask_for_readiness(hub)
        assert {status for status, _ in answers} == {503}
        assert all(len(report["nodes"]) == 2 for _, report in answers)

    await until(hub.nodes[1].is_ready)
    for status, report in await _ask_for_readiness(hub):
        assert status == 200
        assert {node["nodeId"] for node in report["nodes"]} == names


async def _ask_for_readiness(hub: HubProcess) -> list[tuple[int, dict[str, Any]]]:
    """The answers to a dozen requests at once, each on a connection of its own; a paused node gives none."""

    async def ask() -> tuple[int, dict[str, Any]] | None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            try:
                async with http.get(f"{hub.url}/health/ready") as response:
                    return response.status, await response.json()
            except TimeoutError:
                return None

    answers = [answer for answer in await asyncio.gather(*(ask() for _ in range(12))) if answer is not None]
    assert answers, "no node answered on the shared port"
    return answers


def _says(status: str, of: str, *, above: int = 0) -> Any:
    def says(user: Any) -> bool:
        return (user["userId"], user["status"]) == (of, status) and user["version"] > above

    return lambda diff: any(map(says, diff["users"]))
