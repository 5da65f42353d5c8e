"""What leaves: one write per session and loop turn, and what becomes of it when a client does not keep up.

Every outbound byte of a session goes through its ``outbox``, so the order of events is the order of the calls, by
construction. At the end of the turn :class:`Outboxes` gives each outbox to its session's transport. What the transport
cannot take then waits in a :class:`Backlog`, by the class of each packet.
"""

import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

MAX_HELD_BYTES: Final = 1 << 20
"""What is kept for a client that does not read, in user space. Then it is cut, and comes back when it reads again."""
WRITE_BUFFER_BYTES: Final = 64 << 10
"""Above this in its buffer a WebSocket counts as one whose client does not keep up: a second of a slow link."""
VOLATILE_BYTES: Final = 16 << 10
"""Between two polls nothing can be written. Volatile packets wait for the next one as long as this little waits."""
SLICE_S: Final = 0.008
"""Longest stretch of writes in one turn. A write takes 4 µs, so a room of 2000 goes in one slice; larger ones would
keep everything else waiting."""
CLOCK_EVERY: Final = 64
"""Writes between two looks at the clock, which costs as much as a tenth of a write."""


class Volatile(bytes):
    """A packet that is worth nothing later (typing, cursors): dropped when its client does not keep up."""


class Latest(bytes):
    """A packet of full states, each under a key: of what waits, only the newest state of a key is kept.

    ``kind`` names what may be merged with each other, ``states`` gives what it carries, ``version`` tells which of two
    states is newer, and ``render`` makes the packet of the states that are left. They are asked only of what waits.
    """

    kind: str
    states: Callable[[], Mapping[str, Any]]
    render: Callable[[Mapping[str, Any]], bytes]
    version: Callable[[Any], int]

    @classmethod
    def of(
        cls,
        packet: bytes,
        kind: str,
        states: Callable[[], Mapping[str, Any]],
        render: Callable[[Mapping[str, Any]], bytes],
        version: Callable[[Any], int],
    ) -> "Latest":
        """The packet that ``render(states())`` gave."""
        self = cls(packet)
        self.kind, self.states, self.render, self.version = kind, states, render, version
        return self


class Backlog:
    """Packets that wait for one client, oldest first, and how many bytes they are."""

    __slots__ = ("_latest", "_packets", "size")

    def __init__(self) -> None:
        self._packets: list[bytes] = []
        self._latest: dict[str, tuple[dict[str, tuple[Any, int]], Latest]] | None = None
        """By kind: each state with its share of the bytes of the packet that it came in, and the newest packet."""
        self.size = 0

    def add(self, packets: Iterable[bytes], *, keeps_volatile: bool) -> None:
        """Keep packets that cannot be written now."""
        for packet in packets:
            if isinstance(packet, Latest):
                self._merge(packet)
            elif not isinstance(packet, Volatile) or (keeps_volatile and self.size < VOLATILE_BYTES):
                self._packets.append(packet)
                self.size += len(packet)

    def _merge(self, packet: Latest) -> None:
        if self._latest is None:
            self._latest = {}
        kept, _ = self._latest.get(packet.kind, ({}, packet))
        states = packet.states()
        share = len(packet) // max(1, len(states))
        for key, state in states.items():
            before = kept.get(key)
            if before is None or packet.version(state) >= packet.version(before[0]):
                kept[key] = state, share
                self.size += share - (0 if before is None else before[1])
        self._latest[packet.kind] = kept, packet

    def take(self) -> list[bytes]:
        """Everything that waits; nothing waits afterwards.

        Full states go first, so that no message says by its offset that an older state than itself has come.
        """
        packets = [
            newest.render({key: state for key, (state, _) in kept.items()})
            for kept, newest in (self._latest or {}).values()
        ]
        packets += self._packets
        self._packets, self._latest, self.size = [], None, 0
        return packets


class Sink(Protocol):
    """What packets are sent to: a session, or what stands in for it while its connect handler runs."""

    outbox: list[bytes] | None
    """The packets of this turn; ``None`` if there are none."""
    write: Callable[[bytes], object] | None
    """Writes to the transport; ``None`` while it takes nothing."""

    def hold(self, packets: list[bytes]) -> None:
        """Keep packets until the transport takes them."""
        ...


class Outboxes:
    """The sinks that have something to send in this turn of the loop; each gets one write at its end."""

    __slots__ = ("_loop", "_pending", "_scheduled")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: list[Sink] = []
        self._scheduled = False

    def send(self, sink: Sink, packet: bytes) -> None:
        """Send a packet to one sink."""
        outbox = sink.outbox
        if outbox is not None:
            outbox.append(packet)
            return
        sink.outbox = [packet]
        self._pending.append(sink)
        if not self._scheduled:
            self._schedule()

    def fan_out(self, sinks: Iterable[Sink], packet: bytes) -> None:
        """Send one packet to many. The hot loop of the hub: nothing is made per receiver but its list."""
        if not self._scheduled:
            self._schedule()
        pend = self._pending.append
        for sink in sinks:
            outbox = sink.outbox
            if outbox is None:
                sink.outbox = [packet]
                pend(sink)
            else:
                outbox.append(packet)

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        pending, self._pending, self._scheduled = self._pending, [], False
        of: list[bytes] | None = None
        joined = b""
        ends_at = time.monotonic() + SLICE_S
        count = 0
        try:
            for count, sink in enumerate(pending, 1):
                packets = sink.outbox
                if packets is not None:  # else a poll took them, or the session has closed
                    sink.outbox = None
                    write = sink.write
                    if write is None:
                        sink.hold(packets)
                    elif len(packets) == 1:
                        write(packets[0])
                    else:  # neighbours in a room mostly have the same packets: joined once
                        if packets != of:
                            of, joined = packets, b"".join(packets)
                        write(joined)
                if not count % CLOCK_EVERY and time.monotonic() > ends_at:
                    break
        finally:
            # The rest goes on in the next turn, also after an exception: who is forgotten here has an outbox that
            # nobody ever writes. Whatever is sent meanwhile joins the outboxes that wait.
            if count < len(pending):
                self._pending = pending[count:] + self._pending
                if not self._scheduled:
                    self._schedule()
