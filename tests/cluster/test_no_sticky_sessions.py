"""Nodes behind one port, or a balancer that knows no clients: long-polling works as if there were one node."""

import asyncio
import contextlib
import json
import re
import signal
import time
from urllib.parse import urlsplit

import aiohttp

from tests.support.hub_process import HubProcess, Node
from tests.support.raw_client import Client
from tests.support.raw_engineio import SOCKET_PATH, PollingSession
from tests.support.rest import Person, Rest
from tests.support.round_robin import round_robin
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until

AT_ONCE_S = 1.0
LEASE_S = 6.0 + 1.0 + 1.0 + 1.0
"""What a lease lasts, how long an address is used without a look at it, the time between two looks, and a margin."""


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def passed_on(hub: HubProcess) -> float:
    """Requests that the nodes have passed on, and that were answered."""
    total = 0.0
    async with aiohttp.ClientSession() as http:
        for node in hub.nodes:
            async with http.get(f"{node.url}/metrics") as response:
                lines = re.findall(r"^hub_forwarded_total\{(.*)\} (.*)$", await response.text(), re.MULTILINE)
            total += sum(float(count) for labels, count in lines if 'outcome="answered"' in labels)
    return total


async def test_fifty_polling_clients_of_python_work_through_a_balancer_that_knows_none(
    hub: HubProcess, rest: Rest
) -> None:
    """Two in a room: this client refuses a poll with more than 16 packets."""
    ada = await rest.sign_up("ada")
    before = await passed_on(hub)

    async def talk(sender: SocketClient, listener: SocketClient) -> None:
        room_id = await rest.room(ada)
        for client in (sender, listener):
            await client.ok("room:join", {"roomId": room_id})
        sent = [
            await sender.ok("room:send", {"roomId": room_id, "body": number, "clientId": str(number)})
            for number in range(1, 6)
        ]
        await until(lambda: listener.count("room:message") == 5)
        heard = [payload for event, payload in listener.received if event == "room:message"]
        assert [message["seq"] for message in heard] == [1, 2, 3, 4, 5]
        assert [message["messageId"] for message in heard] == [one["messageId"] for one in sent]
        assert sender.io.transport() == listener.io.transport() == "polling"

    async with round_robin([node.url for node in hub.nodes]) as url, contextlib.AsyncExitStack() as held:
        clients = [
            await held.enter_async_context(socket_client(url, ada.token, transports=("polling",))) for _ in range(50)
        ]
        await asyncio.gather(*(talk(*pair) for pair in zip(clients[::2], clients[1::2], strict=True)))
    assert await passed_on(hub) - before > 150, "half of at least 300 requests"


async def test_a_client_of_python_upgrades_through_another_node(hub: HubProcess, rest: Rest) -> None:
    ada = await rest.sign_up("ada")
    for start in (0, 1):
        nodes = [hub.nodes[start].url, hub.nodes[1 - start].url]
        async with (
            round_robin(nodes) as url,
            socket_client(url, ada.token, transports=("polling", "websocket")) as client,
        ):
            assert client.io.transport() == "websocket"
            assert await client.ok("presence:get", {"userIds": []}) == {"users": []}


async def test_the_shared_port_alone_serves_sessions_wherever_their_requests_land(hub: HubProcess, rest: Rest) -> None:
    ada = await rest.sign_up("ada")
    before = await passed_on(hub)
    async with asyncio.timeout(30):
        await asyncio.gather(*(_ask_over_new_connections(hub, ada, number) for number in range(20)))
    assert await passed_on(hub) - before > 20, "of 240 requests half are for the other node"


async def _ask_over_new_connections(hub: HubProcess, person: Person, number: int) -> None:
    """A connection for each request, as of a client without keep-alive."""
    client = Client(port_of(hub.url))
    session = await client.polling(SOCKET_PATH)
    await session.send("40" + json.dumps({"token": person.token}))
    for count in range(5):
        await session.disconnect()
        await session.send(f'42{count}["presence:get",{{"userIds":[]}}]')
        while not (packet := str(await session.packet())).startswith(f"43{count}["):
            await session.disconnect()
        assert '"ok":true' in packet, (number, packet)
    await client.close()


async def session_of(node: Node, through: Node) -> tuple[PollingSession, Client]:
    """A session of one node, polled by another."""
    opener, client = Client(port_of(node.url)), Client(port_of(through.url))
    opened = await opener.polling(SOCKET_PATH)
    await opener.close()
    return PollingSession(client.connection, SOCKET_PATH, opened.handshake, None), client


async def test_a_poll_for_a_node_that_is_killed_is_answered_at_once(hub: HubProcess) -> None:
    survivor, dying = hub.nodes
    session, client = await session_of(dying, survivor)
    poll = await session.begin_poll()
    await until(lambda: _has_waiting_polls(survivor))
    dying.send(signal.SIGKILL)
    response = await poll.response(AT_ONCE_S)
    assert (response.status, response.body) == (400, b'{"code":1,"message":"Session ID unknown"}')
    started = time.monotonic()
    assert (await session.get()).status == 400
    assert time.monotonic() - started < AT_ONCE_S, "its lease has not run out yet"
    assert (await client.polling(SOCKET_PATH)).handshake.sid != session.handshake.sid
    await client.close()


async def _has_waiting_polls(node: Node) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/metrics") as response:
        return "\nhub_forwarded_waiting 1.0" in await response.text()


async def test_a_poll_for_a_node_that_hangs_ends_with_its_lease(hub: HubProcess) -> None:
    survivor, hanging = hub.nodes
    session, client = await session_of(hanging, survivor)
    with hanging.paused():
        timeout = aiohttp.ClientTimeout(total=LEASE_S)
        async with aiohttp.ClientSession(survivor.url) as http, http.get(session.target, timeout=timeout) as response:
            assert response.status == 400
        started = time.monotonic()
        assert (await session.get()).status == 400
        assert time.monotonic() - started < AT_ONCE_S, "a node without a lease is not asked"
    await client.close()
