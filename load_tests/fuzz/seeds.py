"""Valid inputs of the transport's decoders, from which the fuzzer makes its own, and words to put into them."""

from random import Random

import msgspec

from tests.support.raw_websocket import Opcode, close_payload, encode_frame, handshake

SEPARATOR = b"\x1e"
LIGHT_SEEDS = 2_000
"""For each that takes milliseconds, so that most of the time goes into many small inputs."""
ATTACHMENTS = (b"", b"\x00", b"4", b"\xff" * 20)

TEXTS = (
    b"",
    b"2",
    b"3",
    b"4hello",
    b'42["message",1]',
    "4größer 漢字 👋".encode(),
    b"x" * 125,
    b"y" * 126,
    b"4" * 300,
    b"4" * 301,
)


def _stream(random: Random) -> bytes:
    """A few frames of every kind, in an order that is allowed."""
    frames = []
    for _ in range(random.randrange(1, 5)):
        text, opcode = random.choice(TEXTS), random.choice((Opcode.TEXT, Opcode.TEXT, Opcode.BINARY))
        if random.randrange(2):
            frames.append(encode_frame(text, opcode, mask=random.randbytes(4)))
            continue
        place = random.randrange(len(text) + 1)
        frames.append(encode_frame(text[:place], opcode, fin=False))
        if random.randrange(2):
            frames.append(encode_frame(text[:20], random.choice((Opcode.PING, Opcode.PONG))))
        frames.append(encode_frame(text[place:], Opcode.CONTINUATION))
    if not random.randrange(4):
        frames.append(encode_frame(close_payload(random.choice((1000, 1001, 3000, 4999)), "bye"), Opcode.CLOSE))
    return b"".join(frames)


_RANDOM = Random("streams")
STREAMS = [
    *(_stream(_RANDOM) for _ in range(LIGHT_SEEDS)),
    encode_frame(b"4" + b"long" * 16_500),
    encode_frame(b"\xff" * 66_000, Opcode.BINARY)[:-1],
]

_PACKETS = (b"2", b"3", b"4", b"1", b"5", b"6", b"4hello", "4ü👋".encode(), b"b", b"bAQIDBA==", b"b/+8=", b'42["m",1]')
PAYLOADS = [
    *_PACKETS,
    *(SEPARATOR.join(_RANDOM.choices(_PACKETS, k=_RANDOM.randrange(2, 9))) for _ in range(LIGHT_SEEDS)),
    SEPARATOR.join([b"3"] * 9_999),
]

_ZERO, _ONE = (b'{"_placeholder":true,"num":%d}' % number for number in range(2))
JSON_PACKETS = [
    b"0",
    b'0{"token":"123"}',
    b"0/custom,",
    b'0/custom,{"a":[1,null]}',
    b"0/custom",
    b"1",
    b"1/custom,",
    b'2["message"]',
    b'2["message",1,"2",{"3":[true,false,null,-0.5e-7]}]',
    b'213["message","\\u00fc\\ud83d\\udc4b"]',
    b'2["message","half \\ud83d"]',
    b'2/custom,999999999999999["message",{"a":{"b":[[[]]]}}]',
    '2["message","größer 漢字 👋"]'.encode(),
    b"3[]",
    b'312["answer",18446744073709551615,1e308]',
    b"3/custom,0[null]",
    b'51-["message",%b]' % _ZERO,
    b'52-/custom,7["message",{"a":[%b]},%b]' % (_ONE, _ZERO),
    b'510-["message",%b,%b]' % (_ZERO, _ZERO),
    b"61-12[%b]" % _ZERO,
    b"62-/custom,0[%b,%b]" % (_ZERO, _ONE),
    *(b'2["message",' + b"[" * depth + b"]" * depth + b"]" for depth in (250, 300, 900)),
]

_pack = msgspec.msgpack.Encoder().encode
MSGPACK_PACKETS = [
    _pack(packet)
    for packet in (
        {"type": 0, "nsp": "/"},
        {"type": 0, "nsp": "/custom", "data": {"token": "123"}},
        {"type": 1, "nsp": "/"},
        {"type": 2, "nsp": "/", "data": ["message", 1, -1.5, None, True, b"\x00\xff", {"a": [[]]}]},
        {"type": 2, "nsp": "/custom", "id": 999_999_999_999_999, "data": ["message", "ü👋", 2**64 - 1, -(2**63)]},
        {"type": 3, "nsp": "/", "id": 0, "data": []},
        {"type": 3, "nsp": "/", "id": 12, "data": [{str(number): number for number in range(20)}]},
        {"type": 2, "nsp": "/", "data": ["message", msgspec.msgpack.Ext(0, b"\x00")]},
    )
]

HEADS = [
    handshake("/socket.io/?EIO=4&transport=websocket").removesuffix(b"\r\n\r\n"),
    handshake("/socket.io/?EIO=4&transport=websocket&sid=AAAA%20&t=1", Cookie="a=b", Origin="http://x").removesuffix(
        b"\r\n\r\n"
    ),
    handshake("/engine.io/", Connection="keep-alive, Upgrade", Sec_WebSocket_Version="8").removesuffix(b"\r\n\r\n"),
]

TOKENS = {
    "frames": (
        b"\x81\x80",
        b"\x01\x80",
        b"\x80\x80",
        b"\x89\x80",
        b"\x88\x82",
        b"\x81\xfe\x00\x7d",
        b"\x81\xff" + bytes(8),
        b"\xff" * 8,
    ),
    "payloads": (SEPARATOR, b"b", b"=", b"4", b"2probe", b"\xff", b"bAA==", b"\x1eb"),
    "json packets": (
        b"/",
        b",",
        b"-",
        b"?",
        b"[",
        b"{",
        b"]",
        b"\\ud83d",
        b'"_placeholder":true',
        b'"num":-1',
        b"1e999",
        b"NaN",
        b"10",
        b"\xef\xbb\xbf",
        b'"connect"',
    ),
    "msgpack packets": (
        b"\xc1",
        b"\xc0",
        b"\x90",
        b"\x80",
        b"\xdf\xff\xff\xff\xff",
        b"\xc7\x08\xff" + bytes(8),
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xcb\x7f\xf8" + bytes(6),
        b"\xa4type",
    ),
    "handshakes": (b"\r\n", b"\n", b":", b" ", b"%", b"?", b"&", b"=", b"websocket", b"HTTP/1.1", b"Upgrade"),
}
