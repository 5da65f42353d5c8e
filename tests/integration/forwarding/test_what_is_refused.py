"""Forged ids, other nodes' doors, limits: what is passed on is bounded, and believed only where a node has sent it."""

import itertools
import json

import pytest
from prometheus_client import REGISTRY

from hub.kernel.ports import NodeAddress
from hub.transport.engineio.session_ids import new_id
from hub.transport.engineio.settings import EngineSettings
from hub.transport.forwarding.hop import CLIENT, LOST, SECRET
from load_tests.relayed_server import new_tag
from tests.support.node_cluster import SECRET as RIGHT
from tests.support.node_cluster import LocalCluster, LocalNode, local_cluster
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH
from tests.support.raw_http import RawConnection, Response, request
from tests.support.raw_websocket import handshake
from tests.support.wait import until

POLL = f"{ENGINE_PATH}?EIO=4&transport=polling&sid="
WEBSOCKET = f"{ENGINE_PATH}?EIO=4&transport=websocket&sid="
WRONG = "another-secret-of-the-same-length"
CLIENT_HEADER, SECRET_HEADER, LOST_HEADER = (name.replace("-", "_") for name in (CLIENT, SECRET, LOST))
SOMEBODY = {CLIENT_HEADER: "192.0.2.7 5000"}


def passed_on() -> float:
    """How many requests were passed on and answered, since the tests began."""
    kinds = [("GET", "answered"), ("POST", "answered"), ("websocket", "connected")]
    labels = [{"kind": kind, "outcome": outcome} for kind, outcome in kinds]
    return sum(REGISTRY.get_sample_value("hub_forwarded_total", one) or 0.0 for one in labels)


async def each_way(node: LocalNode, sid: str) -> list[Response]:
    """What a poll, a POST and a handshake for a session are answered with."""
    connection = await node.client.connection()
    connection.send(handshake(WEBSOCKET + sid))
    return [
        await node.client.request("GET", POLL + sid),
        await node.client.request("POST", POLL + sid, b"4hello"),
        await connection.response(),
    ]


async def test_every_unknown_session_is_the_same_to_its_client(cluster: LocalCluster) -> None:
    asked, other, _ = cluster.nodes
    unknown = {"code": 1, "message": "Session ID unknown"}
    for tag in ("", asked.tag, other.tag, new_tag()):
        for response in await each_way(asked, new_id() + tag):
            assert (response.status, json.loads(response.body)) == (400, unknown), tag


async def test_a_forged_id_costs_one_request_to_the_node_that_it_names(cluster: LocalCluster) -> None:
    asked, other, _ = cluster.nodes
    before = passed_on()
    await each_way(asked, new_id() + other.tag)
    assert passed_on() - before == 3
    await each_way(asked, new_id() + new_tag())
    assert passed_on() - before == 3, "there is no such node"


@pytest.mark.parametrize(
    "tail",
    ["\u0661" * 8, "@evil.example:80/", "/../../tmp/x", "%00%0d%0aHost:%20x", "ILOU0000", "0000000"],
)
async def test_an_id_of_another_form_names_no_node_and_is_looked_up_nowhere(cluster: LocalCluster, tail: str) -> None:
    asked = cluster.nodes[0]
    for response in await each_way(asked, (new_id() + tail).encode().decode("latin-1")):
        assert response.status == 400
    assert cluster.directory.asked == []


async def test_what_was_passed_on_goes_no_further(cluster: LocalCluster) -> None:
    """The table says that the owner is where another node is, and the other way round: a loop, if there were any."""
    owner, asked, third = cluster.nodes
    session = await owner.client.polling()
    addresses = cluster.directory.addresses
    addresses[owner.tag], addresses[third.tag] = third.address, owner.address
    before = passed_on()
    for response in await each_way(asked, session.handshake.sid):
        assert (response.status, json.loads(response.body)["code"]) == (400, 1)
    assert passed_on() - before == 3
    await owner.takes_up(session).send("4still there")


async def entrance_of(node: LocalNode) -> Client:
    return Client(node.entrance_port)


@pytest.mark.parametrize(
    "secret", [{}, {SECRET_HEADER: WRONG}, {SECRET_HEADER: ""}, {SECRET_HEADER: RIGHT[:-1]}, {SECRET_HEADER: "\xff"}]
)
@pytest.mark.parametrize("word", [{}, {LOST_HEADER: "transport close"}])
async def test_without_the_secret_nothing_is_taken(
    cluster: LocalCluster, secret: dict[str, str], word: dict[str, str]
) -> None:
    owner = cluster.nodes[0]
    session = await owner.client.polling()
    stranger = await entrance_of(owner)
    headers = SOMEBODY | secret | word
    poll = await stranger.request("GET", POLL + session.handshake.sid, None, **headers)
    post = await stranger.request("POST", POLL + session.handshake.sid, b"4forged", **headers)
    connection = await stranger.connection()
    connection.send(handshake(WEBSOCKET + session.handshake.sid, **headers))
    upgrade = await connection.response()
    assert [poll.status, post.status, upgrade.status] == [403, 403, 403]
    await session.send("4own")
    assert await session.packet() == "4own"
    await stranger.close()


async def test_a_node_with_another_secret_gets_no_session_and_its_client_an_unknown_one() -> None:
    async with local_cluster(2, by_tcp=True, secrets=(RIGHT, WRONG)) as cluster:
        owner, stranger = cluster.nodes
        session = await owner.client.polling()
        statuses = [response.status for response in await each_way(stranger, session.handshake.sid)]
        assert statuses == [403, 403, 403]
        await owner.takes_up(session).send("4still there")


@pytest.mark.parametrize("headers", [{}, {CLIENT_HEADER: "192.0.2.7"}, {CLIENT_HEADER: " 5"}, {CLIENT_HEADER: "a b"}])
async def test_a_node_has_to_say_for_whom_it_asks(cluster: LocalCluster, headers: dict[str, str]) -> None:
    owner = cluster.nodes[0]
    session = await owner.client.polling()
    node = await entrance_of(owner)
    poll = await node.request("GET", POLL + session.handshake.sid, None, **headers, **{SECRET_HEADER: RIGHT})
    assert poll.status == 400
    await node.close()


@pytest.mark.parametrize("target", ["/", "/health/live", "/metrics", f"{ENGINE_PATH}?EIO=4&transport=polling"])
async def test_nodes_come_in_for_sessions_alone(cluster: LocalCluster, target: str) -> None:
    owner = cluster.nodes[0]
    node = await entrance_of(owner)
    response = await node.request("GET", target, None, **SOMEBODY, **{SECRET_HEADER: RIGHT})
    assert response.status in (400, 404)
    connection = await node.connection()
    connection.send(handshake(f"{ENGINE_PATH}?EIO=4&transport=websocket", **SOMEBODY, **{SECRET_HEADER: RIGHT}))
    assert (await connection.response()).status == 400
    assert not owner.server.engine.sessions
    await node.close()


async def test_clients_cannot_say_what_nodes_say(cluster: LocalCluster) -> None:
    """At the door for everybody the headers between nodes mean nothing, with the secret or without."""
    owner, other, _ = cluster.nodes
    session = await owner.client.polling()
    headers = SOMEBODY | {SECRET_HEADER: RIGHT, LOST_HEADER: "transport close"}
    for node in (owner, other):
        await owner.takes_up(session).send("4kept")
        poll = await node.client.request("GET", POLL + session.handshake.sid, None, **headers)
        assert (poll.status, poll.body) == (200, b"4kept")
    assert owner.open_connections("192.0.2.7") == 0


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_big_is_refused_and_ends_the_session(cluster: LocalCluster, chunked: bool) -> None:
    owner, other, _ = cluster.nodes
    session = await owner.client.polling()
    limit = owner.server.engine.settings.max_payload
    if chunked:
        connection = await other.client.connection()
        connection.send(request("POST", POLL + session.handshake.sid, Transfer_Encoding="chunked"))
        piece = b"4" * 100_000
        for _ in range(limit // len(piece) + 1):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        response = await connection.response()
    else:
        response = await other.client.request("POST", POLL + session.handshake.sid, b"4" * (limit + 1))
    assert response.status == 413
    await until(lambda: not owner.server.engine.sessions)


async def test_a_head_that_is_too_big_is_refused_where_it_comes_in(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    session = await owner.client.polling()
    response = await other.client.request("GET", POLL + session.handshake.sid, Cookie="x" * 40_000)
    assert response.status == 431


async def polls(node: LocalNode, client: Client, sids: list[str]) -> list[RawConnection]:
    """Open polls for sessions, each on a connection of its own."""
    connections = [await client.connection() for _ in sids]
    for connection, sid in zip(connections, sids, strict=True):
        connection.send(request("GET", POLL + sid))
    return connections


async def test_the_cap_of_an_address_holds_on_both_sides_and_each_counts_a_connection_once() -> None:
    """The client's address, not that of the node between."""
    settings = EngineSettings(connections_per_address=3, uncapped_addresses=())
    async with local_cluster(3, settings) as cluster:
        owner, *others = cluster.nodes
        clients = [Client(node.client.port, source="127.0.0.9") for node in others]
        sids = [(await owner.client.polling()).handshake.sid for _ in range(3)] + [
            (await others[0].client.polling()).handshake.sid
        ]
        opener = Client(owner.client.port, source="127.0.0.8")
        sids[3] = (await opener.polling()).handshake.sid
        for client, node, sid in zip(itertools.cycle(clients), itertools.cycle(others), sids[:3]):
            await polls(node, client, [sid])
        await until(lambda: owner.open_connections("127.0.0.9") == 3)
        assert [node.open_connections("127.0.0.9") for node in others] == [2, 1]
        fourth = await clients[1].request("GET", POLL + sids[3])
        assert fourth.status == 429, "the owner has three of this address"
        assert owner.open_connections("127.0.0.9") == 3
        for client in (*clients, opener):
            await client.close()
        await until(lambda: not any(node.open_connections("127.0.0.9") for node in cluster.nodes))


async def test_the_cap_holds_for_websockets_too() -> None:
    settings = EngineSettings(connections_per_address=2, uncapped_addresses=())
    async with local_cluster(2, settings) as cluster:
        owner, other = cluster.nodes
        openers = [Client(owner.client.port, source=f"127.0.0.{number}") for number in (11, 12, 13)]
        client = Client(other.client.port, source="127.0.0.9")
        sockets = []
        for opener in openers[:2]:
            sockets.append(await client.candidate(await opener.polling()))
        assert (owner.open_connections("127.0.0.9"), other.open_connections("127.0.0.9")) == (2, 2)
        connection = await client.connection()
        connection.send(handshake(WEBSOCKET + (await openers[2].polling()).handshake.sid))
        assert (await connection.response()).status == 429
        await client.close()
        await until(lambda: not owner.open_connections("127.0.0.9") and not other.open_connections("127.0.0.9"))
        for opener in openers:
            await opener.close()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("where", ["at another node", "between nodes"])
async def test_a_page_of_a_foreign_origin_gets_nothing_through_another_node(transport: str, where: str) -> None:
    async with local_cluster(2, origins="https://app.example") as cluster:
        owner, other = cluster.nodes
        session = await owner.client.polling(SOCKET_PATH)
        headers = {"Origin": "https://evil.example"}
        if where == "between nodes":
            headers |= SOMEBODY | {SECRET_HEADER: RIGHT}
        client = other.client if where == "at another node" else await entrance_of(owner)
        connection = await client.connection()
        asked = request("GET", session.target, **headers)
        connection.send(asked if transport == "polling" else handshake(session.websocket_target, **headers))
        assert (await connection.response()).status == 403
        await client.close()


async def test_a_node_that_publishes_no_way_has_no_sessions_for_others(cluster: LocalCluster) -> None:
    owner, asked, _ = cluster.nodes
    session = await owner.client.polling()
    cluster.directory.addresses[owner.tag] = NodeAddress()
    assert [response.status for response in await each_way(asked, session.handshake.sid)] == [400, 400, 400]
