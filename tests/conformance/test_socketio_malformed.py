"""Socket.IO protocol 5: packets that are none. They end their session at once, and nobody else notices.

At the normal ping alone: what ends a session there within a second was the packet.
"""

import pytest

from tests.conformance.marks import at_normal_ping, strict
from tests.conformance.socketio_session import SocketIO, connected
from tests.support.raw_client import Client
from tests.support.raw_engineio import Packet

pytestmark = at_normal_ping

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
ZERO = '{"_placeholder":true,"num":0}'


@pytest.fixture
async def socket(client: Client, transport: str) -> SocketIO:
    """A session that is connected to the main namespace, over each transport."""
    return await connected(client, transport)


async def ends(socket: SocketIO, *packets: Packet) -> None:
    """Check that these packets end the session, with nothing sent before."""
    await socket.session.push(*packets)
    await socket.session.ended()


@pytest.mark.parametrize(
    "packet", ["4abc", "47", '48["message"]', "49", "4-1", '4"x"', "4[]", "4{}", "4/custom,", "4", "4\x00"]
)
async def test_an_unknown_type_ends_the_session(socket: SocketIO, packet: str) -> None:
    await ends(socket, packet)


@pytest.mark.parametrize(
    "packet",
    [
        "42{}",
        '42"message"',
        "42null",
        "42true",
        "42[]",
        "42[null]",
        "42[true]",
        "42[{}]",
        '42[["message"]]',
        '42["message"',
        '42["message",]',
        '42["message"]]',
        '42["message"] x',
        "42['message']",
        '42["message",NaN]',
        '42["message",Infinity]',
        '42["message",01]',
        '42["message",+1]',
        '42["message",undefined]',
        '42["message","\t"]',
        '42["message","\\x"]',
        '42["message","\\ud8"]',
        '42["message",{a:1}]',
        '42["message"]\x00',
        strict('42\ufeff["message"]'),
        '42/custom["message"]',
        strict("42[1]"),
        strict("42"),
        strict("421"),
        strict("42/,"),
    ],
    ids=ascii,
)
async def test_an_event_that_is_no_array_with_a_name_ends_the_session(socket: SocketIO, packet: str) -> None:
    """ "The payload is mandatory and MUST be a non-empty array. If that's not the case, then the receiver MUST close
    the connection." The reference implementation takes a payload that is missing for one without arguments, and a
    number for a name."""
    await ends(socket, packet)


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize(
    "form", ['42["{}"]', '421["{}",1]', '451-["{}",' + ZERO.replace("{", "{{").replace("}", "}}") + "]"]
)
async def test_a_reserved_event_name_ends_the_session(socket: SocketIO, name: str, form: str) -> None:
    """With python-socketio's own engine a client calls the handler of the name with arguments of its choice."""
    packets: list[Packet] = [form.format(name)]
    await ends(socket, *packets, *([b"x"] if form.startswith("45") else []))


async def test_a_reserved_name_is_one_however_it_is_written(socket: SocketIO) -> None:
    await ends(socket, '42["dis\\u0063onnect","forged"]')


@pytest.mark.parametrize(
    "packet",
    [
        '42abc["message-with-ack"]',
        '42-1["message-with-ack"]',
        '421.5["message-with-ack"]',
        '421x["message-with-ack"]',
        '42\uff11["message-with-ack"]',
        strict("42" + "9" * 30 + '["message-with-ack"]'),
    ],
    ids=ascii,
)
async def test_an_ack_id_that_is_no_number_ends_the_session(socket: SocketIO, packet: str) -> None:
    """The reference implementation turns 30 nines into 1e+30, which is no id that the client sent."""
    await ends(socket, packet)


@pytest.mark.parametrize("packet", ["431{}", '431"x"', "431null", "43abc", "431[", strict("43"), strict("431")])
async def test_an_ack_without_an_array_ends_the_session(socket: SocketIO, packet: str) -> None:
    """ "The payload is mandatory and MUST be an array (possibly empty)." The reference lets it be missing."""
    await ends(socket, packet)


@pytest.mark.parametrize("packet", ['44{"message":"x"}', '44"x"', "44", "44/custom,{}"])
async def test_a_connect_error_is_for_the_server_to_send(socket: SocketIO, packet: str) -> None:
    await ends(socket, packet)


@pytest.mark.parametrize(
    "head",
    [
        "45",
        "45-",
        "450-",
        "4511-",
        "451000000000-",
        "45x-",
        "451",
        "451.5-",
        "45 -",
        "45-1-",
        "451x-",
        "451--",
        "45\uff11-",
        strict("45+1-"),
        strict("451e0-"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("kind", ["event", "ack"])
async def test_a_wrong_number_of_attachments_ends_the_session(socket: SocketIO, head: str, kind: str) -> None:
    """From 1 to 10, in digits. The reference implementation reads what JavaScript takes for a number."""
    packet = f'{head}["message",{ZERO}]' if kind == "event" else f"{head.replace('45', '46', 1)}7[{ZERO}]"
    await ends(socket, packet, b"x")


@pytest.mark.parametrize(
    "number", ["1", "-1", "10", "4294967296", '"0"', "true", "null", "[]", "{}", strict("0.5"), strict("0.0")]
)
async def test_a_placeholder_without_its_attachment_ends_the_session(socket: SocketIO, number: str) -> None:
    """The reference implementation puts nothing in the place of 0.5."""
    await ends(socket, f'451-["message",{{"_placeholder":true,"num":{number}}}]', b"x")


async def test_a_placeholder_without_a_number_ends_the_session(socket: SocketIO) -> None:
    await ends(socket, '451-["message",{"_placeholder":true}]', b"x")


async def test_an_attachment_of_nothing_ends_the_session(socket: SocketIO) -> None:
    await ends(socket, b"x")


async def test_more_attachments_than_announced_end_the_session(socket: SocketIO) -> None:
    await socket.send(f'451-["message",{ZERO}]', b"x")
    assert await socket.parts(2) == [f'451-["message-back",{ZERO}]', b"x"]
    await ends(socket, b"y")


@pytest.mark.parametrize(
    "instead", ['42["message"]', "41", "40/custom,", "431[]", f'451-["message",{ZERO}]'], ids=ascii
)
async def test_a_packet_instead_of_an_attachment_ends_the_session(socket: SocketIO, instead: str) -> None:
    await ends(socket, f'452-["message",{ZERO}]', b"x", instead, b"y")


async def test_a_session_that_ends_so_disturbs_no_other(client: Client, socket: SocketIO) -> None:
    bystander = await connected(client)
    await bystander.connect("/custom")
    for packet in ("4abc", "42{}", '42["disconnect"]', "40"):
        await ends(await connected(client), packet)
    await bystander.still_works()
    await socket.still_works()


@pytest.mark.parametrize("payload", ["[" * 100_000, '{"a":' * 100_000, '["unknown",' + "[" * 50_000 + "]" * 50_000])
async def test_deep_nesting_harms_nobody(client: Client, socket: SocketIO, payload: str) -> None:
    """What is not closed ends the session. What is JSON may be taken, or refused for its depth."""
    bystander = await connected(client)
    await socket.session.push(f"42{payload}")
    if not payload.endswith("]"):
        await socket.session.ended()
    await bystander.still_works()
