"""Everything that we use of aiortc and pylibsrtp beyond their public interface, in one place.

aiortc's DTLS transport makes the handshake and the keys; what comes after goes past its receive loop, because that has
a queue, a task switch and a parser for each packet, and closes the connection on any exception of a handler.
Their versions are pinned; ``tests/contract/signaling/test_media_seams.py`` fails when a name moves.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceTransport
from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found] # compiled

from hub.kernel.tasks import Tasks

WAITING = 64
"""Datagrams of a handshake that wait, at most: a flight has less than ten."""
LONGEST = 2048
"""Bytes of a datagram, with what encryption adds."""
OVERHEAD = 160
"""libsrtp's bound of what encryption adds."""


class Place(NamedTuple):
    """A packet in memory, as libsrtp takes it; OVERHEAD bytes behind it are free."""

    packet: Any
    length: Any
    """Of 32 bits: before and after encryption."""


def place(packet: int, length: int) -> Place:
    """The place at these two addresses. Whoever has the memory keeps it."""
    return Place(ffi.cast("char *", packet), ffi.cast("int *", length))


class Cipher:
    """Encrypts, or decrypts, the packets of one side of a connection, in a buffer of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session  # owns the C object
        self._srtp = session._srtp[0]
        self._cdata = ffi.new("char[]", LONGEST + OVERHEAD)
        self._buffer = ffi.buffer(self._cdata)
        self._view = memoryview(self._buffer)
        self._length = ffi.new("int *")

    def protect_at(self, place: Place) -> bool:
        """Encrypt a packet where it lies. False for one that cannot be."""
        return not lib.srtp_protect(self._srtp, place.packet, place.length)

    def unprotect(self, data: bytes) -> bytes | None:
        """The packet in plain; None for a forged, repeated or broken one."""
        return self._undone(lib.srtp_unprotect, data)

    def protect_control(self, data: bytes) -> memoryview | None:
        """The RTCP packet encrypted, valid until the next call; None for one that cannot be."""
        if len(data) > LONGEST:
            return None
        self._buffer[0 : len(data)] = data
        self._length[0] = len(data)
        if lib.srtp_protect_rtcp(self._srtp, self._cdata, self._length):
            return None
        return self._view[: self._length[0]]

    def unprotect_control(self, data: bytes) -> bytes | None:
        """As ``unprotect``, for RTCP."""
        return self._undone(lib.srtp_unprotect_rtcp, data)

    def _undone(self, function: Callable[..., int], data: bytes) -> bytes | None:
        if len(data) > LONGEST:
            return None
        self._buffer[0 : len(data)] = data
        self._length[0] = len(data)
        if function(self._srtp, self._cdata, self._length):
            return None
        plain: bytes = self._buffer[0 : self._length[0]]
        return plain


class Handshake:
    """DTLS as the server of it, over a way to send datagrams; then the two ciphers.

    ``changed`` is called when the keys are there, and once more when the connection is over (``closed``).
    """

    def __init__(self, certificate: RTCCertificate, send: Callable[[bytes], None], changed: Callable[[], None]) -> None:
        self._ice = _Datagrams(send)
        self._changed = changed
        self._dtls = RTCDtlsTransport(cast("RTCIceTransport", self._ice), [certificate])
        self._dtls._set_role("server")
        self._dtls.on("statechange", self._state)
        self.incoming: Cipher | None = None
        self.outgoing: Cipher | None = None
        self.closed = False

    def start(self, tasks: Tasks, fingerprints: list[tuple[str, str]]) -> None:
        """Wait for the client's first datagram. It must have the key of one of these: algorithm and value."""
        listed = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in fingerprints]
        tasks.start(self._dtls.start(RTCDtlsParameters(listed, "client")), name="media handshake")

    def datagram(self, data: bytes) -> None:
        """A datagram of DTLS came."""
        self._ice.put(data)

    async def close(self) -> None:
        """End the connection and tell the client. Idempotent."""
        self._ice.end()
        await self._dtls.stop()

    def _state(self) -> None:
        if self._dtls.state == "connected":
            self.incoming, self.outgoing = Cipher(self._dtls._rx_srtp), Cipher(self._dtls._tx_srtp)
            self._changed()
        elif self._dtls.state in ("closed", "failed") and not self.closed:
            self.closed = True
            self.outgoing = None
            self._changed()


class _Datagrams:
    """What aiortc's DTLS transport takes for an ICE transport."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_now = send
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)

    def put(self, data: bytes) -> None:
        if not self._queue.full():
            self._queue.put_nowait(data)

    def end(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            self._queue.put_nowait(None)
            raise ConnectionError("closed")
        return data

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


def certificate() -> tuple[RTCCertificate, str]:
    """A new certificate and its SHA-256 fingerprint, for all connections of a process."""
    made: Any = RTCCertificate.generateCertificate()
    fingerprint = next(one.value for one in made.getFingerprints() if one.algorithm == "sha-256")
    return made, fingerprint
