"""Events become packets of their class: messages, volatile ones, and full states of which the newest matter."""

from typing import Any

import orjson
import pytest

from hub.kernel.wire import LATEST
from hub.transport.deliveries import packets_of
from hub.transport.engineio.outbox import Backlog, Latest, Volatile
from hub.transport.engineio.websocket import payloads_of
from hub.transport.socketio.codecs import JSON, MSGPACK, Codec
from hub.transport.socketio.packets import decode_json, decode_msgpack
from hub.transport.socketio.rooms import CODECS
from presence.schema import PresenceDiff

DIFF = PresenceDiff.event


def state(user: str, version: int, **more: Any) -> dict[str, Any]:
    return {"userId": user, "version": version, **more}


def diff(*states: dict[str, Any]) -> dict[str, Any]:
    return {"users": list(states)}


def arguments(packet: bytes, codec: Codec) -> Any:
    """The event in a packet, as a client reads it."""
    [(_, data)] = payloads_of(packet)
    return (decode_json(data[1:]) if codec is JSON else decode_msgpack(data)).data


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_an_event_is_a_message_unless_something_says_otherwise(codec: Codec) -> None:
    packet = packets_of("message:new", {"text": "hello"}, volatile=False)(codec)
    assert type(packet) is bytes
    assert arguments(packet, codec) == ["message:new", {"text": "hello"}]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_what_is_emitted_as_volatile_is_volatile_and_reads_the_same(codec: Codec) -> None:
    packet = packets_of("typing", {"on": True}, volatile=True)(codec)
    assert isinstance(packet, Volatile)
    assert arguments(packet, codec) == ["typing", {"on": True}]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_events_of_full_states_are_known_by_their_name(codec: Codec) -> None:
    assert DIFF in LATEST
    packet = packets_of(DIFF, diff(state("a", 1), state("b", 2)), volatile=False)(codec)
    assert isinstance(packet, Latest)
    assert set(packet.states) == {"a", "b"}
    assert arguments(packet, codec) == [DIFF, diff(state("a", 1), state("b", 2))]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_what_waits_of_full_states_is_one_event_with_the_newest_of_each(codec: Codec) -> None:
    waiting = Backlog()
    for payload in (
        diff(state("a", 3, status="away"), state("b", 1)),
        diff(state("a", 2, status="online")),
        diff(state("b", 2), state("c", 1)),
    ):
        waiting.add([packets_of(DIFF, payload, volatile=False)(codec)], keeps_volatile=False)
    [packet] = waiting.take()
    assert type(packet) is bytes
    assert arguments(packet, codec) == [DIFF, diff(state("a", 3, status="away"), state("b", 2), state("c", 1))]


def test_a_client_that_was_sent_a_state_is_sent_the_same_bytes_as_all() -> None:
    packets = packets_of(DIFF, diff(state("a", 1)), volatile=False)
    assert packets(JSON) is packets(JSON)
    assert packets(MSGPACK) is packets(MSGPACK)
    assert bytes(packets(JSON)).endswith(orjson.dumps([DIFF, diff(state("a", 1))]))
