"""The port of a media server: what is put on a way in a turn goes with the turn, whichever socket it came by."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from pylibsrtp import Policy, Session

from signaling.media.embedded import rtp
from signaling.media.embedded.seams import Cipher
from signaling.media.embedded.sockets import Sockets, Way
from tests.support.wait import until

ADDRESSES = ["127.0.0.1", "127.0.0.2"]


class Forwarding:
    """Passes each datagram on to one receiver, by the second of two sockets."""

    def __init__(self, receiver: socket.socket) -> None:
        self.receiver = receiver
        self.came: list[bytes] = []
        self.passed = 0
        self.sockets = Sockets(self._received)
        self.port = self.sockets.open(ADDRESSES, 0)
        key = os.urandom(30)
        cipher = Cipher(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND)))
        self._cipher = cipher
        self._route = self.sockets.route((self.sockets._sockets[1], receiver.getsockname()))

    def arrivals(self) -> int:
        try:
            while True:
                self.came.append(self.receiver.recv(2048))
        except BlockingIOError:
            return len(self.came)

    def _received(self, data: bytes, way: Way) -> None:
        self.passed += 1
        self._route.outbox.put(self._route, self._cipher, rtp.VERSION_BITS, 96, self.passed, 7, 3, data)


@pytest.fixture
async def forwarding() -> AsyncIterator[Forwarding]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.2", 0))
        receiver.setblocking(False)
        made = Forwarding(receiver)
        yield made
        made.sockets.close()


def send(port: int, count: int) -> None:
    """Datagrams to the first socket, before the loop reads any."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sending:
        for _ in range(count):
            sending.sendto(b"x", (ADDRESSES[0], port))


async def test_what_came_by_one_socket_goes_out_by_another_in_the_same_turn(forwarding: Forwarding) -> None:
    send(forwarding.port, 1)
    await until(lambda: forwarding.passed)
    assert forwarding.arrivals() == 1
