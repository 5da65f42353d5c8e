"""Calls over two nodes that need more than two people, or more than one device."""

from contextlib import AsyncExitStack
from typing import Any

from redis.asyncio import Redis

from hub.kernel.clock import SystemClock
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_ulid, new_uuid
from signaling.call.commands import Accept
from signaling.call.outcome import Verdict
from signaling.redis_commands import ClientCommands
from signaling.settings import CallSettings
from signaling.store_redis import RedisCallStore
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import socket_client
from tests.support.wait import until


async def test_three_on_two_nodes_are_in_one_call_and_hear_what_is_for_them(hub: HubProcess, rest: Rest) -> None:
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    async with AsyncExitStack() as clients:
        also_bob = await rest.sign_in(bob.name)  # on another device
        here, there, third, tablet = [
            await clients.enter_async_context(socket_client(hub.nodes[node].url, person.token))
            for node, person in ((0, ada), (1, bob), (1, eve), (0, also_bob))
        ]
        placed = await here.ok("call:initiate", {"to": [bob.id, eve.id], "type": "audio"})
        call = {"callId": placed["callId"]}
        for client in (there, third, tablet):
            incoming = await client.expect("call:incoming")
            assert {member["userId"] for member in incoming["members"]} == {ada.id, bob.id, eve.id}
        await there.ok("call:accept", call)
        assert (await tablet.expect("call:cancelled"))["reason"] == "answered_elsewhere"
        await third.ok("call:accept", call)
        assert (await there.expect("call:accepted"))["from"] == eve.id
        for seq, to in ((1, bob.id), (2, eve.id)):
            await here.ok("call:signal", {**call, "seq": seq, "legTo": to, "signal": {"type": "offer", "sdp": to}})
        for client, person in ((there, bob), (third, eve)):
            assert (await client.expect("call:signal"))["signal"]["sdp"] == person.id
        await here.ok("call:hangup", call)
        for client in (there, third):
            left = await client.expect("call:state", lambda event: event["kind"] == "left")
            assert left["from"] == ada.id
        # The tablet takes the call that the other device of its owner has.
        assert (await tablet.ok("call:transfer", call))["gen"] == 1
        assert (await there.expect("call:cancelled"))["reason"] == "moved"
        await tablet.ok("call:media", {**call, "audioMuted": True})
        assert (await third.expect("call:media"))["audioMuted"] is True
        assert there.count("call:media") == tablet.count("call:signal") == 0


async def test_the_living_nodes_tell_what_a_dead_one_did_to_a_call(
    hub: HubProcess, rest: Rest, servers: Servers
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as caller,
        socket_client(hub.nodes[1].url, bob.token) as phone,
        Redis.from_url(servers.redis_url) as redis,
    ):
        call_id = (await caller.ok("call:initiate", {"to": bob.id, "type": "audio"}))["callId"]
        await phone.expect("call:incoming")
        # All that a node does that dies before it tells anybody: another device of Bob's has accepted.
        store = RedisCallStore(ClientCommands(redis), SystemClock(), CallSettings())
        tablet = Caller(UserId(bob.id), SessionId(new_uuid()), ConnectionId(new_ulid()))
        assert (await store.apply(call_id, Accept(tablet))).verdict is Verdict.DONE
        assert (await phone.expect("call:cancelled"))["reason"] == "answered_elsewhere"
        assert (await caller.expect("call:accepted"))["from"] == bob.id

        async def nothing_is_owed() -> bool:
            return await store.overdue(0.0) == []

        await until(nothing_is_owed)
        assert phone.count("call:cancelled") == caller.count("call:accepted") == 0, "both nodes look; one event comes"


async def test_who_lets_nobody_or_only_friends_call_is_not_there_for_others(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as caller,
        socket_client(hub.nodes[1].url, bob.token) as callee,
    ):
        for audience in ("nobody", "friends"):
            (await rest.request("PATCH", "/users/me/privacy", bob, json={"calls": audience})).expect(200)
            refusals = [
                await caller.refused("call:initiate", {"to": to, "type": "audio"}) for to in (bob.id, new_uuid())
            ]
            assert refusals[0] == refusals[1]
        for one, other in ((ada, bob), (bob, ada)):
            (await rest.post(f"/users/{other.id}/follow", one)).expect(204)
        await caller.ok("call:initiate", {"to": bob.id, "type": "audio"})
        await callee.expect("call:incoming")
        assert callee.count("call:incoming") == 0, "no other one"


async def test_calls_are_listed_for_who_was_in_them_and_a_missed_one_says_so(hub: HubProcess, rest: Rest) -> None:
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    async with (
        socket_client(hub.nodes[0].url, ada.token) as caller,
        socket_client(hub.nodes[1].url, bob.token) as callee,
        socket_client(hub.nodes[1].url, eve.token) as third,
    ):
        call = {"callId": (await caller.ok("call:initiate", {"to": bob.id, "type": "audio"}))["callId"]}
        await callee.ok("call:accept", call)
        busy = await third.ok("call:initiate", {"to": bob.id, "type": "video"})
        assert (busy["state"], busy["reason"]) == ("ended", "user_busy")
        await callee.ok("call:hangup", call)
        await caller.expect("call:ended")
        async with Rest(hub.nodes[0].url) as elsewhere:
            entries = await until(lambda: _calls_of(elsewhere, bob, 2), 5.0)
            assert [(one["callId"], one["direction"], one["missed"]) for one in entries] == [
                (busy["callId"], "incoming", True),
                (call["callId"], "incoming", False),
            ]
            first = (await elsewhere.get("/calls", bob, params={"limit": 1})).expect(200)
            cursor = first["pageInfo"]["nextCursor"]
            second = (await elsewhere.get("/calls", bob, params={"limit": 1, "cursor": cursor})).expect(200)
            assert [*first["data"], *second["data"]] == entries
            (await elsewhere.get(f"/calls/{call['callId']}", eve)).expect(404)
            mine = (await elsewhere.get(f"/calls/{call['callId']}", ada)).expect(200)
            assert (mine["direction"], mine["reason"], len(mine["members"])) == ("outgoing", "user_hangup", 2)


async def _calls_of(rest: Rest, person: Person, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rest.get("/calls", person)).expect(200)["data"]
    return found if len(found) == count else []
