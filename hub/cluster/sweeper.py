"""Forgetting where rooms stand that were left long ago: a shard would else know every room that there ever was."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from hub.cluster.link import Down, Refused
from hub.cluster.shard_commands import KEPT_MS, ShardCommands

log = logging.getLogger(__name__)

AT_ONCE: Final = 500
"""Rooms that are looked at in one step, about: 0.2 ms of Redis."""
PAUSE_S: Final = 10.0
"""Between two steps of a node: with a hundred nodes 2 ms of Redis a second."""
SOON_S: Final = 0.2
"""The same while many rooms are to be forgotten."""
MANY: Final = 0.25
"""Of those that were looked at."""


class Sweeper:
    """Goes round the rooms of a shard. Every node has one; they need not know of each other."""

    def __init__(self, commands: ShardCommands) -> None:
        self._commands = commands
        self._cursor = "0"

    async def run(self) -> None:
        """Sweep for ever."""
        many = False
        while True:
            await asyncio.sleep(SOON_S if many else PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 nodes apart
            try:
                many = await self.sweep()
            except (Down, Refused):
                many = False
            except Exception:
                log.exception("rooms of shard %d are not forgotten", self._commands.index)
                many = False

    async def sweep(self) -> bool:
        """Take a step. Returns whether many rooms were forgotten. Raises Down or Refused."""
        to = self._commands
        keys = [to.head, to.last, to.idle]
        reply = await to.function("sparkle1_sweep", keys, to.channel(""), self._cursor, AT_ONCE, KEPT_MS)
        self._cursor, forgotten, of = reply[0].decode(), *map(int, reply[1:])
        return forgotten > MANY * of
