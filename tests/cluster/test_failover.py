"""A whole hub on a Redis Cluster that loses a primary: nodes notice, and within seconds everything is served again."""

import pytest
import socketio

from hub.kernel.ids import new_ulid
from tests.support.hub_process import HubProcess
from tests.support.redis_cluster import CLUSTER, RedisCluster
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

pytestmark = pytest.mark.parametrize("processes", [CLUSTER], indirect=True, scope="module")
BACK_S = 45.0
"""A failover takes about two seconds here, and the hub is back then. A handshake that meets a server that has gone
costs a client of Python ten seconds: the hub closes the connection, for clients to come back, and this one waits for
an answer all the same."""


@pytest.mark.parametrize("tag", ["{s0}", "{s2}", "{s3}"])
async def test_a_hub_serves_everything_again_after_any_primary_has_died(
    hub: HubProcess, started_redis_cluster: RedisCluster, tag: str
) -> None:
    started_redis_cluster.heal()
    async with Rest(hub.url) as rest:
        ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
        room_id = await rest.room(ada)
        document_id = await rest.document(ada, bob)
        await _serves(hub, ada, bob, room_id, document_id)
        started_redis_cluster.primary_of(tag).kill()

        async def is_served() -> bool:
            try:
                await _serves(hub, ada, bob, room_id, document_id)
            except (AssertionError, socketio.exceptions.SocketIOError):
                return False
            return True

        await until(is_served, BACK_S)
        await until(lambda: all(node.is_ready() for node in hub.nodes), BACK_S)


async def _serves(hub: HubProcess, ada: Person, bob: Person, room_id: str, document_id: str) -> None:
    """Raises if anything between a client on one node and one on the other does not work."""
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        await _room(here, there, room_id)
        await _presence(here, there, ada)
        await _document(here, there, document_id)
        await _call(here, there, bob)


async def _room(here: SocketClient, there: SocketClient, room_id: str) -> None:
    for client in (here, there):
        await client.ok("room:join", {"roomId": room_id})
    sent = await here.ok("room:send", {"roomId": room_id, "clientId": new_ulid(), "body": "still here"})
    await there.expect("room:message", lambda message: message["seq"] == sent["seq"])


async def _presence(here: SocketClient, there: SocketClient, ada: Person) -> None:
    await there.ok("presence:watch", {"userIds": [ada.id]})
    own = await here.ok("presence:update", {"status": "busy", "text": new_ulid()})
    await there.expect("presence:diff", lambda diff: diff["users"][0]["version"] == own["version"])


async def _document(here: SocketClient, there: SocketClient, document_id: str) -> None:
    writer, reader = Writer(), Writer()
    writer.take((await here.ok("collab:join", document_id))["update"])
    reader.take((await there.ok("collab:join", document_id))["update"])
    await here.ok("collab:change", {"documentId": document_id, "update": writer.write("more ")})
    reader.take((await there.expect("collab:update"))["update"])
    assert str(reader) == str(writer)
    assert text_of((await there.ok("collab:join", document_id))["update"]) == str(writer)


async def _call(here: SocketClient, there: SocketClient, bob: Person) -> None:
    placed = await here.ok("call:initiate", {"to": bob.id, "type": "audio"})
    call_id = {"callId": placed["callId"]}
    await there.expect("call:incoming", lambda call: call["callId"] == placed["callId"])
    await there.ok("call:accept", call_id)
    await here.expect("call:accepted")
    await there.ok("call:hangup", call_id)
    await here.expect("call:ended")
