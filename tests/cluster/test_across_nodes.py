"""Every event of the seed between a client on one node and a client on the other."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import socketio

from tests.support.hub_process import HubProcess
from tests.support.redis_cluster import CLUSTER
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

REVOKED_WITHIN_S = 1.0

pytestmark = pytest.mark.parametrize("processes", ["one server", CLUSTER], indirect=True, scope="module")


class Pair(NamedTuple):
    """Ada on the first node, Bob on the second."""

    ada: Person
    bob: Person
    here: SocketClient
    there: SocketClient


@pytest.fixture
async def pair(hub: HubProcess, rest: Rest) -> AsyncIterator[Pair]:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        yield Pair(ada, bob, here, there)


async def test_each_client_is_on_its_own_node(hub: HubProcess, pair: Pair) -> None:
    ready = [await client.expect("session:ready") for client in (pair.here, pair.there)]
    assert [one["nodeId"] for one in ready] == [node.node_id for node in hub.nodes]


async def test_content_subscriptions_are_counted_over_both_nodes(rest: Rest, pair: Pair) -> None:
    content_id = (await rest.post_article(pair.ada))["id"]

    assert (await pair.here.ok("content:subscribe", content_id))["memberCount"] == 1
    assert (await pair.there.ok("content:subscribe", {"contentId": content_id}))["memberCount"] == 2
    assert (await pair.there.ok("content:subscribe", content_id))["memberCount"] == 2
    assert (await pair.here.ok("content:unsubscribe", content_id)) == {"contentId": content_id, "memberCount": 1}


async def test_content_new_reaches_a_follower_once_wherever_it_was_published(
    hub: HubProcess, rest: Rest, pair: Pair
) -> None:
    (await rest.post(f"/users/{pair.ada.id}/follow", pair.bob)).expect(204)
    for node in hub.nodes:
        async with Rest(node.url) as at_node:
            post = await at_node.post_article(pair.ada, f"From {node.name}")
        news = await pair.there.expect("content:new")
        assert (news["content"]["id"], news["content"]["title"]) == (post["id"], f"From {node.name}")
        assert news["timestamp"]
    assert pair.there.count("content:new") == 0


@pytest.mark.parametrize("kind", ["room", "content", "doc"])
async def test_typing_is_seen_by_members_on_the_other_node(rest: Rest, pair: Pair, kind: str) -> None:
    room = await _in_one_room(rest, pair, kind)

    await pair.here.ok("typing:start", {"room": room})
    assert await pair.there.expect("typing:update") == {"room": room, "userId": pair.ada.id, "typing": True}
    await pair.here.ok("typing:stop", {"room": room})
    assert await pair.there.expect("typing:update") == {"room": room, "userId": pair.ada.id, "typing": False}
    assert pair.here.count("typing:update") == 0


async def test_one_user_who_types_on_two_nodes_is_one(hub: HubProcess, rest: Rest, pair: Pair) -> None:
    room = await _in_one_room(rest, pair, "room")
    async with socket_client(hub.nodes[1].url, pair.ada.token) as tablet:
        await tablet.ok("room:join", {"roomId": room.removeprefix("room:")})
        await pair.here.ok("typing:start", {"room": room})
        assert (await pair.there.expect("typing:update"))["typing"] is True
        await tablet.expect("typing:update")
        await tablet.ok("typing:start", {"room": room})
        await pair.here.ok("typing:stop", {"room": room})
        await tablet.ok("typing:stop", {"room": room})
        assert (await pair.there.expect("typing:update"))["typing"] is False
        assert pair.there.count("typing:update") == 0


async def test_typing_to_a_person_is_seen_on_their_devices_and_not_past_a_block(rest: Rest, pair: Pair) -> None:
    to_bob = {"room": f"user:{pair.bob.id}"}
    await pair.here.ok("typing:start", to_bob)
    seen = {"room": f"user:{pair.ada.id}", "userId": pair.ada.id}
    assert await pair.there.expect("typing:update") == {**seen, "typing": True}
    await pair.here.ok("typing:stop", to_bob)
    assert await pair.there.expect("typing:update") == {**seen, "typing": False}

    (await rest.post(f"/users/{pair.ada.id}/block", pair.bob)).expect(204)
    assert await pair.here.ok("typing:start", to_bob) == {}
    await pair.here.ok("typing:start", {"room": f"user:{pair.ada.id[:-12]}000000000000"})  # nobody: the same
    await pair.there.ok("presence:get", {"userIds": []})
    assert pair.there.count("typing:update") == 0


async def _in_one_room(rest: Rest, pair: Pair, kind: str) -> str:
    match kind:
        case "room":
            thing = await rest.room(pair.ada)
            joining = ("room:join", {"roomId": thing})
        case "content":
            thing = (await rest.post_article(pair.ada))["id"]
            joining = ("content:subscribe", {"contentId": thing})
        case _:
            thing = await rest.document(pair.ada, pair.bob)
            joining = ("collab:join", {"documentId": thing})
    for client in (pair.here, pair.there):
        await client.ok(*joining)
    return f"{kind}:{thing}"


async def test_presence_update_reaches_a_watcher_on_the_other_node(pair: Pair) -> None:
    await pair.there.ok("presence:watch", {"userIds": [pair.ada.id]})
    own = await pair.here.ok("presence:update", {"status": "busy", "text": "proofs"})

    def is_busy(diff: dict[str, list[dict[str, str]]]) -> bool:
        return diff["users"][0]["status"] == "busy"

    (seen,) = (await pair.there.expect("presence:diff", is_busy))["users"]
    assert (seen["userId"], seen["text"], seen["version"]) == (pair.ada.id, "proofs", own["version"])


async def test_a_document_is_joined_and_changed_on_both_nodes(rest: Rest, pair: Pair) -> None:
    document_id = await rest.document(pair.ada, pair.bob)
    ada, bob = Writer(), Writer()
    for client, writer in ((pair.here, ada), (pair.there, bob)):
        joined = await client.ok("collab:join", document_id)
        assert joined["access"] == "write"
        writer.take(joined["update"])

    change = {"documentId": document_id, "update": ada.write("Ada was here. ")}
    assert (await pair.here.ok("collab:change", change))["seq"]
    bob.take((await pair.there.expect("collab:update"))["update"])
    assert str(bob) == "Ada was here. "

    await pair.there.ok("collab:change", {"documentId": document_id, "update": bob.write("Bob too. ")})
    ada.take((await pair.here.expect("collab:update"))["update"])
    assert str(ada) == str(bob) == "Ada was here. Bob too. "
    assert pair.here.count("collab:update") == pair.there.count("collab:update") == 0  # nobody hears an echo


async def test_a_stranger_to_a_document_gets_nothing_of_it_on_either_node(
    hub: HubProcess, rest: Rest, pair: Pair
) -> None:
    document_id = await rest.document(pair.ada)
    await pair.here.ok("collab:join", document_id)
    assert (await pair.there.refused("collab:join", document_id))["code"] == "not_found"
    change = {"documentId": document_id, "update": Writer().write("mine")}
    assert (await pair.there.refused("collab:change", change))["code"] == "not_joined"
    async with socket_client(hub.nodes[1].url, pair.ada.token) as owner:
        assert text_of((await owner.ok("collab:join", document_id))["update"]) == ""


async def test_a_call_rings_and_signals_across_nodes(pair: Pair) -> None:
    placed = await pair.here.ok("call:initiate", {"to": pair.bob.id, "type": "audio"})
    incoming = await pair.there.expect("call:incoming")
    assert (incoming["callId"], incoming["initiator"]) == (placed["callId"], pair.ada.id)

    call_id = {"callId": placed["callId"]}
    await pair.there.ok("call:accept", call_id)
    await pair.here.expect("call:accepted")
    offer = {"type": "offer", "sdp": "v=0"}
    await pair.here.ok("call:signal", {**call_id, "seq": 1, "signal": offer})
    signal = await pair.there.expect("call:signal")
    assert (signal["from"], signal["signal"]) == (pair.ada.id, offer)
    await pair.there.ok("call:hangup", call_id)
    await pair.here.expect("call:ended")


async def test_room_messages_reach_the_other_node_once_and_in_order(rest: Rest, pair: Pair) -> None:
    room_id = await rest.room(pair.ada)
    assert (await pair.here.ok("room:join", {"roomId": room_id}))["memberCount"] == 1
    assert (await pair.there.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
    assert (await pair.here.expect("room:member"))["userId"] == pair.bob.id

    for number in range(20):
        await pair.here.ok("room:send", {"roomId": room_id, "clientId": str(number), "body": number})
    await until(lambda: pair.there.count("room:message") >= 20)
    messages = [payload for name, payload in pair.there.received if name == "room:message"]
    assert [message["body"] for message in messages] == list(range(20))
    assert [message["seq"] for message in messages] == list(range(1, 21))
    assert pair.here.count("room:message") == 0  # the sending connection has the acknowledgements


async def test_signing_out_closes_the_sessions_sockets_on_the_other_node_within_a_second(
    hub: HubProcess, rest: Rest
) -> None:
    ada = await rest.sign_up("ada")
    elsewhere = await rest.sign_in(ada.name)
    async with (
        socket_client(hub.nodes[1].url, ada.token, reconnects=True) as ended,
        socket_client(hub.nodes[1].url, elsewhere.token) as other_session,
        Rest(hub.nodes[0].url) as at_first_node,
    ):
        (await at_first_node.post("/auth/logout", ada)).expect(204)
        assert (await ended.expect("session:revoked", timeout_s=REVOKED_WITHIN_S))["reason"]
        await until(lambda: not ended.connected, REVOKED_WITHIN_S)
        assert await other_session.ok("presence:get", {"userIds": []}) == {"users": []}
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with socket_client(hub.nodes[1].url, ada.token):
                pass
