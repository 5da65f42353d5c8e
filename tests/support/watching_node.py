"""The watching part of presence on one node over a real Valkey, with rooms that remember what was sent."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId, user_room
from hub.kernel.sight import Visibility
from hub.kernel.tasks import Tasks
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.feeds import PresenceFeeds
from presence.handlers import presence_events
from presence.idleness import Idleness
from presence.memory import Reading
from presence.memory_redis import RedisMemory
from presence.schema import Presence, PresenceDiff
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store_redis import MEMORIES, RedisPresenceStore
from presence.transitions import Told
from presence.typing_indicator import TypingIndicator
from presence.views import watch_room
from presence.watchers import Watchers
from presence.watching import Watching
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes, MemoryTransitions, Sights, Signs, caller, some_user
from tests.support.rooms import RecordedRooms

NOTHING, STATUS, EVERYTHING = Visibility


class WatchingNode:
    """The watching part of presence on one node, and what its connections were told of others."""

    def __init__(self, redis: Redis, clock: FrozenClock) -> None:
        self.rooms, self.sight, self.tasks, self.clock = RecordedRooms(), Sights(), Tasks(), clock
        store = RedisPresenceStore(redis)
        told = Told(MemoryTransitions(), self.rooms, self.tasks)
        nodes, settings = KnownNodes(NodeId("01NODE1")), PresenceSettings()
        reading = Reading(store, RedisMemory(redis, MEMORIES, nodes, clock))
        self.store, self.diffs = store, Diffs(self.rooms, told, self.tasks, 0)
        here = ConnectionsHere(Signs(), clock)
        self.service = PresenceService(here, store, self.diffs, nodes, self.tasks, clock, settings)
        self.watchers = Watchers(reading, self.rooms, self.sight, clock)
        self.watching = Watching(self.service, reading, self.watchers, self.sight, clock)
        self.feeds = PresenceFeeds(reading, self.rooms, self.sight, self.tasks, clock)
        typing = TypingIndicator(self.rooms, clock, settings, self.sight)
        idleness = Idleness(here, store, self.diffs, clock, settings.away_s)
        self.events = presence_events(self.service, idleness, self.watching, typing)

    async def connect(self, name: str) -> Caller:
        who = caller(some_user(), name)
        for hook in self.events.connected:
            await hook(who)
        return who

    async def end(self, who: Caller) -> None:
        """A connection goes, and its hold is over."""
        for hook in self.events.disconnected:
            await hook(who)
        self.clock.advance(PresenceSettings().hold_s)
        async for change in self.store.expire(self.clock.now_ms()):
            await self.diffs.announce(change)

    async def ask(self, name: str, who: Caller, **payload: Any) -> list[dict[str, Any]]:
        return list((await self.events.dispatch(name, who, payload))["users"])

    async def look_again(self, *people: Caller) -> None:
        """What a node does when a relation between these has changed."""
        for person in people:
            await self._review(user_room(person.user_id))

    async def look_again_at(self, person: Caller) -> None:
        """What a node does when somebody's privacy settings have changed."""
        for visibility in Visibility:
            await self._review(watch_room(person.user_id, visibility))

    async def _review(self, of: RoomName) -> None:
        for reviewer in (self.watching, self.feeds):
            if reviewer.concerns(of):
                await reviewer.review(of)

    def told(self, who: Caller) -> list[Presence]:
        """What this connection was told of others, by itself, since it was asked last."""
        mine = [one for one in self.rooms.sent if one[0] == who.connection_id]
        self.rooms.sent = [one for one in self.rooms.sent if one not in mine]
        return [user for _, event in mine if isinstance(event, PresenceDiff) for user in event.users]

    def sees(self, who: Caller, person: Caller) -> list[Visibility]:
        """The watch rooms of a person that a connection is in."""
        return [
            visibility
            for visibility in Visibility
            if self.rooms.is_member(who.connection_id, watch_room(person.user_id, visibility))
        ]

    def rooms_of(self, who: Caller) -> dict[str, bytes]:
        """What a connection that comes back is said to be in, with its notes."""
        rooms = [room for room, members in self.rooms.members.items() if who.connection_id in members]
        return {
            room.removeprefix("presence:"): self.rooms.notes.get((who.connection_id, room), b"")
            for room in rooms
            if room.startswith("presence:")
        }

    async def comes_back(self, who: Caller, name: str) -> Caller:
        """The client of a connection has come back over another one, on a node that knows nothing of it."""
        rooms, new = self.rooms_of(who), Caller(who.user_id, who.session_id, ConnectionId(name), who.device)
        for hook in self.events.disconnected:
            await hook(who)
        for room in rooms:
            self.rooms.members[RoomName(f"presence:{room}")].discard(who.connection_id)
            await self.rooms.join(new.connection_id, RoomName(f"presence:{room}"))
        await self.events.restores["presence"](new, rooms)
        for hook in self.events.connected:
            await hook(new)
        return new


def ids(people: Sequence[Any]) -> list[UserId]:
    return [person.user_id for person in people]


# -------------------------------------------------------------------- what is seen
