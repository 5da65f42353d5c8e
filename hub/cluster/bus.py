"""The bus between nodes: every room on its shard, events in one order a shard, and this node's position in each."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from hub.cluster.chain import read_offset, write_offset
from hub.cluster.link import Down, Refused
from hub.cluster.publisher import Outgoing, Publisher, new_message_id
from hub.cluster.servers import Servers
from hub.cluster.shard import Shard
from hub.cluster.shard_commands import OTHER_SHARDS, RoomRead, ShardCommands
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId, RoomName, UserId, user_room
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

START_S: Final = 10.0
DEAF_S: Final = 5.0
"""Without its own marker for this long a node counts as deaf, and readiness says so."""
FLUSH_S: Final = 2.0
"""Longest wait, on shutdown, for what was published last."""
EVENT, COMMAND = 0, 1
"""What is published to a room: an event for its members, or something that the nodes do with them."""
OF_ONE: Final = user_room(UserId(""))
"""What the names of people's own rooms begin with."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


class OtherShards(OSError):
    """The events in Redis are on another number of shards than this node's. The message says what to do."""


class Members(Protocol):
    """Who gets what comes over the bus. Called in its order, outside any task; must neither block nor raise."""

    def deliver(self, delivery: Delivery) -> None:
        """An event for the members of a room on this node."""
        ...

    def command(self, room: RoomName, name: str, arguments: list[Any]) -> None:
        """Something to do with them."""
        ...

    def missed(self, rooms: Iterable[RoomName] | None) -> None:
        """Events of these rooms are lost for this node; ``None``: of rooms that cannot be known, so of all."""
        ...


class Bus:
    """Publishes to rooms, and follows those that have members here. Implements hub.cluster.shard.Audience.

    What is kept comes to all nodes, the publishing one included, in one order for each shard, and once; what is
    ephemeral reaches the members here at once, and those elsewhere if nothing breaks.
    """

    name = "bus"

    def __init__(self, servers: Servers, node_id: NodeId, tasks: Tasks, *, shards: int = 1) -> None:
        self._tasks = tasks
        commands = [ShardCommands(index, servers, shards=shards) for index in range(shards)]
        self._shards = [Shard(one, node_id, self) for one in commands]
        self._publishers = [Publisher(one) for one in commands]
        self._members: Members | None = None
        self._offset: str | None = None

    def serve(self, members: Members) -> None:
        """Hand over to ``members`` what comes. Before :meth:`start`."""
        self._members = members

    async def start(self) -> None:
        """Return when this node hears the bus. Raises Unavailable if it does not within ten seconds.

        Raises OtherShards if the events in Redis are on another number of shards.
        """
        for shard, publisher in zip(self._shards, self._publishers, strict=True):
            self._tasks.start(shard.run(), name=f"bus: shard {shard.index}")
            self._tasks.start(publisher.run(), name=f"bus: publisher of shard {shard.index}")
        try:
            async with asyncio.timeout(START_S):
                for shard in self._shards:
                    await self._check_shards(shard)
                for shard in self._shards:
                    await shard.ready()
        except (TimeoutError, Down, Refused) as error:
            raise Unavailable(f"Nothing is heard over Redis after {START_S:.0f} s.") from error

    async def _check_shards(self, shard: Shard) -> None:
        try:
            await shard.commands.link()
        except Refused as error:
            if str(error).startswith(OTHER_SHARDS):
                raise OtherShards(
                    f"the events in Redis are on {str(error).removeprefix(OTHER_SHARDS).strip()} shards and not on "
                    f"{len(self._shards)}: set SPARKLE_CLUSTER_SHARDS to that. To change it, stop all nodes, and delete"
                    " the keys {s*}:*"
                ) from None
            log.warning("shard %d does not answer yet: %s", shard.index, error)
        except Down as error:
            log.warning("shard %d does not answer yet: %s", shard.index, error)

    async def flushed(self) -> None:
        """Wait until what was published is in Redis. Raises TimeoutError."""
        async with asyncio.timeout(FLUSH_S):
            for publisher in self._publishers:
                await publisher.flushed()

    def close(self) -> None:
        """Close the links for commands; those for messages end with the tasks."""
        for shard in self._shards:
            shard.commands.close()

    async def check(self) -> None:
        """Readiness: raises if this node has not heard its own markers for five seconds."""
        now = asyncio.get_running_loop().time()
        for shard in self._shards:
            if (silent_s := now - shard.heard_at) > DEAF_S:
                raise ConnectionError(f"nothing heard over shard {shard.index} for {silent_s:.0f} s")

    # ---------------------------------------------------------------- out

    def emit(self, delivery: Delivery) -> None:
        """Publish an event to each of its rooms. Never blocks and never raises. A member of several gets it once."""
        volatile, packed = delivery.volatile, delivery.packed()
        before: list[RoomName] = []
        shared: list[RoomName] = []
        for room in delivery.rooms:
            # A connection that is in an earlier room too has got it there. None is in two people's rooms: an event for
            # 500 followers would name 125 000 of them.
            is_of_one = room.startswith(OF_ONE)
            self._publish(room, _pack((EVENT, shared if is_of_one else before, *packed)), kept=not volatile)
            before.append(room)
            if not is_of_one:
                shared.append(room)
        if volatile and self._members is not None:
            self._members.deliver(delivery)

    def command(self, room: RoomName, name: str, *arguments: Any) -> None:
        """Have every node that has members in a room do something with them, this one included, in its order."""
        self._publish(room, _pack((COMMAND, name, arguments)), kept=True)

    def _publish(self, room: RoomName, event: bytes, *, kept: bool) -> None:
        place = self._place(room)
        if not kept:
            event = self._shards[place].ephemeral(event)
        self._publishers[place].publish(Outgoing(room, event, new_message_id() if kept else None))

    # ---------------------------------------------------------------- rooms

    async def follow(self, room: RoomName) -> None:
        """Follow a room: on return everything that is published to it comes. Harmless if it is followed already.

        Raises Unavailable if Redis does not answer.
        """
        try:
            await self._shards[self._place(room)].follow(room)
        except Down as error:
            raise Unavailable from error

    def leave(self, room: RoomName) -> None:
        """Follow a room no more."""
        self._shards[self._place(room)].leave(room)

    def _place(self, name: str) -> int:
        return zlib.crc32(name.encode()) % len(self._shards) if len(self._shards) > 1 else 0

    # ---------------------------------------------------------------- positions

    @property
    def offset(self) -> str:
        """Where this node stands: on every shard, everything up to there has been delivered to the members here."""
        if self._offset is None:
            self._offset = write_offset(self.positions())
        return self._offset

    def positions(self) -> list[int]:
        """The same as numbers, by shard."""
        return [shard.position for shard in self._shards]

    def position_of(self, room: RoomName) -> int:
        """Where this node stands on the shard of a room."""
        return self._shards[self._place(room)].position

    def base_of(self, name: str) -> int:
        """The epoch of the shard of a room or a private id: what is below it means nothing any more."""
        return self._shards[self._place(name)].base

    def commands_of(self, name: str) -> ShardCommands:
        """How the shard of a private id is asked."""
        return self._shards[self._place(name)].commands

    def by_shard(self, since: Mapping[RoomName, int]) -> dict[int, dict[RoomName, int]]:
        """Rooms with a position each, by the index of their shard."""
        found: dict[int, dict[RoomName, int]] = {}
        for room, position in since.items():
            found.setdefault(self._place(room), {})[room] = position
        return found

    def read_offset(self, text: str) -> list[int] | None:
        """The positions of an offset; ``None`` for what is none of this cluster."""
        return read_offset(text, len(self._shards))

    async def catch_up(self, positions: Sequence[int]) -> bool:
        """Wait until this node stands nowhere before these positions. False: one of them was never given.

        Raises Unavailable if it takes too long.
        """
        try:
            for shard, position in zip(self._shards, positions, strict=True):
                if position > shard.position and not await shard.catch_up(position):
                    return False
        except Down as error:
            raise Unavailable from error
        return True

    async def read(self, index: int, since: Mapping[RoomName, int]) -> dict[RoomName, RoomRead] | None:
        """What came to rooms of one shard above a position each; ``None``: the epoch has ended. Raises Unavailable."""
        shard = self._shards[index]
        try:
            found = await shard.commands.read(list(since.items()))
        except (Down, Refused) as error:
            raise Unavailable from error
        return dict(zip(since, found.rooms, strict=True)) if found.base == shard.base else None

    # ---------------------------------------------------------------- in

    def moved(self, shard: Shard) -> None:
        """See hub.cluster.shard.Audience."""
        self._offset = None

    def deliver(self, room: str, event: bytes, *, kept: bool) -> None:
        """See hub.cluster.shard.Audience."""
        if self._members is None:
            return
        try:
            kind, *content = _unpack(event)
            if kind == COMMAND:
                self._members.command(RoomName(room), *content)
                return
            delivery = _delivery(RoomName(room), *content)
            if kept:
                delivery.offset = self.offset
            self._members.deliver(delivery)
        except Exception:
            log.exception("what another node said is not understood: is it of another version?")

    def missed(self, shard: Shard, room: str | None) -> None:
        """See hub.cluster.shard.Audience."""
        if self._members is not None:
            self._members.missed(None if room is None else [RoomName(room)])

    def told(self, message: bytes) -> None:
        """See hub.cluster.shard.Audience. Nodes have nothing to say to one another yet."""


Said = Delivery | tuple[str, list[Any]]
"""What is published to a room: an event, or the name and arguments of a command."""


def said_in(room: RoomName, event: bytes) -> Said:
    """What was published to a room. Raises ValueError and TypeError."""
    kind, *content = _unpack(event)
    if kind != COMMAND:
        return _delivery(room, *content)
    name, arguments = content
    return name, arguments


def _delivery(room: RoomName, others: Any, name: Any, text: Any, payload: Any, skip: Any, volatile: Any) -> Delivery:
    return Delivery([room], name, text, payload, skip, volatile, others)
