"""RTCP packets: what a media server reads and writes of them. Without I/O.

aiortc has the same, but its NACKs break where sequence numbers wrap, and it reads nothing of a compound packet of which
one part is broken. Sources: RFC 3550, section 6.4; RFC 4585; RFC 5104 (FIR); draft-alvestrand-rmcat-remb.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from signaling.media.embedded.reception import Block

SENDER_REPORT = 200
RECEIVER_REPORT = 201
DESCRIPTION = 202
BYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206
_NACK, _PLI, _FIR, _APPLICATION = 1, 1, 4, 15
_CNAME = 1
BLOCKS = 31
"""Report blocks in a packet, at most: the count has five bits."""
ASKED = 16 * 17
"""Numbers in a NACK that is read, at most. What is lost beyond it is asked for in the next."""

_head = struct.Struct("!BBH")
_ssrc = struct.Struct("!I")
_block = struct.Struct("!II4I")
_sender = struct.Struct("!IQIII")
_feedback = struct.Struct("!II")
_lost = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class SenderReport:
    """How the clock of a stream stands to the sender's."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets of ``ssrc`` to send again: sequence numbers of 16 bits."""

    ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFrameWanted:
    """A receiver cannot go on without a key frame: PLI or FIR."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Remb:
    """What a receiver can take in, of all streams together, in bits per second."""

    bits_per_s: int


@dataclass(frozen=True, slots=True)
class Bye:
    """Streams that end."""

    ssrcs: tuple[int, ...]


Report = SenderReport | Block | Nack | KeyFrameWanted | Remb | Bye


def parse(data: bytes) -> Iterator[Report]:
    """What a compound packet says, as far as it can be read. What is unknown or broken is left out; raises nothing."""
    at = 0
    while at + 4 <= len(data):
        bits, kind, words = _head.unpack_from(data, at)
        end = at + 4 + 4 * words
        if bits >> 6 != 2 or end > len(data):
            return
        body = data[at + 4 : end]
        if bits & 0x20 and body:
            body = body[: max(len(body) - body[-1], 0)]
        yield from _read(kind, bits & 31, body)
        at = end


def _read(kind: int, count: int, body: bytes) -> Iterator[Report]:
    if kind == SENDER_REPORT and len(body) >= _sender.size:
        yield SenderReport(*_sender.unpack_from(body))
        yield from _blocks(body[_sender.size :], count)
    elif kind == RECEIVER_REPORT:
        yield from _blocks(body[_ssrc.size :], count)
    elif kind == BYE:
        size = min(count, len(body) // 4) * 4
        yield Bye(tuple(one for (one,) in _ssrc.iter_unpack(body[:size])))
    elif kind in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK) and len(body) >= _feedback.size:
        _, media = _feedback.unpack_from(body)
        detail = body[_feedback.size :]
        if kind == TRANSPORT_FEEDBACK:
            if count == _NACK:
                yield Nack(media, tuple(_numbers(detail)))
        elif count == _PLI:
            yield KeyFrameWanted(media)
        elif count == _FIR:
            for at in range(0, len(detail) - 7, 8):
                yield KeyFrameWanted(*_ssrc.unpack_from(detail, at))
        elif count == _APPLICATION and detail[:4] == b"REMB" and len(detail) >= 8:
            mantissa = (detail[5] & 3) << 16 | detail[6] << 8 | detail[7]
            yield Remb(mantissa << (detail[5] >> 2))


def _blocks(data: bytes, count: int) -> Iterator[Block]:
    for at in range(0, min(count, len(data) // _block.size) * _block.size, _block.size):
        ssrc, lost, highest, jitter, last, delay = _block.unpack_from(data, at)
        total = lost & 0xFFFFFF
        yield Block(ssrc, lost >> 24, total - (total >> 23 << 24), highest, jitter, last, delay)


def _numbers(detail: bytes) -> Iterator[int]:
    for at in range(0, min(len(detail) // 4 * 4, ASKED // 17 * 4), 4):
        first, more = _lost.unpack_from(detail, at)
        yield first
        for bit in range(16):
            if more >> bit & 1:
                yield first + bit + 1 & 0xFFFF


def sender_report(ssrc: int, ntp: int, timestamp: int, packets: int, octets: int) -> bytes:
    """The report of one stream that we send. Counts wrap."""
    body = _sender.pack(ssrc, ntp, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    return _packet(SENDER_REPORT, 0, body)


def receiver_report(ssrc: int, blocks: Iterable[Block]) -> bytes:
    """Reports of streams that we get, in as many packets as they need. ``ssrc`` is ours."""
    listed = list(blocks)
    parts = [listed[at : at + BLOCKS] for at in range(0, len(listed), BLOCKS)] or [[]]
    packets = []
    for part in parts:
        written = b"".join(
            _block.pack(one.ssrc, one.fraction_lost << 24 | one.packets_lost & 0xFFFFFF, *one[3:]) for one in part
        )
        packets.append(_packet(RECEIVER_REPORT, len(part), _ssrc.pack(ssrc) + written))
    return b"".join(packets)


def description(ssrc: int, cname: str) -> bytes:
    """Who sends: streams of one ``cname`` are played together."""
    name = cname.encode()[:255]
    chunk = _ssrc.pack(ssrc) + bytes([_CNAME, len(name)]) + name
    return _packet(DESCRIPTION, 1, chunk + bytes(4 - len(chunk) % 4))


def nack(ssrc: int, media: int, lost: Iterable[int]) -> bytes:
    """Ask for packets again. ``lost`` are extended numbers, lowest first."""
    pairs: list[list[int]] = []
    for number in lost:
        if pairs and 0 < number - pairs[-1][0] <= 16:
            pairs[-1][1] |= 1 << number - pairs[-1][0] - 1
        else:
            pairs.append([number, 0])
    detail = b"".join(_lost.pack(number & 0xFFFF, more) for number, more in pairs)
    return _packet(TRANSPORT_FEEDBACK, _NACK, _feedback.pack(ssrc, media) + detail)


def key_frame_wanted(ssrc: int, media: int) -> bytes:
    """Ask for a key frame (PLI)."""
    return _packet(PAYLOAD_FEEDBACK, _PLI, _feedback.pack(ssrc, media))


def remb(ssrc: int, bits_per_s: int, media: Iterable[int]) -> bytes:
    """Tell how much we take in of these streams together."""
    streams = list(media)[:255]
    exponent = max(bits_per_s.bit_length() - 18, 0)
    mantissa = bits_per_s >> exponent
    detail = b"REMB" + bytes([len(streams), exponent << 2 | mantissa >> 16]) + struct.pack("!H", mantissa & 0xFFFF)
    return _packet(
        PAYLOAD_FEEDBACK, _APPLICATION, _feedback.pack(ssrc, 0) + detail + b"".join(map(_ssrc.pack, streams))
    )


def bye(ssrcs: Iterable[int]) -> bytes:
    """Streams that we send no more."""
    ended = list(ssrcs)[:BLOCKS]
    return _packet(BYE, len(ended), b"".join(map(_ssrc.pack, ended)))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _head.pack(2 << 6 | count, kind, len(body) // 4) + body
