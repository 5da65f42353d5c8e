"""Nodes of a hub in one process, which die between any two steps of what they do.

What moves calls is the hub's own code and a real Redis; what is simulated is the time, the rooms, and death. A node
dies before or after a step: after it, the step has been done, and nobody has the answer.
"""

import random
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from hub.kernel.clock import from_ms
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent, to_wire
from signaling.busy_redis import RedisBusyLines
from signaling.call.model import MESH
from signaling.carriage import Carriage
from signaling.deadlines import Deadlines
from signaling.handlers import call_events
from signaling.history import Before, PastCall
from signaling.ice import Ice
from signaling.legs import LocalLegs
from signaling.media.engines import Engines
from signaling.media.mesh import Mesh
from signaling.media.settings import MediaSettings
from signaling.moves import Moves
from signaling.placing import Placing
from signaling.redis_commands import ClientCommands, Script, Word
from signaling.relay import Relay
from signaling.service import CallService
from signaling.settings import CallSettings, IceSettings
from signaling.store_redis import RedisCallStore
from signaling.telling import Telling
from signaling.told import Told

SETTINGS = CallSettings()
DEDUPLICATED_S = 0.5
"""Age from which on an event is published only if none of its id was, see hub.kernel.ports.Rooms.emit."""
Listener = Callable[[str, dict[str, Any]], None]


class Killed(BaseException):
    """The node has died. No BaseException is caught by what runs on it."""


@dataclass
class SimulatedClock:
    """Implements hub.kernel.clock.Clock: it stands until it is moved."""

    ms: int = 1_800_000_000_000

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self.ms

    def now(self) -> datetime:
        """The same as a datetime."""
        return from_ms(self.ms)


@dataclass
class Everybody:
    """Implements signaling.ports.Callees: everybody may call everybody."""

    async def reachable(self, _caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        """All of them."""
        return frozenset(callees)


@dataclass
class Kept:
    """Implements signaling.history.CallHistory in memory, and counts."""

    past: dict[str, list[PastCall]] = field(default_factory=dict)

    async def keep(self, past: PastCall) -> None:
        """Keep it, once."""
        entries = self.past.setdefault(past.call_id, [])
        if past not in entries:
            entries.append(past)

    async def page(self, _user_id: UserId, _before: Before | None, _limit: int) -> list[PastCall]:
        """Nobody asks here."""
        return []

    async def call(self, _user_id: UserId, _call_id: str) -> PastCall | None:
        """Nobody asks here."""
        return None


class NoRecorder:
    """Implements signaling.carriage.Recorder: nobody records here."""

    async def record(self, room: str, on: bool) -> None:
        """Do nothing."""


@dataclass
class Network:
    """The rooms over all nodes. Events come at once, in the order in which they are sent."""

    rooms: dict[RoomName, set[ConnectionId]] = field(default_factory=dict)
    listeners: dict[ConnectionId, Listener] = field(default_factory=dict)
    published: set[tuple[RoomName, str]] = field(default_factory=set)
    """Ids of events, by the rooms that have had them."""

    def deliver(self, rooms: Iterable[RoomName], event: ServerEvent, skip: ConnectionId | None) -> None:
        """To every connection in any of the rooms, once."""
        payload = to_wire(event)
        for connection_id in set().union(*(self.rooms.get(room, set()) for room in rooms)) - {skip}:
            self.listeners[connection_id](event.event, payload)

    def drop(self, connection_id: ConnectionId) -> list[RoomName]:
        """Take a connection out of all rooms; which they were."""
        left = [room for room, members in self.rooms.items() if connection_id in members]
        for room in left:
            self.rooms[room].discard(connection_id)
        return left


class Node:
    """A node: the hub's calls on their real store."""

    def __init__(
        self, name: str, network: Network, redis: Redis, clock: SimulatedClock, history: Kept, draw: random.Random
    ) -> None:
        self.name = name
        self.network = network
        self.steps_to_live = -1
        """How many more steps it does; negative: as many as there are."""
        self.is_dead = False
        self.legs = LocalLegs()
        self._draw = draw
        commands = _MortalCommands(self, redis)
        store, busy = RedisCallStore(commands, clock, SETTINGS), RedisBusyLines(commands, SETTINGS)
        rooms = _MortalRooms(self, _Rooms(network))
        telling = Telling(rooms, self.legs)
        told = Told(store, rooms)
        moves = Moves(store, busy, _Mortal(self, history), telling, told, clock)
        placing = Placing(store, busy, moves, telling, Everybody(), self.legs, clock, SETTINGS)
        service = CallService(store, busy, moves, placing, telling, self.legs)
        self.deadlines = Deadlines(store, busy, moves, service, telling, self.legs, rooms)
        self.relay = Relay(store, moves, placing, telling, told)
        mesh = Engines({MESH: Mesh()}, {}, Tasks())
        carriage = Carriage(moves, telling, mesh, NoRecorder(), MediaSettings())
        self.router: EventRouter = call_events(placing, service, self.deadlines, carriage, Ice(IceSettings(), clock))

    def step(self) -> None:
        """Raises Killed if the node is dead, or dies now."""
        if self.steps_to_live == 0:
            self.is_dead = True
        self.steps_to_live -= 1
        if self.is_dead:
            raise Killed

    async def renew(self) -> None:
        """Renew its legs, as its sweeper does. Raises Killed."""
        for leg in self.legs.all():
            await self.deadlines.renew(leg.actor, leg.call_id)

    async def sweep(self) -> None:
        """Look at what is due and at what is owed, as its sweeper and its relay do. Raises Killed."""
        for call_id in await self.deadlines.take_due():
            await self.deadlines.expire(call_id)
        await self.relay.relay()

    async def ask(self, event: str, caller: Caller, payload: dict[str, Any]) -> Any:
        """What it answers to an event. Raises HubError, Killed."""
        answer = await self.router.dispatch(event, caller, payload)
        self.step()  # the answer is on its way, or lost
        return answer


class _MortalCommands(ClientCommands):
    """A step before and a step after each command, also of those that a node sends at once."""

    def __init__(self, node: Node, redis: Redis) -> None:
        super().__init__(redis)
        self._node = node

    async def run(self, *command: Word) -> Any:
        self._node.step()
        reply = await super().run(*command)
        self._node.step()
        return reply

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        self._node.step()
        reply = await super().call(script, key, *arguments)
        self._node.step()
        return reply


class _Mortal:
    """What a node uses, a step before and a step after each use."""

    def __init__(self, node: Node, used: Any) -> None:
        self._node = node
        self._used = used

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._used, name)

        async def use(*arguments: Any, **named: Any) -> Any:
            self._node.step()
            result = await method(*arguments, **named)
            self._node.step()
            return result

        return method if name in ("is_member", "expect") else use


class _MortalRooms(_Mortal):
    """The same, and a step before and after each end of a ``with``."""

    @asynccontextmanager
    async def joining(self, connection_id: ConnectionId, room: RoomName) -> AsyncIterator[None]:
        await self.join(connection_id, room)
        yield
        self._node.step()  # what is kept for who comes back
        self._node.step()


class _Rooms:
    """What calls need of hub.kernel.ports.Rooms."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        return connection_id in self._network.rooms.get(room, ())

    def expect(self, _room: RoomName) -> AbstractContextManager[None]:
        return nullcontext()

    async def join(self, connection_id: ConnectionId, room: RoomName) -> int:
        if connection_id in self._network.listeners:
            self._network.rooms.setdefault(room, set()).add(connection_id)
        return 0

    async def leave(self, connection_id: ConnectionId, room: RoomName) -> int:
        self._network.rooms.get(room, set()).discard(connection_id)
        return 0

    async def evict(self, room: RoomName, *, of: RoomName) -> None:
        self._network.rooms.get(room, set()).difference_update(self._network.rooms.get(of, set()))

    async def emit(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        id: str | None = None,
        age_s: float = 0.0,
    ) -> None:
        to = [RoomName(rooms)] if isinstance(rooms, str) else list(rooms)
        if id is not None:
            had = self._network.published
            if age_s > DEDUPLICATED_S:
                to = [room for room in to if (room, id) not in had]
            had.update((room, id) for room in to)
        self._network.deliver(to, event, skip)

    async def flushed(self) -> None:
        pass
