"""Packets of the default parser: text, and attachments in binary messages after it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.websocket import BINARY, TEXT, payloads_of
from hub.transport.socketio.packets import (
    ACK,
    CONNECT,
    DISCONNECT,
    EVENT,
    HALF_CHARACTER,
    MAX_ATTACHMENTS,
    Packet,
    decode_json,
    encode_json,
)


def read(frames: bytes) -> Packet:
    """The packet in the frames of an encoder, as a client gets it."""
    (opcode, text), *attachments = payloads_of(frames)
    assert opcode == TEXT
    assert text[:1] == b"4"
    packet = decode_json(text[1:])
    assert packet.attachments == len(attachments)
    for opcode, data in attachments:
        assert opcode == BINARY
        packet.add_attachment(data)
    assert packet.attachments == 0
    return packet


plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
leaves = plain | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
namespaces = st.sampled_from(["/", "/custom", "/a/b"])
ids = st.none() | st.integers(0, 10**15 - 1)


@settings(max_examples=150, deadline=None)
@given(namespaces, ids, st.lists(values, max_size=3))
def test_events_and_acknowledgements_are_read_as_they_were_written(
    namespace: str, ack_id: int | None, arguments: list[Any]
) -> None:
    for kind, data in ((EVENT, ["name", *arguments]), (ACK, arguments)):
        packet = read(encode_json(kind, namespace, ack_id, data))
        assert (packet.type, packet.namespace, packet.id, packet.data) == (kind, namespace, ack_id, data)


@settings(max_examples=100, deadline=None)
@given(namespaces, st.lists(st.binary(max_size=20), min_size=1, max_size=MAX_ATTACHMENTS))
def test_bytes_are_attachments_and_come_back_in_their_places(namespace: str, parts: list[bytes]) -> None:
    data = ["name", parts, {"deep": [{"er": parts[0]}]}] if len(parts) < MAX_ATTACHMENTS else ["name", *parts]
    packet = read(encode_json(EVENT, namespace, 7, data))
    assert (packet.type, packet.namespace, packet.id, packet.data) == (EVENT, namespace, 7, data)


def test_all_frames_of_a_packet_are_one_piece_with_the_text_first() -> None:
    frames = list(payloads_of(encode_json(EVENT, "/custom", 3, ["x", b"one", bytearray(b"two"), memoryview(b"three")])))
    text = (
        b'452-/custom,3["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]'
    )
    assert frames == [(TEXT, text.replace(b"452-", b"453-")), (BINARY, b"one"), (BINARY, b"two"), (BINARY, b"three")]


def test_what_is_neither_json_nor_bytes_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        encode_json(EVENT, data=["x", object()])
    with pytest.raises(TypeError):
        encode_json(EVENT, data=["x", b"bytes", object()])


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        (b"0", (CONNECT, "/", None, None)),
        (b'0{"token":"x"}', (CONNECT, "/", None, {"token": "x"})),
        (b'0/custom,{"token":"x"}', (CONNECT, "/custom", None, {"token": "x"})),
        (b"0/custom", (CONNECT, "/custom", None, None)),
        (b"0/custom?a=b,", (CONNECT, "/custom", None, None)),
        (b"1", (DISCONNECT, "/", None, None)),
        (b"1/custom,", (DISCONNECT, "/custom", None, None)),
        (b'212["x",1]', (EVENT, "/", 12, ["x", 1])),
        (b'2/custom,12["x"]', (EVENT, "/custom", 12, ["x"])),
        (b"31[]", (ACK, "/", 1, [])),
        (b'2["\\ud83d\\ude00"]', (EVENT, "/", None, ["\U0001f600"])),
    ],
)
def test_forms_of_the_protocol(text: bytes, packet: tuple[Any, ...]) -> None:
    read = decode_json(text)
    assert (read.type, read.namespace, read.id, read.data) == packet


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"7", b"9", b"x", b"-1", b"\xb2"),
        *(b"2", b'2"x"', b"2{}", b"2[]", b"2[1]", b"2[null]", b"2[[]]", b"2nonsense", b'2["x"', b'2["x"]y'),
        *(b'2["connect"]', b'2["disconnect","x"]', b'2["connect_error"]', b'2["disconnecting"]', b'2["newListener"]'),
        *(b'2["x",NaN]', b'2["x",Infinity]', b'2["x\xff"]', b'2["\\ud83d"]', b'2["x",01]'),
        *(b'2["x",1e400]', b'2["x","\xed\xa0\x80"]'),
        *(b"0[]", b"0null", b'0"x"', b"01{}x", b"1{}", b'1"x"', b"3", b"3{}", b'31"x"', b'4{"message":"x"}', b"4"),
        b'2/custom["x"]',
        b"2" + b"1" * 16 + b'["x"]',
        *(b'5["x"]', b'50-["x"]', b'511-["x"]', b'5-["x"]', b'5-1-["x"]', b'5 1-["x"]', b'5\xb2-["x"]', b'51["x"]'),
        b"6-[]",
        b'4["x"]',
    ],
)
def test_what_the_protocol_does_not_have_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode_json(text)


@pytest.mark.parametrize("num", ["-1", "2", "0.0", '"0"', "true", "null"])
def test_a_placeholder_of_no_attachment_is_refused(num: str) -> None:
    packet = decode_json(f'52-["x",{{"_placeholder":true,"num":{num}}}]'.encode())
    packet.add_attachment(b"first")
    with pytest.raises(ValueError):
        packet.add_attachment(b"second")


def test_a_placeholder_may_be_repeated_or_left_out_and_what_only_looks_like_one_is_data() -> None:
    look_alikes = '{"_placeholder":1,"num":0},{"_placeholder":"true","num":5},{"num":0}'
    packet = decode_json(
        b'52-["x",{"_placeholder":true,"num":1},[{"a":{"_placeholder":true,"num":1}}],%s]' % look_alikes.encode()
    )
    packet.add_attachment(b"first")
    packet.add_attachment(b"second")
    assert packet.data == [
        *("x", b"second", [{"a": b"second"}]),
        *({"_placeholder": 1, "num": 0}, {"_placeholder": "true", "num": 5}, {"num": 0}),
    ]


def test_without_attachments_nothing_is_a_placeholder() -> None:
    packet = decode_json(b'2["x",{"_placeholder":true,"num":0}]')
    assert packet.attachments == 0
    assert packet.data == ["x", {"_placeholder": True, "num": 0}]


@pytest.mark.parametrize("payload", ['"half \\ud83d"', '{"text":"\\ude00"}', '{"\\ud83d":1}', '["a",["\\udfff x"]]'])
def test_half_a_character_in_the_payload_leaves_the_name_to_answer_to(payload: str) -> None:
    packet = decode_json(f'217["say",{payload}]'.encode())
    assert (packet.id, packet.data) == (17, ["say", HALF_CHARACTER])


@pytest.mark.parametrize("depth", [2000, 100_000])
def test_deep_nesting_is_refused_and_not_a_crash(depth: int) -> None:
    for text in (
        b'2["x",' + b"[" * depth,
        b'2["x",' + b"[" * depth + b"]" * depth + b"]",
        b'2["x",' + b'{"a":' * depth,
    ):
        with pytest.raises(ValueError):
            decode_json(text)
