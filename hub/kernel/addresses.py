"""The networks that addresses stand for: whoever has one IPv6 address has all of its /64."""

import ipaddress


def counted(address: str) -> str:
    """What everything that counts or limits an address takes it for: an IPv4 address, or an IPv6 /64.

    A line is given a /64 at least (RFC 6177), and its machines change addresses in it by themselves (RFC 8981).
    """
    return network(address, v4_bits=32, v6_bits=64)


def network(address: str, *, v4_bits: int, v6_bits: int) -> str:
    """The network of so many bits around an address, as ``192.0.2.0/24``; empty if it is no address.

    An IPv4-mapped address is the IPv4 address in it (RFC 4291, section 2.5.5.2), and a zone (``%eth0``) is left out.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket has no address
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, v4_bits if ip.version == 4 else v6_bits), strict=False))
