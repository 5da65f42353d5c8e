"""Markers that a node sends itself over a shard, in the order of its events: what was sent before has come with it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

from hub.cluster.link import Down
from hub.cluster.shard_commands import ShardCommands

MARK_S: Final = 2.0
"""Longest way of a marker. Redis closes subscribers whose output buffer overflows; a broken link may stay silent."""


class Markers:
    """Those that are on their way, and when the last one came."""

    def __init__(self, commands: ShardCommands, node_id: str) -> None:
        self._commands = commands
        self._node_id = node_id
        self._tokens = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.heard_at = 0.0
        """When the last one came, in the time of the loop."""

    async def send(self, rooms: Sequence[str] = ()) -> int:
        """Send one that says where ``rooms`` stand, and wait for it. Gives the head of that moment. Raises Down."""
        token = str(next(self._tokens))
        mark = self._waiting[token] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(MARK_S):
                head = await self._commands.mark(self._node_id, token, rooms, within_s=MARK_S)
                await mark
        except TimeoutError:
            raise Down("a marker does not come") from None
        finally:
            self._waiting.pop(token, None)
        return head

    def arrived(self, token: str) -> None:
        """One has come, and everything before it has been taken."""
        self.heard_at = asyncio.get_running_loop().time()
        mark = self._waiting.pop(token, None)
        if mark is not None and not mark.done():
            mark.set_result(None)

    @property
    def are_waited_for(self) -> bool:
        """Whether any is on its way."""
        return bool(self._waiting)
