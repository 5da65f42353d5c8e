"""What an address counts as: whoever has one IPv6 address has all of its /64."""

from socket import AF_INET6, inet_ntoa, inet_ntop, inet_pton
from typing import Final

MAPPED: Final = bytes(10) + b"\xff\xff"
"""Before an IPv4 address in an IPv6 one (RFC 4291, section 2.5.5.2)."""


def counted(address: str) -> str:
    """What everything that counts or limits an address takes it for: an IPv4 address, or the /64 of an IPv6 address.

    A line is given a /64 at least (RFC 6177), and its machines change addresses in it by themselves (RFC 8981). An
    IPv4-mapped address is the one in it, a zone (``%eth0``) is left out, and what is no address stays as it is.
    """
    if ":" not in address:
        return address
    # Not by `ipaddress`, which takes thirty times as long: this is done twice for each TCP connection.
    try:
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(MAPPED):
        return inet_ntoa(packed[12:])
    return inet_ntop(AF_INET6, packed[:8] + bytes(8)) + "/64"
