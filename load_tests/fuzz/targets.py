"""What the transport's decoders promise of any bytes: a result or a declared error, and the same however they come.

A check gives the outcome of an input: "taken", or why it was refused. It raises Broken where a promise is, and
whatever a decoder raises that it does not declare.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.packets import MAX_PACKETS_A_POST, decode_payload, encode_payload
from hub.transport.engineio.websocket import BINARY, CloseCode, FrameReader, ProtocolError, frame, payloads_of
from hub.transport.socketio.packets import (
    HALF_CHARACTER,
    MAX_ACK_DIGITS,
    MAX_ATTACHMENTS,
    Packet,
    decode_json,
    decode_msgpack,
    encode_json,
    encode_msgpack,
)
from load_tests.fuzz.mutation import cut
from load_tests.fuzz.seeds import ATTACHMENTS, HEADS, JSON_PACKETS, MSGPACK_PACKETS, PAYLOADS, STREAMS, TOKENS
from tests.support.raw_websocket import encode_frame

TAKEN = "taken"
LIMITS = (300, 70_000)
"""Bytes of the longest message: one that short inputs pass, and one above the longest in the seeds."""
DEEPEST_WRITTEN = 250
"""orjson reads 1024 arrays in one another, and writes 254."""
BYTE_BY_BYTE = 500
"""Pieces at most, so that nearly every input is cut at each of its bytes now and then."""


class Broken(AssertionError):
    """A decoder does not keep a promise."""


def expect(kept: bool, promise: str) -> None:
    """Raises Broken, naming the promise, unless it is kept."""
    if not kept:
        raise Broken(promise)


@dataclass(frozen=True)
class Target:
    """A decoder, valid inputs to begin with, and the check of one input."""

    name: str
    seeds: Sequence[bytes]
    tokens: Sequence[bytes]
    check: Callable[[bytes, Random], str]


# ---------------------------------------------------------------- WebSocket frames

Messages = list[tuple[int, bytes]]


def read_frames(pieces: Iterable[bytes], limit: int, *, at_the_end: bool = False) -> tuple[Messages, str]:
    """What a reader makes of the pieces, read after each of them or after the last, and the outcome."""
    reader, messages = FrameReader(limit), Messages()
    try:
        for piece in pieces:
            reader.receive(piece)
            if not at_the_end:
                messages += _messages(reader)
        messages += _messages(reader)
    except _Refused as refused:
        return messages + refused.before, f"refused {refused.code}"
    return messages, TAKEN


class _Refused(Exception):
    def __init__(self, before: Messages, code: int) -> None:
        super().__init__()
        self.before, self.code = before, code


def _messages(reader: FrameReader) -> Messages:
    messages = Messages()
    try:
        while (message := reader.next_message()) is not None:
            messages.append((message[0], bytes(message[1])))
    except ProtocolError as error:
        raise _Refused(messages, error.code) from None
    return messages


def check_frames(data: bytes, random: Random) -> str:
    """The same messages and the same refusal however the bytes are cut; no message is too long; all can be re-read."""
    limit = random.choice(LIMITS)
    result = messages, outcome = read_frames([data], limit)
    pieces = cut(random, data, random.choice((2, 4, 16)) if random.randrange(8) else BYTE_BY_BYTE)
    again = read_frames(pieces, limit, at_the_end=not random.randrange(4))
    expect(again == result, "the same however the bytes are cut, and whenever they are read")
    expect(all(len(payload) <= limit for _, payload in messages), "within the limit")
    codes = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.TOO_BIG)
    expect(outcome in (TAKEN, *(f"refused {code}" for code in codes)), "a close code for a violation")
    written = b"".join(encode_frame(payload, opcode, mask=random.randbytes(4)) for opcode, payload in messages)
    expect(read_frames([written], limit) == (messages, TAKEN), "what was read can be written and read again")
    framed = b"".join(frame(payload, opcode) for opcode, payload in messages)
    expect(list(payloads_of(framed)) == messages, "as frames of ours as well")
    return outcome


# ---------------------------------------------------------------- Engine.IO payloads


def check_payload(data: bytes, _random: Random) -> str:
    """A list of packets, bounded, that can be encoded and decoded again; or a ProtocolError."""
    try:
        messages = decode_payload(data)
    except ProtocolError as error:
        return f"refused {error.code}"
    expect(1 <= len(messages) <= MAX_PACKETS_A_POST, "a bounded number of packets")
    expect(sum(len(payload) for _, payload in messages) <= len(data), "no more than came")
    again = encode_payload(frame(bytes(payload), opcode) for opcode, payload in messages)
    expect(decode_payload(again) == messages, "what was decoded can be encoded and decoded again")
    return TAKEN


# ---------------------------------------------------------------- Socket.IO packets


def check_json(data: bytes, random: Random) -> str:
    """A packet within its bounds that can be encoded and decoded again, with its attachments; or a ValueError."""
    try:
        packet = _with_attachments(decode_json(data), [random.choice(ATTACHMENTS) for _ in range(MAX_ATTACHMENTS)])
    except ValueError:
        return "refused"
    _check_packet(packet)
    expect(packet.namespace.startswith("/"), "a namespace")
    if isinstance(packet.data, list) and packet.data[1:] == [HALF_CHARACTER]:
        expect(b"\\ud" in data.lower(), "half a character only where one is written so")
        data.decode()  # a ValueError here is a promise broken as well
        return "half a character"
    try:
        encoded = encode_json(packet.type, packet.namespace, packet.id, packet.data)
    except TypeError:
        expect(_depth(packet.data) > DEEPEST_WRITTEN, "what was decoded can be encoded")
        return "too deep to be written"
    (_, text), *rest = payloads_of(encoded)
    again = _with_attachments(decode_json(text[1:]), [part for _, part in rest])
    expect(_fields(again) == _fields(packet), "what was decoded can be encoded and decoded again")
    return TAKEN


def _with_attachments(packet: Packet, parts: Sequence[bytes]) -> Packet:
    expect(0 <= packet.attachments <= MAX_ATTACHMENTS, "a bounded number of attachments")
    try:
        for part in parts[: packet.attachments]:
            packet.add_attachment(part)
    except RecursionError:  # hub.transport.socketio.client refuses that as well
        raise ValueError("nested too deeply") from None
    return packet


def check_msgpack(data: bytes, _random: Random) -> str:
    """A packet within its bounds that can be encoded and decoded again; or a ValueError."""
    try:
        packet = decode_msgpack(data)
    except ValueError:
        return "refused"
    _check_packet(packet)
    encoded = encode_msgpack(packet.type, packet.namespace, packet.id, packet.data)
    ((opcode, payload),) = payloads_of(encoded)
    expect(opcode == BINARY, "a binary message")
    again = decode_msgpack(payload)
    encoded_again = encode_msgpack(again.type, again.namespace, again.id, again.data)  # NaN is not equal to itself
    expect(encoded_again == encoded, "what was decoded can be encoded and decoded again")
    return TAKEN


def _check_packet(packet: Packet) -> None:
    expect(packet.id is None or 0 <= packet.id < 10**MAX_ACK_DIGITS, "an id that is a number in JavaScript")


def _depth(value: object) -> int:
    """How many arrays and objects there are one in another, at most."""
    deepest, level = 0, [value]
    while level:
        items = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        deepest += bool(items)
        level = [item for some in items for item in some]
    return deepest


def _fields(packet: Packet) -> tuple[object, ...]:
    return packet.type, packet.namespace, packet.id, packet.data


# ---------------------------------------------------------------- handshakes


def check_handshake(data: bytes, _random: Random) -> str:
    """A head, and an answer that is one whole HTTP head or none; or a ProtocolError."""
    try:
        head = RequestHead(data)
    except ProtocolError:
        return "refused"
    answer = head.websocket_answer()
    if answer is None:
        return "no handshake"
    expect(answer.startswith(b"HTTP/1.1 101 ") and answer.find(b"\r\n\r\n") == len(answer) - 4, "one HTTP head")
    return TAKEN


TARGETS = (
    Target("frames", STREAMS, TOKENS["frames"], check_frames),
    Target("payloads", PAYLOADS, TOKENS["payloads"], check_payload),
    Target("json packets", JSON_PACKETS, TOKENS["json packets"], check_json),
    Target("msgpack packets", MSGPACK_PACKETS, TOKENS["msgpack packets"], check_msgpack),
    Target("handshakes", HEADS, TOKENS["handshakes"], check_handshake),
)
