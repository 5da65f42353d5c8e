"""Engine.IO protocol 4, "Upgrade": a polling session moves to WebSocket, and loses nothing on the way."""

import asyncio
import contextlib
import json

import pytest

from tests.conformance.marks import also_on_another_node, strict, stricter_than_node
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, Packet, PollingSession, WebSocketSession
from tests.support.raw_http import Ended
from tests.support.raw_websocket import encode_frame

pytestmark = also_on_another_node
at_both_paths = pytest.mark.parametrize("path", [ENGINE_PATH, SOCKET_PATH])


async def probed(client: Client, session: PollingSession) -> WebSocketSession:
    """A WebSocket whose probe has been answered."""
    candidate = await client.candidate(session)
    await candidate.send("2probe")
    assert await candidate.packet() == "3probe"
    return candidate


async def upgraded(client: Client, path: str = ENGINE_PATH) -> tuple[PollingSession, WebSocketSession]:
    """A session after its upgrade: what it was, and what it is."""
    session = await client.polling(path)
    websocket = await probed(client, session)
    await websocket.send("5")
    await websocket.settled()
    return session, websocket


@at_both_paths
async def test_an_open_poll_is_ended_with_a_noop_and_the_websocket_takes_over(client: Client, path: str) -> None:
    session = await client.polling(path)
    poll = await session.begin_poll()
    websocket = await probed(client, session)
    ended = await poll.response()
    assert (ended.status, ended.body) == (200, b"6")
    await websocket.send("5")
    await websocket.settled()
    assert (await session.get()).status == 400


async def test_a_poll_during_the_probe_is_ended_with_a_noop(client: Client) -> None:
    """Also where the client began it after the probe, as the public suite does."""
    session = await client.polling()
    websocket = await probed(client, session)
    for _ in range(2):
        assert (await session.get()).body == b"6"
    await websocket.send("5", "4hello")
    assert await websocket.packet() == "4hello"


async def test_a_poll_that_is_open_at_the_upgrade_is_ended(client: Client) -> None:
    """Although the client should have stopped polling: an open request would wait for ever.

    It may also come after the upgrade, since two connections have no order between them.
    """
    session = await client.polling()
    websocket = await client.candidate(session)
    poll = await session.begin_poll()
    await websocket.send("2probe", "5", "4hello")
    assert [await websocket.packet() for _ in range(2)] == ["3probe", "4hello"]
    ended = await poll.response()
    assert ended.status == 400 or ended.body in (b"6", b"1")


async def test_probe_upgrade_and_messages_may_come_in_one_piece(client: Client) -> None:
    """As those of the public suite, which does not wait for the probe's answer."""
    session = await client.polling()
    websocket = await client.candidate(session)
    await websocket.send("2probe", "5", "4a", b"\x01", "4b")
    assert [await websocket.packet() for _ in range(4)] == ["3probe", "4a", b"\x01", "4b"]


async def test_polls_deliver_while_the_probe_is_under_way(client: Client) -> None:
    session = await client.polling()
    await probed(client, session)
    for number in range(3):
        await session.send(f"4{number}", bytes((number,)))
        assert [await next_message(session) for _ in range(2)] == [f"4{number}", bytes((number,))]


async def next_message(session: PollingSession) -> Packet:
    """The next packet but the noops that end polls during a probe."""
    while (packet := await session.packet()) == "6":
        pass
    return packet


async def test_what_no_poll_fetched_leaves_by_websocket_in_order(client: Client) -> None:
    session = await client.polling()
    expected: list[Packet] = [packet for number in range(20) for packet in (f"4{number}", bytes((number,)))]
    await session.send(*expected[:10])
    websocket = await probed(client, session)
    await session.send(*expected[10:20])
    await websocket.send("5", *expected[20:])
    assert [await websocket.packet() for _ in expected] == expected


async def test_messages_cross_the_upgrade_in_order_and_once(client: Client) -> None:
    """Polls that run all the time fetch some of them, and the WebSocket the rest."""
    session = await client.polling()
    received: list[Packet] = []

    async def poll_to_the_end() -> None:
        with contextlib.suppress(Ended):  # refused after the upgrade
            while (packet := await next_message(session)) != "1":
                received.append(packet)

    async with asyncio.TaskGroup() as group:
        group.create_task(poll_to_the_end())
        await session.send("40", "41")
        websocket = await probed(client, session)
        await session.send("42", "43")
        await session.send("44", "45")
        await websocket.send("5", "46", "47")
    received += [await websocket.packet() for _ in range(8 - len(received))]
    assert received == [f"4{number}" for number in range(8)]


@pytest.mark.parametrize(
    "packet",
    ["2wrong", "2", "2probe ", "2probeprobe", "3probe", "4hello", "6", "0", "1", "", "x", b"2probe", strict("5")],
    ids=ascii,
)
async def test_what_is_no_probe_ends_the_websocket_and_leaves_polling_as_it_was(client: Client, packet: Packet) -> None:
    """The reference implementation upgrades without a probe as well, and so before polling is paused."""
    session = await client.polling()
    candidate = await client.candidate(session)
    await candidate.send(packet)
    await candidate.ended()
    await session.send("4still polling")
    assert await next_message(session) == "4still polling"


@pytest.mark.parametrize("packet", ["4early", "2", "3probe", "6", "1", b"early"], ids=ascii)
async def test_what_is_no_upgrade_after_the_probe_ends_the_websocket(client: Client, packet: Packet) -> None:
    session = await client.polling()
    candidate = await probed(client, session)
    await candidate.send(packet)
    await candidate.ended()
    await session.send("4still polling")
    assert await next_message(session) == "4still polling"


async def test_a_websocket_that_dies_after_its_probe_loses_nothing(client: Client) -> None:
    session = await client.polling()
    candidate = await probed(client, session)
    await session.send("4during")
    await candidate.disconnect()
    await session.send("4after")
    assert [await next_message(session) for _ in range(2)] == ["4during", "4after"]


async def test_a_websocket_that_is_closed_after_its_probe_leaves_polling_as_it_was(client: Client) -> None:
    session = await client.polling()
    candidate = await probed(client, session)
    candidate.socket.send_close()
    await candidate.ended()
    await session.send("4still polling")
    assert await next_message(session) == "4still polling"


async def test_a_violation_during_the_probe_ends_the_websocket_and_leaves_polling_as_it_was(client: Client) -> None:
    session = await client.polling()
    candidate = await probed(client, session)
    candidate.socket.send(encode_frame("5", reserved=4))
    assert (await candidate.closed()).code == 1002
    await session.send("4still polling")
    assert await next_message(session) == "4still polling"


async def test_a_websocket_that_dies_beside_an_open_poll_loses_nothing(client: Client) -> None:
    session = await client.polling()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(next_message(session))
        candidate = await probed(client, session)
        await candidate.disconnect()
        await session.send("4after")
    assert first.result() == "4after"


async def test_a_second_try_can_succeed(client: Client) -> None:
    session = await client.polling()
    for _ in range(3):
        await (await probed(client, session)).disconnect()
        await session.send("4between")
        assert await next_message(session) == "4between"
    websocket = await probed(client, session)
    await websocket.send("5", "4hello")
    assert await websocket.packet() == "4hello"


async def test_a_second_websocket_during_a_probe_is_closed(client: Client) -> None:
    session = await client.polling()
    first = await probed(client, session)
    assert await client.refuses_websocket(session.websocket_target)
    await first.send("5", "4first")
    assert await first.packet() == "4first"


@at_both_paths
async def test_a_websocket_for_an_upgraded_session_is_closed(client: Client, path: str) -> None:
    session, websocket = await upgraded(client, path)
    assert await client.refuses_websocket(session.websocket_target)
    await websocket.settled()


@stricter_than_node
async def test_a_websocket_for_a_websocket_session_is_closed(client: Client) -> None:
    """ "A client MUST NOT open more than one WebSocket connection per session." The reference would probe with it."""
    session = await client.websocket()
    assert await client.refuses_websocket(f"{ENGINE_PATH}?EIO=4&transport=websocket&sid={session.handshake.sid}")
    await session.send("4still here")
    assert await session.packet() == "4still here"


@at_both_paths
async def test_requests_after_the_upgrade_are_refused_and_do_no_harm(client: Client, path: str) -> None:
    session, websocket = await upgraded(client, path)
    for _ in range(2):
        assert (await session.get()).status == 400
        assert (await session.post(b"4late")).status == 400
    await websocket.settled()


async def test_closing_the_session_closes_the_websocket_that_probes_it(client: Client) -> None:
    session = await client.polling()
    candidate = await probed(client, session)
    await session.send("1")
    await candidate.ended()
    await session.ended()


async def test_the_session_ends_with_the_websocket_it_has_moved_to(client: Client) -> None:
    session, websocket = await upgraded(client)
    assert await client.knows(session)
    await websocket.disconnect()
    await client.forgets(session)


async def test_the_connection_of_the_polls_may_end_after_the_upgrade(client: Client) -> None:
    session, websocket = await upgraded(client)
    await session.disconnect()
    await websocket.send("4hello")
    assert await websocket.packet() == "4hello"


async def test_a_namespace_stays_connected_through_the_upgrade(client: Client) -> None:
    """Socket.IO over both: connected by polling, an event during the probe, and one after the upgrade."""
    session = await client.polling(SOCKET_PATH)
    await session.send("40")
    sid = json.loads(str(await session.packet())[2:])["sid"]
    assert await session.packet() == '42["auth",{}]'
    websocket = await probed(client, session)
    await session.send('421["message-with-ack","by polling"]')
    await websocket.send("5", '422["message-with-ack","by websocket"]')
    assert [await websocket.packet() for _ in range(2)] == ['431["by polling"]', '432["by websocket"]']
    await websocket.send("40/custom,")
    packet = str(await websocket.packet())
    assert packet.startswith("40/custom,")
    assert sid not in packet
