"""Many packets in one system call: over real sockets, and decrypted by the other side's keys."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from pylibsrtp import Policy, Session

from signaling.media.embedded import outbox, rtp
from signaling.media.embedded.outbox import PLACES, Outbox, Route
from signaling.media.embedded.seams import LONGEST, Cipher

SIZES = [0, 1, 79, 1100, LONGEST - rtp.HEADER_BYTES]


class Receiver:
    """A socket, and the keys of its connection."""

    def __init__(self, stack: ExitStack, host: str) -> None:
        self.socket = stack.enter_context(closing(udp(host)))
        self.socket.settimeout(5)
        key = os.urandom(30)
        self.cipher = Cipher(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND)))
        self._session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND))

    def route(self, sending: Outbox) -> Route:
        return Route(sending, self.socket.getsockname()[:2])

    def next(self) -> bytes:
        """The next packet, in plain."""
        data = self.socket.recv(4096)
        incoming = Cipher(self._session)
        plain = incoming.unprotect(data) if len(data) <= LONGEST else self._session.unprotect(data)
        assert plain is not None
        return plain


def udp(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((host, 0))
    return made


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    if ":" in request.param and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    return str(request.param)


@pytest.fixture(params=["together", "one by one"])
def box(host: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    monkeypatch.setattr(outbox, "CAN_BATCH", request.param == "together")
    with closing(udp(host)) as sending:
        sending.setblocking(False)
        yield Outbox(sending)


def put(box: Outbox, route: Route, receiver: Receiver, number: int, body: bytes) -> bytes:
    """Put a packet in; gives it."""
    fields = (rtp.VERSION_BITS, rtp.MARKER | 96, number, 7, 3)
    box.put(route, receiver.cipher, *fields, body)
    return rtp.header(*fields) + body


def test_this_machine_can_send_many_at_once() -> None:
    assert outbox.CAN_BATCH


def test_each_receiver_gets_its_packets_whole_and_in_order(box: Outbox, host: str) -> None:
    with ExitStack() as stack:
        receivers = [Receiver(stack, host) for _ in range(3)]
        routes = [one.route(box) for one in receivers]
        expected: list[list[bytes]] = [[], [], []]
        for number, size in enumerate(SIZES[:4] * 3):
            for which in (number % 3, (number + 1) % 3):
                packet = put(box, routes[which], receivers[which], number, os.urandom(size))
                expected[which].append(packet)
            if number % 4 == 3:
                box.flush()
        box.flush()
        box.flush()
        assert [[one.next() for _ in packets] for one, packets in zip(receivers, expected, strict=True)] == expected


def test_when_all_places_are_taken_packets_go_without_being_asked(box: Outbox, host: str) -> None:
    with ExitStack() as stack:
        receiver = Receiver(stack, host)
        route = receiver.route(box)
        sent = [put(box, route, receiver, number, b"x") for number in range(PLACES + 1)]
        assert [receiver.next() for _ in range(PLACES)] == sent[:-1]
        box.flush()
        assert receiver.next() == sent[-1]


def test_what_cannot_be_sent_keeps_nothing_else_back(box: Outbox, host: str) -> None:
    with ExitStack() as stack:
        receiver = Receiver(stack, host)
        route, nowhere = receiver.route(box), Route(box, (host, 0))
        put(box, nowhere, receiver, 1, b"first")
        put(box, route, receiver, 2, bytes(LONGEST))  # too long
        second = put(box, route, receiver, 3, b"second")
        put(box, nowhere, receiver, 4, b"third")
        fourth = put(box, route, receiver, 5, b"fourth")
        box.flush()
        assert [receiver.next(), receiver.next()] == [second, fourth]


def test_a_closed_socket_is_no_error() -> None:
    sending = udp("127.0.0.1")
    box = Outbox(sending)
    with ExitStack() as stack:
        receiver = Receiver(stack, "127.0.0.1")
        put(box, receiver.route(box), receiver, 1, b"x")
        sending.close()
        box.flush()
