"""Packets of socket.io-msgpack-parser: one binary message each."""

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.websocket import BINARY, payloads_of
from hub.transport.socketio.packets import ACK, CONNECT, DISCONNECT, EVENT, Packet, decode_msgpack, encode_msgpack

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
leaves = st.none() | st.booleans() | numbers | st.binary(max_size=8) | keys
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
namespaces = st.sampled_from(["/", "/custom"])
ids = st.none() | st.integers(0, 10**15 - 1)


def read(frames: bytes) -> Packet:
    [(opcode, data)] = payloads_of(frames)
    assert opcode == BINARY
    return decode_msgpack(data)


@settings(max_examples=150, deadline=None)
@given(namespaces, ids, st.lists(values, max_size=3))
def test_events_and_acknowledgements_are_read_as_they_were_written(
    namespace: str, ack_id: int | None, arguments: list[Any]
) -> None:
    for kind, data in ((EVENT, ["name", *arguments]), (ACK, arguments)):
        packet = read(encode_msgpack(kind, namespace, ack_id, data))
        assert (packet.type, packet.namespace, packet.id, packet.data) == (kind, namespace, ack_id, data)
        assert packet.attachments == 0


def test_another_library_reads_what_is_written_and_an_id_only_where_there_is_one() -> None:
    [(_, data)] = payloads_of(encode_msgpack(EVENT, "/", 5, ["x", b"bytes", {"a": 1}]))
    assert msgpack.unpackb(data) == {"type": 2, "nsp": "/", "id": 5, "data": ["x", b"bytes", {"a": 1}]}
    [(_, data)] = payloads_of(encode_msgpack(CONNECT, "/custom", None, {"sid": "s"}))
    assert msgpack.unpackb(data) == {"type": 0, "nsp": "/custom", "data": {"sid": "s"}}


UNDEFINED = msgpack.ExtType(0, b"\0")
"""What notepack, the encoder of browsers, makes of `undefined`."""


@pytest.mark.parametrize(
    ("fields", "packet"),
    [
        ({"type": 0, "nsp": "/"}, (CONNECT, "/", None, None)),
        ({"type": 0, "nsp": "/", "data": UNDEFINED}, (CONNECT, "/", None, None)),
        ({"type": 0, "nsp": "/custom?a=b", "data": {"token": "x"}}, (CONNECT, "/custom", None, {"token": "x"})),
        ({"type": 0}, (CONNECT, "/", None, None)),
        ({"type": 1, "nsp": "/", "data": None, "options": {"compress": True}}, (DISCONNECT, "/", None, None)),
        ({"type": 2, "nsp": "/", "id": UNDEFINED, "data": ["x", UNDEFINED]}, (EVENT, "/", None, ["x", None])),
        ({"type": 3, "nsp": "/", "id": 0, "data": []}, (ACK, "/", 0, [])),
    ],
)
def test_forms_of_the_parser(fields: dict[str, Any], packet: tuple[Any, ...]) -> None:
    read = decode_msgpack(msgpack.packb(fields))
    assert (read.type, read.namespace, read.id, read.data) == packet


NO_PACKETS: list[Any] = [[], 1, "text", None, {}, {"type": None}, {"type": True}, {"type": "2"}, {"type": 2.0}]
NO_TYPES = [-1, 5, 6, 7, 4]
"""The last one, CONNECT_ERROR, is for servers."""
NO_NAMESPACES: list[Any] = [None, 1, b"/", ["/"]]
NO_EVENTS: list[Any] = [None, [], {}, "x", [1], [b"x"], ["connect"], ["x", msgpack.ExtType(1, b"x")]]
NO_IDS: list[Any] = [-1, 10**15, 1.0, True, "1", []]


@pytest.mark.parametrize(
    "packet",
    [
        *NO_PACKETS,
        *({"type": kind, "nsp": "/", "data": {"message": "x"}} for kind in NO_TYPES),
        *({"type": 2, "nsp": namespace, "data": ["x"]} for namespace in NO_NAMESPACES),
        *({"type": 2, "nsp": "/", "data": data} for data in NO_EVENTS),
        *({"type": 2, "nsp": "/", "data": ["x"], "id": ack_id} for ack_id in NO_IDS),
        {"type": 0, "nsp": "/", "data": ["a list"]},
        {"type": 1, "nsp": "/", "data": ["something"]},
        {"type": 3, "nsp": "/", "id": 1, "data": {"no": "list"}},
    ],
)
def test_what_the_protocol_does_not_have_is_refused(packet: Any) -> None:
    with pytest.raises(ValueError):
        decode_msgpack(msgpack.packb(packet))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        msgpack.packb({"type": 1, "nsp": "/"}) + b"more",
        b"\x81\x80\x01",
        b"\x81\xa4type\xd9\x02\xff\xff",
        b"\x91" * 5000 + b"\xc0",
        b"\x81\xa1a" * 5000 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
    ids=lambda data: repr(data[:9]),
)
def test_what_is_no_messagepack_is_refused_and_not_a_crash(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_msgpack(data)


def test_what_messagepack_has_not_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        encode_msgpack(EVENT, data=["x", object()])
