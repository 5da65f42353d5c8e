"""Media on its way out: encrypted where it lies, and given to the kernel many packets at a time.

One packet of a publisher is one for each receiver. With a copy, a buffer and a ``sendto`` for each, two thirds of what
that costs were neither encryption nor the kernel. Here a packet is written into the next place of a block of memory,
libsrtp encrypts it there and writes its new length into the very structure that ``sendmmsg(2)`` reads, and one call
sends them all.
"""

import ctypes
import errno
import socket
import struct
import sys
from array import array
from collections.abc import Callable
from typing import Any

from signaling.media.embedded import rtp
from signaling.media.embedded.ice_lite import Address
from signaling.media.embedded.seams import LONGEST, OVERHEAD, Cipher, place

PLACES = 128
"""Packets in a call, at most: 300 KB, which is about what the processor's nearest cache holds."""
_PLACE_BYTES = LONGEST + OVERHEAD
_HEADER_WORDS = 8
"""``struct mmsghdr`` in words of 64 bits: address, its length, buffers, their number, four that stay 0."""
_BUFFER_WORDS = 2
"""``struct iovec``: where, and how long."""
_LONGEST_BODY = LONGEST - rtp.HEADER_BYTES
_written: dict[int, Callable[..., None]] = {}
"""By the size of the body."""
_sendmmsg: Any = getattr(ctypes.CDLL(None, use_errno=True), "sendmmsg", None)
CAN_BATCH = _sendmmsg is not None and sys.byteorder == "little" and struct.calcsize("P") == 8
"""libsrtp has 32 bits for a length, where the kernel reads 64: the lower ones come first."""


class Route:
    """Where a client's packets go, as the kernel reads it."""

    def __init__(self, sending: "Outbox", address: Address) -> None:
        self.outbox = sending
        self.address = address
        self._name = array("B", _name(sending.family, address))
        self.place, self.size = self._name.buffer_info()


class Outbox:
    """Of one socket. What is ``put`` goes with the next ``flush``, or when all places are taken."""

    def __init__(self, sending: socket.socket) -> None:
        self.family = sending.family
        self._socket = sending
        self._memory = bytearray(PLACES * _PLACE_BYTES)
        self._buffers = array("Q", bytes(8 * _BUFFER_WORDS * PLACES))
        self._headers = array("Q", bytes(8 * _HEADER_WORDS * PLACES))
        begin = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        buffers, _ = self._buffers.buffer_info()
        self._first_header, _ = self._headers.buffer_info()
        self._places = []
        for number in range(PLACES):
            packet, buffer = begin + number * _PLACE_BYTES, buffers + 8 * _BUFFER_WORDS * number
            self._buffers[_BUFFER_WORDS * number] = packet
            self._headers[_HEADER_WORDS * number + 2 : _HEADER_WORDS * number + 4] = array("Q", (buffer, 1))
            self._places.append(place(packet, buffer + 8))
        self._routes: list[Route | None] = [None] * PLACES
        """Kept, so that the addresses of those in the box stay where they are."""
        self._count = 0

    def put(
        self,
        route: Route,
        cipher: Cipher,
        bits: int,
        kind: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        body: bytes,
    ) -> None:
        """Encrypt a packet (see rtp.Send) and send it soon. Dropped if it is too long."""
        number, size = self._count, len(body)
        if size > _LONGEST_BODY:
            return
        if number == PLACES:
            self.flush()
            number = 0
        write = _written.get(size) or _writer(size)
        write(self._memory, number * _PLACE_BYTES, bits, kind, sequence, timestamp, ssrc, body)
        self._buffers[_BUFFER_WORDS * number + 1] = rtp.HEADER_BYTES + size
        if cipher.protect_at(self._places[number]):
            if self._routes[number] is not route:  # a packet to the same receivers finds its places as they were
                self._headers[_HEADER_WORDS * number] = route.place
                self._headers[_HEADER_WORDS * number + 1] = route.size
                self._routes[number] = route
            self._count = number + 1

    def flush(self) -> None:
        """Send what is there, or lose it: a full buffer is what a full network is."""
        count, self._count = self._count, 0
        if not CAN_BATCH:
            for number in range(count):
                self._send_one(number)
            return
        sent, descriptor = 0, self._socket.fileno()
        while sent < count:
            at = self._first_header + 8 * _HEADER_WORDS * sent
            done = _sendmmsg(descriptor, ctypes.c_void_p(at), count - sent, socket.MSG_DONTWAIT)
            if done > 0:
                sent += done
            elif ctypes.get_errno() == errno.EAGAIN:
                return
            elif ctypes.get_errno() != errno.EINTR:
                sent += 1  # an ICMP answer to something earlier, or an address without a way

    def _send_one(self, number: int) -> None:
        route, at = self._routes[number], number * _PLACE_BYTES
        length = self._buffers[_BUFFER_WORDS * number + 1]
        try:
            if route is not None:
                self._socket.sendto(self._memory[at : at + length], route.address)
        except OSError:
            return


def _writer(size: int) -> Callable[..., None]:
    """Writes a header and a body of this size into memory: one call for both is half of what two cost."""
    return _written.setdefault(size, struct.Struct(f"!BBHII{size}s").pack_into)


def _name(family: int, address: Address) -> bytes:
    """A socket address: ``struct sockaddr_in``, or ``sockaddr_in6``."""
    host, port = address
    begin = struct.pack("=H", family) + struct.pack("!H", port)
    if family == socket.AF_INET:
        return begin + socket.inet_aton(host) + bytes(8)
    return begin + bytes(4) + socket.inet_pton(socket.AF_INET6, host.partition("%")[0]) + bytes(4)
