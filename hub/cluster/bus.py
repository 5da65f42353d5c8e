"""The bus between nodes: every room on its shard, events in one order a shard, and this node's position in each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from hub.cluster.chain import read_offset, write_offset
from hub.cluster.link import Down, Refused
from hub.cluster.outlet import COMMAND, Outlet, place_of
from hub.cluster.read_in_parts import read_in_parts
from hub.cluster.servers import Servers
from hub.cluster.shard import Shard
from hub.cluster.shard_commands import OTHER_SHARDS, RoomRead, ShardCommands
from hub.cluster.sweeper import Sweeper
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId, RoomName
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

START_S: Final = 10.0
DEAF_S: Final = 4.0
"""Without its own marker for this long a node counts as deaf, and readiness says so: four beats, of which none came."""
NODE_MESSAGE: Final = b"N"
"""What one node says to another begins with this."""

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

    def missed(self, rooms: Sequence[RoomName]) -> None:
        """Events of these rooms are lost for this node."""
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
        self._outlet = Outlet(commands, node_id)
        self._sweepers = [Sweeper(one) for one in commands]
        self._members: Members | None = None
        self._offset: str | None = None
        self.told_us: Callable[[bytes], None] | None = None
        """Gets what other nodes say to this one; it must neither block nor raise."""

    def serve(self, members: Members) -> None:
        """Hand over to ``members`` what comes. Before :meth:`start`."""
        self._members = members

    async def start(self) -> None:
        """Return when this node hears the bus. Raises Unavailable if it does not within ten seconds.

        Raises OtherShards if the events in Redis are on another number of shards.
        """
        self._outlet.start(self._tasks)
        for shard, sweeper in zip(self._shards, self._sweepers, strict=True):
            self._tasks.start(shard.run(), name=f"bus: shard {shard.index}")
            self._tasks.start(sweeper.run(), name=f"bus: sweeper of shard {shard.index}")
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
        """Wait until what was published so far is in Redis, or given up: for as long as Redis does not answer."""
        await self._outlet.flushed()

    def close(self) -> None:
        """Close the links for commands; those for messages end with the tasks."""
        for shard in self._shards:
            shard.commands.close()

    async def check(self) -> None:
        """Readiness: raises if this node has not heard its own markers for four seconds."""
        now = asyncio.get_running_loop().time()
        for shard in self._shards:
            if (silent_s := now - shard.heard_at) > DEAF_S:
                raise ConnectionError(f"nothing heard over shard {shard.index} for {silent_s:.0f} s")

    @property
    def hears(self) -> bool:
        """Whether this node is not deaf."""
        now = asyncio.get_running_loop().time()
        return all(now - shard.heard_at <= DEAF_S for shard in self._shards)

    # ---------------------------------------------------------------- out

    def emit(self, delivery: Delivery) -> None:
        """Publish an event to each of its rooms. Never blocks and never raises. A member of several gets it once."""
        self._outlet.emit(delivery)
        if delivery.volatile and self._members is not None:
            self._members.deliver(delivery)

    def command(self, room: RoomName, name: str, *arguments: Any) -> None:
        """Have every node that has members in a room do something with them, this one included, in its order."""
        self._outlet.command(room, name, *arguments)

    async def tell(self, node_id: NodeId, message: bytes) -> bool:
        """Say something to one node, and whether it hears the bus now. In the order of the calls.

        Raises Unavailable if Redis does not answer.
        """
        commands = self._shards[0].commands
        try:
            heard = await (await commands.link()).call(
                "SPUBLISH", commands.node_channel(node_id), NODE_MESSAGE + message
            )
        except Down as error:
            raise Unavailable from error
        except Refused as error:
            if commands.is_worth_another_try(error):
                return False
            raise Unavailable from error
        return bool(heard)

    # ---------------------------------------------------------------- rooms

    async def follow(self, room: RoomName) -> None:
        """Follow a room: on return everything that is published to it comes. Harmless if it is followed already.

        Raises Unavailable if Redis does not answer.
        """
        try:
            await self._shards[self._place(room)].follow(room)
        except Down as error:
            raise Unavailable from error

    def begin(self, room: RoomName) -> None:
        """Begin to follow a room, and wait for nothing."""
        self._shards[self._place(room)].begin(room)

    def leave(self, room: RoomName) -> None:
        """Follow a room no more."""
        self._shards[self._place(room)].leave(room)

    def _place(self, name: str) -> int:
        return place_of(name, len(self._shards))

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
            found = await read_in_parts(shard.commands, list(since), lambda room: since[RoomName(room)])
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
            if kept or (delivery.text or b"").startswith(b'"'):  # a client takes a text at the end for an offset
                delivery.offset = self.offset
            self._members.deliver(delivery)
        except Exception:
            log.exception("what another node said is not understood: is it of another version?")

    def missed(self, shard: Shard, room: str | None) -> None:
        """See hub.cluster.shard.Audience."""
        if self._members is not None:
            self._members.missed([RoomName(one) for one in (shard.rooms if room is None else [room])])

    def told(self, message: bytes) -> None:
        """See hub.cluster.shard.Audience."""
        if self.told_us is not None and message.startswith(NODE_MESSAGE):
            self.told_us(message.removeprefix(NODE_MESSAGE))


Said = Delivery | tuple[str, list[Any]]
"""What is published to a room: an event, or the name and arguments of a command."""


def said_in(room: RoomName, event: bytes) -> Said:
    """What was published to a room. Raises ValueError and TypeError."""
    kind, *content = _unpack(event)
    if kind != COMMAND:
        return _delivery(room, *content)
    name, arguments = content
    return name, arguments


def _delivery(
    room: RoomName, others: Any, name: Any, text: Any, payload: Any, skip: Any, volatile: Any, copy_of: Any = None
) -> Delivery:
    return Delivery([room], name, text, payload, skip, volatile, others, copy_of)
