"""The UDP sockets of a media server: one port, on each of its addresses, for all clients."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence

import aioice.ice

from signaling.media.embedded.ice_lite import Address
from signaling.media.embedded.outbox import Outbox, Route

log = logging.getLogger(__name__)

BUFFER_BYTES = 4 * 1024 * 1024
"""Asked of the kernel, which may give less: 30 ms of a full core, in either direction."""
IN_A_TURN = 64
"""Datagrams that are read before others on the loop have their turn: about 2 ms with a hundred receivers each."""
DATAGRAM = 2048
Way = tuple[socket.socket, Address]
"""A socket, and the client's address that it is to send to."""


class Sockets:
    """Open sockets. ``received`` is called with each datagram, and must not raise."""

    def __init__(self, received: Callable[[bytes, Way], None]) -> None:
        self._received = received
        self._sockets: list[socket.socket] = []
        self._outboxes: dict[socket.socket, Outbox] = {}

    def open(self, addresses: Sequence[str], port: int) -> int:
        """Listen on the same port of all addresses; gives it. ``port`` 0 picks one. Raises OSError."""
        try:
            for address in addresses:
                made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
                self._sockets.append(made)
                made.setblocking(False)
                for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                    made.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
                made.bind((address, port))
                port = made.getsockname()[1]
        except OSError:
            self.close()
            raise
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            self._outboxes[one] = Outbox(one)
            loop.add_reader(one.fileno(), self._readable, one)
        return port

    def route(self, way: Way) -> Route:
        """How media goes this way."""
        return Route(self._outboxes[way[0]], way[1])

    def close(self) -> None:
        """Stop. Idempotent."""
        for one in self._sockets:
            with contextlib.suppress(RuntimeError):  # no loop: it was never opened
                asyncio.get_running_loop().remove_reader(one.fileno())
            one.close()
        self._sockets.clear()
        self._outboxes.clear()

    def _readable(self, ready: socket.socket) -> None:
        for _ in range(IN_A_TURN):
            try:
                data, address = ready.recvfrom(DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # an ICMP answer to something that we sent
                continue
            self._received(data, (ready, (address[0], address[1])))
        for outbox in self._outboxes.values():  # what came by one address may go out by another
            outbox.flush()


def machine_addresses() -> list[str]:
    """The IPv4 addresses of this machine; without any, the loopback."""
    return aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False) or ["127.0.0.1"]


def send(way: Way, data: bytes | memoryview) -> None:
    """Send a datagram, or lose it: a full buffer is what a full network is."""
    try:  # noqa: SIM105 `suppress` costs a microsecond, and this is done for each receiver of each packet
        way[0].sendto(data, way[1])
    except OSError:
        pass
