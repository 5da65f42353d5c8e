"""Socket.IO protocol 5: events and acknowledgements, with and without attachments, over either transport."""

import json

import pytest

from tests.conformance.marks import stricter_than_node
from tests.conformance.socketio_session import SocketIO, connected
from tests.support.raw_client import Client
from tests.support.raw_engineio import Packet

PLACEHOLDERS = [f'{{"_placeholder":true,"num":{number}}}' for number in range(10)]


@pytest.fixture
async def socket(client: Client, transport: str) -> SocketIO:
    """A session that is connected to the main namespace, over each transport."""
    return await connected(client, transport)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        ',1,"2",{"3":[true]}',
        ",null",
        ',[],{},"",0,false',
        ',{"_placeholder":false,"num":0}',
        ',{"num":0}',
        ',"message"',
        ',[[[["deep"]]]]',
        ",-1,0.5,1e-7,9007199254740991",
    ],
)
async def test_an_event_arrives_with_its_arguments_in_compact_json(socket: SocketIO, arguments: str) -> None:
    await socket.send(f'42["message"{arguments}]')
    assert await socket.packet() == f'42["message-back"{arguments}]'


@pytest.mark.parametrize(
    "payload",
    [
        '[ "message" , 1 ,\n\t[ 2 ] ]',
        '["message","ü漢\U0001f44b"]',
        '["message","\\u00fc\\ud83d\\udc4b\\n\\u0000\\""]',
        '["\\u006dessage","an escaped name"]',
        '["message","\\u2028 </script> \\\\"]',
        '["message",1.0,1E2,-0.5e-3]',
        '["message",{"a":1,"a":2}]',
        '["message",{"__proto__":1,"constructor":2}]',
        '["message","' + "x" * 100_000 + '"]',
    ],
    ids=lambda payload: ascii(payload)[:40],
)
async def test_any_json_keeps_its_meaning(socket: SocketIO, payload: str) -> None:
    await socket.send(f"42{payload}")
    assert (await socket.event())[1:] == json.loads(payload)[1:]


async def test_events_are_answered_in_order(socket: SocketIO) -> None:
    await socket.send(*(f'42{number}["message-with-ack",{number}]' for number in range(100)))
    assert await socket.parts(100) == [f"43{number}[{number}]" for number in range(100)]


async def test_an_unknown_event_is_passed_over(socket: SocketIO) -> None:
    await socket.send('42["unknown",1]', '42[""]', '427["unknown"]')
    await socket.still_works()


@pytest.mark.parametrize("ack_id", [0, 1, 9, 10, 456, 2**31, 2**32, 10**15 - 1])
async def test_an_ack_has_the_id_of_its_event(socket: SocketIO, ack_id: int) -> None:
    await socket.send(f'42{ack_id}["message-with-ack",1,"2",{{"3":[false]}}]')
    assert await socket.packet() == f'43{ack_id}[1,"2",{{"3":[false]}}]'


async def test_an_ack_without_arguments_is_an_empty_array(socket: SocketIO) -> None:
    await socket.send('425["message-with-ack"]')
    assert await socket.packet() == "435[]"


@stricter_than_node
async def test_an_event_with_an_id_is_acknowledged_whatever_its_handler_returns(socket: SocketIO) -> None:
    """ "The receiver MUST respond with an ACK packet." The reference implementation leaves that to the handler."""
    await socket.send('427["message",1]')
    assert set(await socket.parts(2)) == {'42["message-back",1]', "437[]"}


@pytest.mark.parametrize(
    "packets",
    [
        ["43999[]"],
        ['430["x"]'],
        ["43[]"],
        ["43/custom,1[]"],
        [f"461-999[{PLACEHOLDERS[0]}]", b"\x01"],
    ],
    ids=str,
)
async def test_an_ack_that_nobody_waits_for_is_passed_over(socket: SocketIO, packets: list[Packet]) -> None:
    await socket.connect("/custom")
    await socket.send(*packets)
    await socket.still_works()


async def test_each_namespace_has_events_and_acks_of_its_own(socket: SocketIO) -> None:
    await socket.connect("/custom")
    await socket.send('42/custom,5["message-with-ack","custom"]', '425["message-with-ack","main"]')
    assert set(await socket.parts(2)) == {'43/custom,5["custom"]', '435["main"]'}
    await socket.send('42/custom,["message","custom"]')
    assert await socket.packet() == '42/custom,["message-back","custom"]'
    await socket.send(f'451-/custom,6["message-with-ack",{PLACEHOLDERS[0]}]', b"custom")
    assert await socket.parts(2) == [f"461-/custom,6[{PLACEHOLDERS[0]}]", b"custom"]


@pytest.mark.parametrize("count", [1, 2, 10])
async def test_attachments_come_back_behind_their_event(socket: SocketIO, count: int) -> None:
    """10 is what the reference implementation takes at most."""
    data = [bytes(range(number, 256)) for number in range(count)]
    arguments = ",".join(PLACEHOLDERS[:count])
    await socket.send(f'45{count}-["message",{arguments}]', *data)
    assert await socket.parts(1 + count) == [f'45{count}-["message-back",{arguments}]', *data]
    await socket.send(f'45{count}-789["message-with-ack",{arguments}]', *data)
    assert await socket.parts(1 + count) == [f"46{count}-789[{arguments}]", *data]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x1e", b"42", b"x" * 300_000], ids=len)
async def test_an_attachment_may_hold_anything(socket: SocketIO, data: bytes) -> None:
    await socket.send(f'451-["message",{PLACEHOLDERS[0]}]', data)
    assert await socket.parts(2) == [f'451-["message-back",{PLACEHOLDERS[0]}]', data]


async def test_attachments_may_stand_anywhere_in_the_arguments(socket: SocketIO) -> None:
    arguments = f'{{"a":[1,{PLACEHOLDERS[0]},"x"],"b":{{"c":{PLACEHOLDERS[1]}}}}},{PLACEHOLDERS[2]},null'
    await socket.send(f'453-["message",{arguments}]', b"one", b"two", b"three")
    assert await socket.parts(4) == [f'453-["message-back",{arguments}]', b"one", b"two", b"three"]


async def test_placeholders_say_which_attachment_they_stand_for(socket: SocketIO) -> None:
    """The server numbers its own anew, in the order of the arguments."""
    zero, one = PLACEHOLDERS[:2]
    await socket.send(f'452-["message",{one},{zero}]', b"first", b"second")
    assert await socket.parts(3) == [f'452-["message-back",{zero},{one}]', b"second", b"first"]


async def test_an_attachment_that_no_placeholder_names_is_dropped(socket: SocketIO) -> None:
    await socket.send('452-["message",{"_placeholder":true,"num":1}]', b"unused", b"used")
    assert await socket.parts(2) == [f'451-["message-back",{PLACEHOLDERS[0]}]', b"used"]
    await socket.send('451-["message","none"]', b"unused")
    assert await socket.packet() == '42["message-back","none"]'


async def test_a_placeholder_in_an_event_without_attachments_is_plain_data(socket: SocketIO) -> None:
    await socket.send(f'42["message",{PLACEHOLDERS[0]}]')
    assert await socket.packet() == f'42["message-back",{PLACEHOLDERS[0]}]'


async def test_the_parts_of_a_binary_event_may_come_apart(socket: SocketIO) -> None:
    """Also with a pong between them, which is a packet of Engine.IO alone."""
    for part in (f'452-1["message-with-ack",{PLACEHOLDERS[0]},{PLACEHOLDERS[1]}]', b"one", "3", b"two"):
        await socket.send(part)
    assert await socket.parts(3) == [f"462-1[{PLACEHOLDERS[0]},{PLACEHOLDERS[1]}]", b"one", b"two"]


async def test_binary_events_and_others_keep_their_order(socket: SocketIO) -> None:
    await socket.send(
        '421["message-with-ack","before"]',
        f'451-2["message-with-ack",{PLACEHOLDERS[0]}]',
        b"one",
        f'451-3["message-with-ack",{PLACEHOLDERS[0]}]',
        b"two",
        '424["message-with-ack","after"]',
    )
    expected = ['431["before"]', f"461-2[{PLACEHOLDERS[0]}]", b"one", f"461-3[{PLACEHOLDERS[0]}]", b"two"]
    assert await socket.parts(6) == [*expected, '434["after"]']
