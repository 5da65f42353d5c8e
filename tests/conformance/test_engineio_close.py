"""Engine.IO protocol 4: how a client ends its session, and that nothing of it is left."""

import pytest

from tests.conformance.marks import also_on_another_node, strict, stricter_than_node
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH
from tests.support.raw_websocket import handshake

pytestmark = also_on_another_node
at_both_paths = pytest.mark.parametrize("path", [ENGINE_PATH, SOCKET_PATH])


@at_both_paths
async def test_a_close_packet_ends_a_polling_session(client: Client, path: str) -> None:
    session = await client.polling(path)
    await session.send("1")
    await session.ended()


@stricter_than_node
@at_both_paths
async def test_a_close_packet_ends_a_websocket_session(client: Client, path: str) -> None:
    """The reference implementation does nothing, and the public suite passes because no pong comes."""
    session = await client.websocket(path)
    await session.send("1")
    await session.ended()
    await client.forgets(session, path)


@at_both_paths
async def test_a_close_packet_ends_an_open_poll_with_a_noop(client: Client, path: str) -> None:
    session = await client.polling(path)
    poll = await session.begin_poll()
    await session.send("1")
    ended = await poll.response()
    assert (ended.status, ended.body) == (200, b"6")
    assert (await session.get()).status == 400


@pytest.mark.parametrize("transport", ["polling", strict("websocket")])
async def test_what_follows_a_close_packet_is_not_handled(client: Client, transport: str) -> None:
    session = await client.session(transport)
    await session.push("1", "4late")
    await session.ended()


async def test_a_closed_session_takes_no_request(client: Client) -> None:
    session = await client.polling()
    await session.send("1")
    assert (await session.get()).status == 400
    assert (await session.post(b"4late")).status == 400
    connection = await client.connection()
    connection.send(handshake(session.websocket_target))
    assert (await connection.head())[0] == 400


@pytest.mark.parametrize(
    "data",
    ["abc", "", "7", "9", " 4a", "2", "2probe", "\x1e", "-1", *map(strict, ["0", "5", "6", "3x", "1x", "bAQI="])],
    ids=ascii,
)
async def test_an_invalid_packet_ends_a_websocket_session(client: Client, data: str) -> None:
    """A packet without a known type; the ping, which the server alone sends since protocol 4; and what is out of place.

    The reference implementation passes over the last kind, and reads base64 although it is for polling alone.
    """
    session = await client.websocket()
    await session.send(data)
    await session.ended()
    await client.forgets(session)
