"""Connections by address: what one may have, and that nothing is kept of one that has none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.addresses import Addresses, plain


def test_an_address_may_have_so_many_and_others_are_not_concerned() -> None:
    addresses = Addresses(2, uncapped=["::1"])
    assert [addresses.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert addresses.enter("192.0.2.2")
    assert all(addresses.enter("::1") for _ in range(10))


def test_a_connection_that_was_refused_counts_until_it_is_gone() -> None:
    addresses, one = Addresses(1, uncapped=()), "192.0.2.1"
    assert [addresses.enter(one), addresses.enter(one)] == [True, False]
    addresses.leave(one)
    assert not addresses.enter(one)
    addresses.leave(one)
    addresses.leave(one)
    assert addresses.enter(one)


def test_the_addresses_of_one_ipv6_line_have_their_connections_together() -> None:
    addresses = Addresses(2, uncapped=["2001:db8::9"])
    entered = [addresses.enter(f"2001:db8::{number}") for number in (1, 2, 3)]
    assert entered == [True, True, False]
    assert addresses.enter("2001:db8:0:1::1")
    for number in (1, 2):
        addresses.leave(f"2001:db8::{number}")
    assert all(addresses.enter("2001:db8::9") for _ in range(5))
    assert addresses.enter("2001:db8::4")  # what the proxy has open is no part of it


@pytest.mark.parametrize(
    ("shown", "address"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8::ffff:1", "2001:db8::ffff:1"),
        ("::ffff:1", "::ffff:1"),
        ("fe80::1%eth0.5", "fe80::1%eth0.5"),
        ("", ""),
    ],
)
def test_an_ipv4_mapped_address_is_the_one_in_it_and_all_others_are_as_they_are(shown: str, address: str) -> None:
    assert plain(shown) == address


def test_an_uncapped_address_may_be_written_as_a_socket_of_both_families_shows_it() -> None:
    addresses = Addresses(0, uncapped=["::ffff:192.0.2.1"])
    assert addresses.enter("192.0.2.1")


addresses = st.lists(st.sampled_from(["192.0.2.1", "2001:db8::1", "2001:db8::2", ""]), max_size=30)
visits = addresses.flatmap(lambda come: st.tuples(st.just(come), st.permutations(come)))


@settings(deadline=None)
@given(visits)
def test_nothing_is_left_when_all_have_gone_in_any_order(visits: tuple[list[str], list[str]]) -> None:
    counted = Addresses(2, uncapped=["2001:db8::2"])
    come, go = visits
    for address in come:
        counted.enter(address)
    for address in go:
        counted.leave(address)
    assert counted._open == {}
