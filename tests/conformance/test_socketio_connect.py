"""Socket.IO protocol 5: connecting to namespaces and disconnecting from them, over either transport."""

import asyncio
import contextlib

import pytest

from tests.conformance.marks import at_short_ping, stricter_than_node
from tests.conformance.socketio_session import SocketIO, connected, prefix_of
from tests.support.bare_server import BareServer
from tests.support.raw_client import Client
from tests.support.raw_engineio import SOCKET_PATH
from tests.support.raw_http import Ended


async def unconnected(client: Client, transport: str = "websocket") -> SocketIO:
    """A session of which no namespace is connected yet."""
    return SocketIO(await client.session(transport, SOCKET_PATH))


@pytest.mark.parametrize("namespace", ["/", "/custom"])
@pytest.mark.parametrize("auth", ["", "{}", '{"token":"123"}', '{"a":{"b":[1,null,"ü\U0001f44b"]}}'], ids=ascii)
async def test_a_namespace_is_connected_and_its_handler_gets_the_auth_object(
    client: Client, transport: str, namespace: str, auth: str
) -> None:
    """CONNECT is answered first, and only then comes what the handler emits."""
    socket = await unconnected(client, transport)
    sid = await socket.connect(namespace, auth)
    assert sid != socket.session.handshake.sid, "the id of the session is a secret; that of a socket is not"


async def test_the_comma_after_a_namespace_may_be_left_out_at_the_end(client: Client, transport: str) -> None:
    socket = await unconnected(client, transport)
    await socket.send("40/custom")
    assert (await socket.text()).startswith('40/custom,{"sid":"')
    assert await socket.packet() == '42/custom,["auth",{}]'
    await socket.send("41/custom")
    await socket.session.settled()
    await socket.connect("/custom")


async def test_an_unknown_namespace_is_refused_and_the_session_goes_on(client: Client, transport: str) -> None:
    socket = await unconnected(client, transport)
    for _ in range(2):
        await socket.send("40/random")
        assert await socket.packet() == '44/random,{"message":"Invalid namespace"}'
    await socket.connect("/custom")
    await socket.send("40/Custom,")
    assert await socket.packet() == '44/Custom,{"message":"Invalid namespace"}'
    await socket.connect("/")
    await socket.still_works()


@stricter_than_node
async def test_a_query_behind_the_name_of_a_namespace_is_cut_off(client: Client) -> None:
    """As by python-socketio: clients of protocol 4 sent one, and protocol 5 has it in the auth object.

    The reference implementation takes it for a part of the name, and finds no such namespace.
    """
    socket = await unconnected(client)
    await socket.send("40/custom?token=abc,")
    assert (await socket.text()).startswith('40/custom,{"sid":"')
    assert await socket.packet() == '42/custom,["auth",{}]'
    await socket.send("40/random?token=abc,")
    assert await socket.packet() == '44/random,{"message":"Invalid namespace"}'


async def test_two_namespaces_share_a_session_and_have_ids_of_their_own(client: Client, transport: str) -> None:
    socket = await unconnected(client, transport)
    sids = {await socket.connect("/custom"), await socket.connect("/")}
    assert len(sids) == 2
    await socket.still_works()


async def test_namespaces_may_be_connected_without_waiting(client: Client, transport: str) -> None:
    socket = await unconnected(client, transport)
    await socket.send("40", "40/custom,", "40/random,")
    packets = [await socket.text() for _ in range(5)]
    assert '44/random,{"message":"Invalid namespace"}' in packets
    for prefix in ("", "/custom,"):
        own = [packet for packet in packets if packet[2:].startswith((prefix or "{", prefix or "["))]
        assert [packet[:2] for packet in own] == ["40", "42"]


async def test_a_second_connect_ends_the_session(client: Client, transport: str) -> None:
    socket = await connected(client, transport)
    await socket.session.push("40")
    await socket.session.ended()


@pytest.mark.parametrize(
    "packet",
    [
        "40[]",
        '40"x"',
        "40null",
        "40true",
        "40abc",
        '40{"a":1',
        "40{}{}",
        "40/custom,[]",
        '40/custom,"x"',
        "40/custom,{",
    ],
)
async def test_an_auth_that_is_no_object_ends_the_session(client: Client, transport: str, packet: str) -> None:
    socket = await unconnected(client, transport)
    await socket.session.push(packet)
    await socket.session.ended()


@pytest.mark.parametrize(
    "packets",
    [
        ['42["message","early"]'],
        ['421["message-with-ack","early"]'],
        ['42/custom,["message","early"]'],
        ["431[]"],
        ["41"],
        ["41/custom,"],
        ['44{"message":"x"}'],
        ['451-["message",{"_placeholder":true,"num":0}]', b"\x01"],
    ],
    ids=str,
)
async def test_what_comes_before_connect_ends_the_session(
    client: Client, transport: str, packets: list[str | bytes]
) -> None:
    """ "If the server does not receive a CONNECT packet first, then it MUST close the connection immediately." """
    socket = await unconnected(client, transport)
    await socket.session.push(*packets)
    await socket.session.ended()


@at_short_ping
async def test_a_session_that_never_connects_is_closed_after_the_connect_timeout(
    client: Client, server: BareServer
) -> None:
    """Pings are answered all the while, so that it is not the heartbeat which ends it. A refused one counts as none."""
    loop = asyncio.get_running_loop()
    opened = loop.time()
    socket = await unconnected(client)
    await socket.send("40/random,")
    assert await socket.packet() == '44/random,{"message":"Invalid namespace"}'
    with pytest.raises(Ended):
        await socket.packet()
    elapsed_s = loop.time() - opened
    assert 0.9 <= elapsed_s / (server.pace.connect_timeout_ms / 1000) <= 2


@at_short_ping
async def test_a_session_that_has_connected_outlives_the_connect_timeout(client: Client, server: BareServer) -> None:
    loop = asyncio.get_running_loop()
    socket = await connected(client)
    end = loop.time() + server.pace.connect_timeout_ms / 1000 * 1.2
    while loop.time() < end:
        assert await socket.session.any_packet() == "2"
        await socket.send("3")
    await socket.still_works()


async def test_a_disconnect_leaves_the_other_namespaces_alone(client: Client, transport: str) -> None:
    socket = await connected(client, transport)
    await socket.connect("/custom")
    await socket.send("41/custom,")
    await socket.still_works()


async def test_a_namespace_may_be_left_and_connected_again_with_another_id(client: Client, transport: str) -> None:
    """Also the last one: the session is kept."""
    socket = await unconnected(client, transport)
    for namespace in ("/", "/custom"):
        sids = set()
        for _ in range(3):
            sids.add(await socket.connect(namespace))
            await socket.send(f"41{prefix_of(namespace)}")
            await socket.session.settled()
        assert len(sids) == 3


@stricter_than_node
async def test_a_namespace_may_be_left_and_connected_again_in_one_piece(client: Client, transport: str) -> None:
    """As by `socket.disconnect().connect()`. The reference implementation takes it for a second CONNECT, and closes."""
    socket = await connected(client, transport)
    await socket.send("41", "40")
    assert (await socket.text()).startswith('40{"sid":"')
    assert await socket.packet() == '42["auth",{}]'
    await socket.still_works()


@pytest.mark.parametrize("packet", ["41{}", "41[]", '41"x"', "41null", "41x", "41/custom,{}"])
async def test_a_disconnect_with_a_payload_ends_the_session(client: Client, transport: str, packet: str) -> None:
    socket = await connected(client, transport)
    await socket.connect("/custom")
    await socket.session.push(packet)
    await socket.session.ended()


@pytest.mark.parametrize("left", ["never connected", "left"])
async def test_an_event_for_a_namespace_that_is_not_connected_is_not_handled(client: Client, left: str) -> None:
    """The reference implementation closes, which hurts one whom the server has just put out; to pass over it is right
    as well. Handled it must not be."""
    socket = SocketIO(await client.websocket(SOCKET_PATH))
    await socket.connect("/custom")
    if left == "left":
        await socket.connect("/")
        await socket.send("41")
    await socket.send('421["message-with-ack","forbidden"]', "41/custom,", "40/custom,")
    with contextlib.suppress(Ended):
        assert (await socket.text()).startswith("40/custom,")
