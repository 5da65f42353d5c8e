"""Presence of one node over a real Valkey, with rooms that remember what was sent."""

from typing import Any

from redis.asyncio import Redis

from hub.kernel.events import Caller
from hub.kernel.ids import NodeId, RoomName, UserId
from hub.kernel.tasks import Tasks
from presence.burials import Burials
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.handlers import presence_events
from presence.holds import Holds
from presence.idleness import Idleness
from presence.memory import Reading
from presence.memory_redis import RedisMemory
from presence.model import PARTS
from presence.relay import Relay
from presence.schema import Presence, PresenceDiff
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store_redis import MEMORIES, TRANSITIONS, RedisPresenceStore
from presence.sweeper import Sweeper
from presence.transitions import Told
from presence.transitions_redis import RedisTransitions
from presence.typing_indicator import TypingIndicator
from presence.watchers import Watchers
from presence.watching import Watching
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes, Sights, Signs, caller, some_user
from tests.support.rooms import RecordedRooms

N1, N2 = NodeId("01NODE1"), NodeId("01NODE2")


class PresenceNode:
    """Presence of one node, put together as the composition root does."""

    def __init__(self, redis: Redis, node_id: NodeId, clock: FrozenClock, settings: PresenceSettings) -> None:
        self.rooms = RecordedRooms()
        self.sight = Sights()
        self.nodes = KnownNodes(node_id, {N1, N2})
        self.tasks = Tasks()
        self.store = store = RedisPresenceStore(redis)
        transitions = RedisTransitions(redis, TRANSITIONS)
        told = Told(transitions, self.rooms, self.tasks)
        diffs = Diffs(self.rooms, told, self.tasks, settings.coalesce_s)
        relay = Relay(store, transitions, told, diffs, clock, settings.overdue_s)
        self.signs = Signs()
        self.here = here = ConnectionsHere(self.signs, clock)
        self.service = PresenceService(here, store, diffs, self.nodes, self.tasks, clock, settings)
        idleness = Idleness(here, store, diffs, clock, settings.away_s)
        memory = RedisMemory(redis, MEMORIES, self.nodes, clock)
        reading = Reading(store, memory, wait_s=0)
        watchers = Watchers(reading, self.rooms, self.sight, clock)
        self.watching = Watching(self.service, reading, watchers, self.sight, clock)
        typing = TypingIndicator(self.rooms, clock, settings, self.sight)
        self.sweeper = Sweeper(store, here, self.service, idleness, typing, relay, memory, settings)
        self.holds = Holds(store, diffs, clock)
        self.burials = Burials(store, diffs, self.nodes, clock)
        self.events = presence_events(self.service, idleness, self.watching, typing)

    async def connect(self, who: Caller) -> None:
        for hook in self.events.connected:
            await hook(who)

    async def disconnect(self, who: Caller) -> None:
        for lost in self.events.lost:
            lost(who)
        for hook in self.events.disconnected:
            await hook(who)

    async def ask(self, name: str, who: Caller, data: object) -> Any:
        return await self.events.dispatch(name, who, data)

    async def sweep(self) -> None:
        """What its clockwork does by and by, but for burials."""
        await self.sweeper.sweep()
        await self.holds.end()

    async def reconcile(self) -> None:
        for part in range(PARTS):
            await self.service.reconcile(part)

    def told(self, room: RoomName) -> list[str]:
        """The statuses that a room was told of, in order."""
        return [user.status for user in self.users_told(room)]

    def users_told(self, room: RoomName) -> list[Presence]:
        """What a room was told of, in order."""
        events = self.rooms.events_to(room)
        return [user for event in events if isinstance(event, PresenceDiff) for user in event.users]


def watchers(user_id: UserId) -> RoomName:
    return RoomName(f"presence:{user_id}")


async def status(node: PresenceNode, of: UserId) -> str:
    reader = caller(some_user(), "reader")
    [user] = (await node.ask("presence:get", reader, {"userIds": [of]}))["users"]
    return str(user["status"])


async def make_whole(redis: Redis) -> None:
    """Have the store know everybody, as one does whose nodes have told it all they have."""
    await redis.mset({word: b"whole" for word, _ in MEMORIES})


async def sweep_all_parts(node: PresenceNode) -> None:
    for _ in range(PARTS):
        await node.sweep()
