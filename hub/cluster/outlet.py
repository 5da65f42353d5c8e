"""Publishing to rooms, each on its shard: events for their members, and commands about them."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hub.cluster.publisher import Outgoing, Publisher, new_message_id
from hub.cluster.shard_commands import ShardCommands, ephemeral_by
from hub.kernel.delivery import Delivery
from hub.kernel.ids import RoomName, UserId, user_room
from hub.kernel.tasks import Tasks

EVENT: Final = 0
COMMAND: Final = 1
"""What is published to a room: an event for its members, or something that the nodes do with them."""
OF_ONE: Final = user_room(UserId(""))
"""What the names of people's own rooms begin with."""

_pack = msgspec.msgpack.Encoder().encode


def place_of(name: str, shards: int) -> int:
    """The shard of a room, or of a private id."""
    return zlib.crc32(name.encode()) % shards if shards > 1 else 0


class Outlet:
    """A queue to each shard. Nothing blocks, and nothing raises."""

    def __init__(self, commands: Sequence[ShardCommands], sender: str) -> None:
        """``sender`` is who publishes: a node does not take from the bus what is ephemeral and its own."""
        self._publishers = [Publisher(one) for one in commands]
        self._own = ephemeral_by(sender)

    def start(self, tasks: Tasks) -> None:
        """Begin to publish."""
        for index, publisher in enumerate(self._publishers):
            tasks.start(publisher.run(), name=f"bus: publisher of shard {index}")

    def emit(self, delivery: Delivery) -> None:
        """Publish an event to each of its rooms. A member of several gets it once."""
        packed = delivery.packed()
        since_s = math.inf if delivery.id is None else time.monotonic() - delivery.age_s
        copy_of = (delivery.id or new_message_id(),) if len(delivery.rooms) > 1 else ()
        before: list[RoomName] = []
        shared: list[RoomName] = []
        for room in delivery.rooms:
            # A connection that is in an earlier room too has got it there. None is in two people's rooms: an event for
            # 500 followers would name 125 000 of them.
            is_of_one = room.startswith(OF_ONE)
            event = _pack((EVENT, shared if is_of_one else before, *packed, *copy_of))
            before.append(room)
            if not is_of_one:
                shared.append(room)
            if delivery.volatile:
                self._publish(Outgoing(room, self._own + event, None))
            else:
                self._publish(Outgoing(room, event, delivery.id or new_message_id(), since_s))

    def command(self, room: RoomName, name: str, *arguments: Any) -> None:
        """Have every node that has members in a room do something with them, in its order."""
        self._publish(Outgoing(room, _pack((COMMAND, name, arguments)), new_message_id()))

    def _publish(self, outgoing: Outgoing) -> None:
        self._publishers[place_of(outgoing.room, len(self._publishers))].publish(outgoing)

    async def flushed(self) -> None:
        """Wait until what was published so far is in Redis, or given up."""
        for publisher in self._publishers:
            await publisher.flushed()
