"""Port reservations."""

import socket
from contextlib import closing

import pytest

from hub.supervisor.errors import StartError
from hub.supervisor.ports import port_of, reserve_own, reserve_shared


def listener(port: int, *options: int) -> socket.socket:
    server = socket.socket()
    for option in options:
        server.setsockopt(socket.SOL_SOCKET, option, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def test_port_0_becomes_a_number_that_nodes_can_listen_on_beside_the_reservation() -> None:
    with reserve_shared("127.0.0.1", 0) as reservation:
        port = port_of(reservation)
        assert port > 0
        with listener(port, socket.SO_REUSEPORT) as one, listener(port, socket.SO_REUSEPORT) as two:
            for _ in range(20):  # the reservation, which does not listen, gets none of them
                socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            for server in (one, two):
                server.setblocking(False)
            assert _waiting(one) + _waiting(two) == 20


def _waiting(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_a_port_with_listeners_is_refused_even_if_they_would_share_it() -> None:
    with listener(0, socket.SO_REUSEPORT, socket.SO_REUSEADDR) as other:
        port = port_of(other)
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is in use by another program"):
            reserve_shared("127.0.0.1", port)


def test_a_reserved_port_is_refused_before_any_node_listens_on_it() -> None:
    with reserve_shared("127.0.0.1", 0) as first, pytest.raises(StartError, match="is in use"):
        reserve_shared("127.0.0.1", port_of(first))


def test_connections_that_linger_after_another_program_do_not_make_a_port_unusable() -> None:
    with listener(0, socket.SO_REUSEADDR) as server:  # which practically every server sets
        port = port_of(server)
        client = socket.create_connection(("127.0.0.1", port))
        connection = server.accept()[0]
        connection.close()  # the side that closes first is the one in TIME_WAIT
        client.recv(1)
        client.close()
    reserve_shared("127.0.0.1", port).close()


def test_own_ports_differ_and_are_on_the_loopback_only() -> None:
    with closing(reserve_own()) as one, closing(reserve_own()) as two:
        assert port_of(one) != port_of(two)
        assert one.getsockname()[0] == "127.0.0.1"


def test_an_address_that_is_not_ours_and_a_name_that_is_none_are_explained() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1 is not an address of this machine"):
        reserve_shared("192.0.2.1", 8080)
    with pytest.raises(StartError, match="cannot listen on no such host:8080"):
        reserve_shared("no such host", 8080)
    with pytest.raises(StartError, match="99999 is not a port number"):
        reserve_shared("127.0.0.1", 99999)
