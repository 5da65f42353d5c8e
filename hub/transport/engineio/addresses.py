"""Where connections come from, and how many each address has open."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

from hub.kernel.addresses import counted

Peer = tuple[str, int]
"""Address and port."""
NOWHERE: Final[Peer] = ("", 0)
"""Of who is gone, or came by a Unix socket."""
_MAPPED: Final = "::ffff:"


def plain(address: str) -> str:
    """The IPv4 address in an IPv4-mapped one, ``::ffff:192.0.2.1``; any other as it is.

    A socket that listens on ``::`` shows IPv4 clients so (RFC 4291, section 2.5.5.2). Everything that compares or
    counts addresses would take them for others.
    """
    inner = address.removeprefix(_MAPPED)
    return inner if "." in inner else address


def peer_of(transport: asyncio.BaseTransport | None) -> Peer:
    """Who is at the other end, its address :func:`plain`."""
    peer: Any = transport.get_extra_info("peername") if transport is not None else None
    return (plain(peer[0]), peer[1]) if isinstance(peer, tuple) else NOWHERE


class Addresses:
    """Counts connections by address, so that one machine cannot take all that there are. An IPv6 /64 is one address."""

    def __init__(self, limit: int, uncapped: Collection[str]) -> None:
        self._limit = limit
        self._uncapped = frozenset(map(plain, uncapped))
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count a connection, and say whether the address may have it. Leave when it is gone, in either case."""
        key = self._key(address)
        count = self._open[key] = self._open.get(key, 0) + 1
        return count <= self._limit or address in self._uncapped

    def leave(self, address: str) -> None:
        """A connection is gone."""
        key = self._key(address)
        count = self._open[key] - 1
        if count:
            self._open[key] = count
        else:
            del self._open[key]

    def _key(self, address: str) -> str:
        """An uncapped address counts for itself: a proxy must not use up what its network may have."""
        return address if address in self._uncapped else counted(address)
