"""One client's transport: ICE, DTLS and SRTP between the sockets and its Peer."""

import time
from collections.abc import Callable
from contextlib import suppress

from aiortc import RTCCertificate

from hub.kernel.tasks import Tasks
from signaling.media.embedded import ice_lite, sockets
from signaling.media.embedded.ice_lite import Check, Credentials
from signaling.media.embedded.outbox import Route
from signaling.media.embedded.peer import Peer
from signaling.media.embedded.seams import Cipher, Handshake
from signaling.media.embedded.sockets import Way

SILENT_MS = 20_000
"""A client that checks the connection no more is gone. Browsers check every 2.5 s, aiortc every 5 s; RFC 7675 allows
30 s of silence, but a room need not wait so long."""
ANSWERED_MS = 6_000
"""An address belongs to whoever was heard within this time: as long as between two checks."""
SSRCS = 1000
"""That a client may use in a connection: two for each track it ever had. libsrtp keeps half a kilobyte for each, and
goes through the list of them for every packet."""
CONNECTING_MS = 30_000
"""Until the keys are there: as long as ICE and a handshake with losses may take."""
_DTLS = range(20, 64)
_RTP = range(128, 192)
"""First byte of a datagram, by protocol (RFC 7983)."""
_RTCP = range(192, 224)
"""Second byte (RFC 5761)."""


def monotonic_ms() -> float:
    """The time, for what lasts."""
    return time.monotonic() * 1000


class Connection:
    """A leg's connection. ``changed`` is called when it is ready, and when it has ended by itself."""

    def __init__(
        self,
        leg: str,
        user_id: str,
        certificate: RTCCertificate,
        video_bits_per_s: int,
        changed: Callable[["Connection"], None],
        routes: Callable[[Way], Route],
    ) -> None:
        self.credentials = Credentials.random()
        self.client_username = ""
        """ICE's: one that changes asks for a restart."""
        self.fingerprints: tuple[tuple[str, str], ...] = ()
        self.peer = Peer(leg, user_id, self._send_media, self._send_control, video_bits_per_s)
        self.answers = 0
        self.way: Way | None = None
        """Where it is sent to."""
        self._route: Route | None = None
        self._routes = routes
        self._handshake = Handshake(certificate, self._send_datagram, self._handshake_changed)
        self._changed = changed
        self._outgoing: Cipher | None = None
        self._ssrcs: set[bytes] = set()
        """Of packets that were decrypted."""
        self.ways: dict[Way, None] = {}
        """On which it was heard, the first at first."""
        self._heard_ms = monotonic_ms()
        self._deadline_ms = CONNECTING_MS

    @property
    def ready(self) -> bool:
        """Whether media can flow."""
        return self._outgoing is not None

    @property
    def answering(self) -> bool:
        """Whether its client was heard just now."""
        return monotonic_ms() - self._heard_ms < ANSWERED_MS

    @property
    def lost(self) -> bool:
        """Whether it has ended, or its client has fallen silent."""
        return self._handshake.closed or monotonic_ms() - self._heard_ms > self._deadline_ms

    def start(self, tasks: Tasks, fingerprints: tuple[tuple[str, str], ...]) -> None:
        """Expect a client with one of these keys."""
        self.fingerprints = fingerprints
        self._handshake.start(tasks, list(fingerprints))

    def restart_ice(self) -> None:
        """Have new credentials; the old way is used until a check with the new ones nominates another."""
        self.credentials = Credentials.random()

    async def close(self) -> None:
        """End it and tell the client. Idempotent."""
        self._outgoing = None
        with suppress(ConnectionError):
            await self._handshake.close()

    def check(self, check: Check, way: Way) -> bool:
        """A connectivity check with our username. False if it is forged: then nothing is answered."""
        answer = ice_lite.answer(check, self.credentials, way[1])
        if answer is None:
            return False
        self._heard_ms = monotonic_ms()
        sockets.send(way, answer.data)
        # The handshake may begin on the first address that is proven; the client nominates the best one later.
        if (answer.nominated or self.way is None) and way != self.way:
            self.way, self._route = way, self._routes(way)
        return True

    def datagram(self, data: bytes, now_ms: float) -> None:
        """Anything but a check, from an address that a check has proven."""
        kind = data[0]
        if kind in _RTP:
            incoming = self._handshake.incoming
            if incoming is None or len(data) < 2:
                return
            is_control = data[1] in _RTCP
            ssrc = data[4:8] if is_control else data[8:12]
            if ssrc not in self._ssrcs and len(self._ssrcs) >= SSRCS:
                return
            plain = incoming.unprotect_control(data) if is_control else incoming.unprotect(data)
            if plain is not None:
                self._ssrcs.add(ssrc)
                (self.peer.control if is_control else self.peer.packet)(plain, now_ms)
        elif kind in _DTLS:
            self._handshake.datagram(data)

    def _handshake_changed(self) -> None:
        self._outgoing = self._handshake.outgoing
        self._deadline_ms = SILENT_MS
        if self.ready:
            self.peer.reached(monotonic_ms())
        self._changed(self)

    def _send_media(self, bits: int, kind: int, sequence: int, timestamp: int, ssrc: int, body: bytes) -> None:
        outgoing, route = self._outgoing, self._route
        if outgoing is not None and route is not None:
            route.outbox.put(route, outgoing, bits, kind, sequence, timestamp, ssrc, body)

    def _send_control(self, data: bytes) -> None:
        outgoing, way = self._outgoing, self.way
        if outgoing is not None and way is not None:
            encrypted = outgoing.protect_control(data)
            if encrypted is not None:
                sockets.send(way, encrypted)

    def _send_datagram(self, data: bytes) -> None:
        if self.way is not None:
            sockets.send(self.way, data)
