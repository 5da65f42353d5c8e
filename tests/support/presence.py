"""Stand-ins for what presence gets from the hub around it, and short ways to its values."""

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.kernel.errors import Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, NodeId, SessionId, UserId
from presence.transitions import EntryId, Overdue


def some_user() -> UserId:
    return UserId(str(uuid.uuid4()))


def caller(user_id: UserId, connection: str, device: str = "web") -> Caller:
    return Caller(user_id, SessionId(f"session of {connection}"), ConnectionId(connection), device)


@dataclass
class KnownNodes:
    """Implements hub.kernel.ports.Nodes: this node, and those said to live."""

    node_id: NodeId
    alive: set[NodeId] = field(default_factory=set)
    away: bool = False

    async def live(self) -> frozenset[NodeId]:
        if self.away:
            raise Unavailable
        return frozenset(self.alive | {self.node_id})


@dataclass
class MemoryTransitions:
    """Implements presence.transitions.Transitions in memory."""

    kept: list[Overdue] = field(default_factory=list)
    removed: list[EntryId] = field(default_factory=list)
    away: bool = False

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        return [one for one in self.kept if one.age_s >= older_than_s]

    async def remove(self, entries: Iterable[EntryId]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable
        self.removed.extend(sorted(entries, key=lambda entry: entry.id))


@dataclass
class BlockList:
    """Implements hub.kernel.ports.Access: everything is allowed, and some are blocked."""

    blocks: set[frozenset[str]] = field(default_factory=set)

    async def check(self, actor: Actor | None, action: str, resource: str, resource_id: str) -> None:
        """Allowed."""

    async def blocked(self, one: str, other: str) -> bool:
        return frozenset((one, other)) in self.blocks

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        return frozenset([other for other in others if await self.blocked(one, other)])
