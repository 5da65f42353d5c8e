"""Stand-ins for what presence gets from the hub around it, and short ways to its values."""

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller, DeviceKind
from hub.kernel.ids import ConnectionId, NodeId, SessionId, UserId
from hub.kernel.sight import Circle, Visibility
from presence.transitions import EntryId, Overdue


def some_user() -> UserId:
    return UserId(str(uuid.uuid4()))


def caller(user_id: UserId, connection: str, device: str = "web", kind: DeviceKind = "other") -> Caller:
    return Caller(user_id, SessionId(f"session of {connection}"), ConnectionId(connection), device, kind)


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
class Signs:
    """Implements hub.kernel.ports.Activity: when connections were active, as tests say. 0 at first; ``None``: gone."""

    at_s: dict[ConnectionId, float | None] = field(default_factory=dict)

    def active_s(self, connection_id: ConnectionId) -> float | None:
        return self.at_s.get(connection_id, 0.0)


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
class Sights:
    """Implements hub.kernel.sight.Sight: everybody sees everything, where nothing else is said."""

    limits: dict[tuple[UserId, UserId], Visibility] = field(default_factory=dict)
    """Of a viewer and whom they look at."""
    circles: dict[tuple[UserId, Circle], list[UserId]] = field(default_factory=dict)
    asked: int = 0
    """How often somebody looked."""

    def block(self, one: UserId, other: UserId) -> None:
        for pair in ((one, other), (other, one)):
            self.limits[pair] = Visibility.NOTHING

    async def seen_by(self, viewer: UserId, user_ids: Iterable[UserId]) -> dict[UserId, Visibility]:
        self.asked += 1
        return {user_id: self._of(viewer, user_id) for user_id in user_ids}

    async def shown_to(self, user_id: UserId, viewers: Iterable[UserId]) -> dict[UserId, Visibility]:
        self.asked += 1
        return {viewer: self._of(viewer, user_id) for viewer in viewers}

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        return self.circles.get((user_id, circle), [])[:limit]

    def _of(self, viewer: UserId, user_id: UserId) -> Visibility:
        return self.limits.get((viewer, user_id), Visibility.EVERYTHING)
