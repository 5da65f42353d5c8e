"""The link of a shard, lent to a feature: what it asks in one turn of the loop is one write with what the hub asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hub.cluster.link import Down, Link, Refused, Reply, Word
from hub.cluster.shard_commands import ShardCommands


class LentLink:
    """A link that others use too: closing it ends the loan alone. Implements signaling.redis_commands.RedisLink."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_over = False

    @property
    def is_closed(self) -> bool:
        """Whether it is gone, or given back."""
        return self._is_over or self._link.closed

    def call_many(self, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Reply]]:
        """See Link."""
        return self._link.call_many(commands)

    def close(self) -> None:
        """Give it back."""
        self._is_over = True


def lent_by(commands: ShardCommands) -> Callable[[], Awaitable[LentLink]]:
    """Lends the link that a shard has now. Raises Down."""

    async def lend() -> LentLink:
        try:
            return LentLink(await commands.link())
        except Refused as error:
            raise Down(f"Redis does not serve: {error}") from error

    return lend
