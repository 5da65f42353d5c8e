"""Where a Redis server is, and what it wants to hear first."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from redis.asyncio.connection import parse_url

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A server: by host and port, or by the path of its Unix socket."""

    host: str
    port: int
    path: str | None = None
    username: str | None = None
    password: str | None = None
    tls: bool = False

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """The server of a ``redis://``, ``rediss://`` or ``unix://`` URL. Raises ValueError for what is none.

        The database is left out: events are kept in number 0, as a Redis Cluster has no other, and channels have none.
        """
        given: dict[str, Any] = dict(parse_url(url))
        return cls(
            host=given.get("host", "localhost"),
            port=given.get("port", 6379),
            path=given.get("path"),
            username=given.get("username"),
            password=given.get("password"),
            tls=url.startswith("rediss://"),
        )

    def at(self, host: str, port: int) -> RedisAddress:
        """Another server of the same cluster, which is entered in the same way."""
        return replace(self, host=host, port=port, path=None)

    @property
    def greetings(self) -> list[tuple[str, ...]]:
        """The commands that come before all others."""
        if self.password is None:
            return []
        return [("AUTH", *([self.username] if self.username else []), self.password)]

    async def connect(self, protocol: Callable[[], P]) -> asyncio.Transport:
        """Open a connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            transport, _ = await loop.create_unix_connection(protocol, self.path)
        else:
            context = ssl.create_default_context() if self.tls else None
            transport, _ = await loop.create_connection(protocol, self.host, self.port, ssl=context)
        return transport
