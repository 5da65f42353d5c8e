"""What an address counts as, wherever one is counted."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.kernel.addresses import counted


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.77", "192.0.2.77"),
        ("::ffff:c000:24d", "192.0.2.77"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_address_counts_as_its_line_and_an_ipv4_address_as_itself(address: str, network: str) -> None:
    assert counted(address) == network


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_whoever_has_a_line_does_not_count_anew_by_another_address_of_it(one: ipaddress.IPv6Address, host: int) -> None:
    other = ipaddress.IPv6Address((int(one) >> 64 << 64) | host)
    assume(one.ipv4_mapped is None and other.ipv4_mapped is None)
    assert counted(str(other)) == counted(str(one))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_in_both_its_forms(address: ipaddress.IPv4Address) -> None:
    assert counted(f"::ffff:{address}") == counted(str(address))
