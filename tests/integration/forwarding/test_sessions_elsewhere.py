"""A session goes on through any node: nothing is lost, and its end is noticed wherever it shows."""

import asyncio
import itertools

import pytest

from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket import CloseCode
from tests.support.node_cluster import LocalCluster, LocalNode, local_cluster
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, PollingSession, WebSocketSession, decode_payload
from tests.support.raw_http import request
from tests.support.raw_websocket import close_payload
from tests.support.wait import until


async def upgraded(owner: LocalNode, through: LocalNode, path: str = ENGINE_PATH) -> WebSocketSession:
    """A session of one node that has moved to a WebSocket of another."""
    session = await owner.client.polling(path)
    candidate = await through.client.candidate(session)
    await candidate.send("2probe")
    assert await candidate.packet() == "3probe"
    await candidate.send("5")
    await candidate.settled()
    return candidate


async def test_each_request_of_a_session_may_reach_another_node(cluster: LocalCluster) -> None:
    session = await cluster.nodes[0].client.polling()
    for number, (to_post, to_poll) in enumerate(itertools.permutations(cluster.nodes, 2)):
        await to_post.takes_up(session).send(f"4{number}", b"\x00" + bytes([number]))
        elsewhere = to_poll.takes_up(session)
        assert [await elsewhere.packet(), await elsewhere.packet()] == [f"4{number}", b"\x00" + bytes([number])]


async def test_a_poll_waits_at_another_node_for_what_comes_later(cluster: LocalCluster) -> None:
    owner, other, third = cluster.nodes
    session = await owner.client.polling()
    poll = await other.takes_up(session).begin_poll()
    await until(lambda: owner.session(session).poll is not None)
    await third.takes_up(session).send("4later")
    response = await poll.response()
    assert (response.status, response.body) == (200, b"4later")
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert response.headers["cache-control"] == "no-store"


async def test_a_session_moves_to_a_websocket_of_another_node(cluster: LocalCluster) -> None:
    owner, other, third = cluster.nodes
    websocket = await upgraded(owner, other)
    await websocket.send("4hello", b"\x01\x02", "4" + "x" * 900_000)
    assert [await websocket.packet() for _ in range(2)] == ["4hello", b"\x01\x02"]
    assert len(await websocket.packet()) == 900_001
    sid = next(iter(owner.server.engine.sessions))
    late = await third.client.request("GET", f"{ENGINE_PATH}?EIO=4&transport=polling&sid={sid}")
    assert late.status == 400


async def test_it_moves_also_on_a_connection_that_was_used_before(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    session = await owner.client.polling()
    connection = await other.client.connection()
    connection.send(request("GET", "/nothing"))
    await connection.response()
    elsewhere = PollingSession(other.client.connection, ENGINE_PATH, session.handshake, connection)
    await elsewhere.send("4one")
    assert await elsewhere.packet() == "4one"
    websocket = await upgraded(owner, other)
    await websocket.send("4two")
    assert await websocket.packet() == "4two"


@pytest.mark.parametrize("number", [0, 1])
async def test_a_client_that_gives_up_its_poll_at_another_node_ends_its_session(
    cluster: LocalCluster, number: int
) -> None:
    """Whether its node has the poll by then (1) or not."""
    owner, other, _ = cluster.nodes
    session = await owner.client.polling()
    poll = await other.takes_up(session).begin_poll()
    if number:
        await until(lambda: owner.session(session).poll is not None)
    await poll.close()
    await until(lambda: not owner.server.engine.sessions)


async def test_a_websocket_that_is_lost_at_another_node_ends_its_session(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    websocket = await upgraded(owner, other)
    await websocket.disconnect()
    await until(lambda: not owner.server.engine.sessions)
    await until(lambda: not other.open_connections())


async def test_close_frames_pass_both_ways_with_their_codes(cluster: LocalCluster) -> None:
    owner, other, _ = cluster.nodes
    websocket = await upgraded(owner, other)
    (session,) = owner.server.engine.sessions.values()
    session.close("ping timeout", CloseCode.PING_TIMEOUT, "too late")
    closed = await websocket.closed()
    assert (closed.code, closed.reason) == (CloseCode.PING_TIMEOUT, "too late")
    websocket = await upgraded(owner, other)
    websocket.socket.send_close(close_payload(1000))
    assert (await websocket.closed()).code == 1000


async def test_fifty_sessions_polled_through_all_nodes_lose_nothing(cluster: LocalCluster) -> None:
    """Socket.IO: each session sends numbered events that are acknowledged, and hears numbered broadcasts."""
    owner = cluster.nodes[0]
    sessions = [await node.client.polling(SOCKET_PATH) for node in cluster.nodes * 17][:50]

    async def talk(session: PollingSession, first: int) -> list[str]:
        ways = itertools.cycle(node.takes_up(session) for node in cluster.nodes[first:] + cluster.nodes[:first])
        seen: list[str] = []
        await next(ways).send("40")
        for number in range(20):
            await next(ways).send(f'42{number}["echo",{number}]')
            while f"43{number}[{number}]" not in seen:
                polled = await next(ways).get()
                seen += [str(packet) for packet in decode_payload(polled.body)]
        return seen

    heard = await asyncio.gather(*(talk(session, index % 3) for index, session in enumerate(sessions)))
    for seen in heard:
        acknowledged = [packet for packet in seen if packet.startswith("43")]
        assert acknowledged == [f"43{number}[{number}]" for number in range(20)]
    assert len(owner.server.engine.sessions) == 17


async def test_a_node_that_stops_sends_polls_of_others_elsewhere_and_nothing_is_lost(cluster: LocalCluster) -> None:
    owner, leaving, third = cluster.nodes
    session = await owner.client.polling()
    through = leaving.takes_up(session)
    poll = await through.begin_poll()
    await until(lambda: owner.session(session).poll is not None)
    leaving.forwarder.leave()
    released = await poll.response()
    assert (released.status, released.body) == (200, b"6")
    assert released.headers["connection"] == "close"
    again = await through.get()
    assert (again.status, again.body) == (200, b"6"), "none waits there any more"
    await through.send("4kept")
    assert await third.takes_up(session).packet() == "4kept"


async def test_a_node_that_stops_ends_websockets_of_others(cluster: LocalCluster) -> None:
    owner, leaving, _ = cluster.nodes
    websocket = await upgraded(owner, leaving)
    await websocket.send("4before")
    assert await websocket.packet() == "4before"
    leaving.forwarder.leave()
    assert await websocket.socket.connection.rest() == b""
    await until(lambda: not owner.server.engine.sessions)


async def test_pings_of_the_heartbeat_come_through() -> None:
    settings = EngineSettings(ping_interval_s=0.1, ping_timeout_s=0.2)
    async with local_cluster(2, settings) as cluster:
        owner, other = cluster.nodes
        session = other.takes_up(await owner.client.polling())
        for _ in range(4):
            assert await session.any_packet() == "2"
            await session.send("3")
        await until(lambda: not owner.server.engine.sessions)
